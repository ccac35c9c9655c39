/**
 * State resolution of room version 1 (spec: rooms/v1, "State resolution"). Known to reset state; kept because servers must agree. Where the spec leaves it open, as servers do:
 * slots of one pass do not see each other's results, so that their order means nothing, and where no event is allowed the oldest stands.
 */
import { createHash } from 'node:crypto';
import { authorize } from '../auth/authorize.ts';
import type { Pdu } from '../events/pdu.ts';
import type { Conflicts } from './conflicts.ts';
import { loadedEvent } from './loaded-room.ts';
import type { LoadedRoom } from './loaded-room.ts';
import { POWER_LEVELS_SLOT, slotOf } from './slot.ts';
import type { Slot } from './slot.ts';

interface Candidate {
  readonly eventId: string;
  readonly event: Pdu;
}

/** What the resolved state has beside the unconflicted state map. A slot that some sets leave empty and the others agree on is no conflict here. */
export function resolveV1(room: LoadedRoom, { conflicted, unconflicted }: Conflicts): Map<Slot, string> {
  const resolved = new Map<Slot, string>();
  const contested = new Map<Slot, Candidate[]>();
  for (const [slot, [first, ...others]] of conflicted) {
    if (first === undefined) continue;
    if (others.length === 0) resolved.set(slot, first);
    else contested.set(slot, [first, ...others].map((eventId) => ({ eventId, event: loadedEvent(room, eventId) })).sort(compareCandidates));
  }
  const isAllowed = ({ event }: Candidate, instead?: Candidate): boolean => {
    const state = (type: string, stateKey: string): Pdu | undefined => {
      if (instead?.event.type === type && instead.event.state_key === stateKey) return instead.event;
      const eventId = resolved.get(slotOf(type, stateKey)) ?? unconflicted(slotOf(type, stateKey));
      return eventId === undefined ? undefined : loadedEvent(room, eventId);
    };
    return authorize({ event, version: room.version, state, roomId: room.roomId }).allowed;
  };
  // Power levels, then join rules, then memberships, each seeing what the passes before it left.
  for (const isInPass of [isPowerLevels, isOfType('m.room.join_rules'), isOfType('m.room.member')]) {
    const slots = [...contested].filter(([slot]) => isInPass(slot));
    const chosen = slots.map(([slot, candidates]) => [slot, newestInTurn(candidates, isAllowed)] as const);
    for (const [slot, eventId] of chosen) {
      resolved.set(slot, eventId);
      contested.delete(slot);
    }
  }
  // Nothing else affects the rules: the deepest that is allowed.
  const chosen = [...contested].map(([slot, candidates]) => [slot, (candidates.findLast((candidate) => isAllowed(candidate)) ?? (candidates[0] as Candidate)).eventId] as const);
  for (const [slot, eventId] of chosen) resolved.set(slot, eventId);
  return resolved;
}

/** From the least deep on, each next one if it is allowed where the one before stands; ends at the first that is not. */
function newestInTurn(candidates: readonly Candidate[], isAllowed: (candidate: Candidate, instead: Candidate) => boolean): string {
  let standing = candidates[0] as Candidate;
  for (const candidate of candidates.slice(1)) {
    if (!isAllowed(candidate, standing)) break;
    standing = candidate;
  }
  return standing.eventId;
}

/** Ascending depth, then descending SHA-1 of the event ID. */
function compareCandidates(x: Candidate, y: Candidate): number {
  return x.event.depth - y.event.depth || Buffer.compare(sha1(y.eventId), sha1(x.eventId));
}

function sha1(eventId: string): Buffer {
  return createHash('sha1').update(eventId).digest();
}

function isPowerLevels(slot: Slot): boolean {
  return slot === POWER_LEVELS_SLOT;
}

function isOfType(type: string): (slot: Slot) => boolean {
  const start = slotOf(type, '');
  return (slot) => slot.startsWith(start);
}
