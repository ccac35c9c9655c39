/** What a batch of room-output records changes, as rows. Pure. */
import type { StateChange } from '../../../schemas/log/room-output.ts';
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { OPEN, slotOf, type MembershipRow } from '../storage/rows.ts';
import { changesOf, pduOf, type DecodedRoomOutput, type Records } from './decoded.ts';

export interface NewState {
  readonly slot: string;
  readonly from: number;
  to: number;
  readonly roomId: string;
  readonly type: string;
  readonly eventId: string;
}

/** New intervals in order, and for each slot when its open one ends. */
export interface StatePlan {
  readonly ends: Map<string, number>;
  readonly begins: NewState[];
}

/** State intervals of the batch: each change ends what stood there before, in the tables or in the batch itself. */
export function planState(records: Records): StatePlan {
  const ends = new Map<string, number>();
  const begins: NewState[] = [];
  const last = new Map<string, NewState>();
  for (const { sequence, output } of records) {
    for (const change of changesOf(output)) {
      const slot = slotOf(output.record.roomId, change.type, change.stateKey);
      endInterval({ slot, sequence, last: last.get(slot), ends, replaced: change.replaces !== '' });
      last.delete(slot);
      if (change.eventId === '') continue;
      const begun = { slot, from: sequence, to: OPEN, roomId: output.record.roomId, type: change.type, eventId: change.eventId };
      begins.push(begun);
      last.set(slot, begun);
    }
  }
  return { ends, begins };
}

function endInterval(at: { slot: string; sequence: number; last: { to: number } | undefined; ends: Map<string, number>; replaced: boolean }): void {
  if (at.last !== undefined) at.last.to = at.sequence;
  else if (at.replaced && !at.ends.has(at.slot)) at.ends.set(at.slot, at.sequence);
}

export interface NewMembership {
  readonly slot: string;
  readonly userId: string;
  readonly roomId: string;
  readonly from: number;
  to: number;
  readonly membership: string;
  readonly eventId: string;
  readonly partition: number;
}

interface MemberCounts {
  joined: number;
  here: number;
  invited: number;
}

export const NO_MEMBERS: Readonly<MemberCounts> = { joined: 0, here: 0, invited: 0 };

export interface MembershipPlan {
  /** Slots whose interrupted interval goes on as if it had not been interrupted, with where that interval began. */
  readonly resumes: Map<string, number>;
  readonly ends: Map<string, number>;
  readonly begins: NewMembership[];
  /** By room: how many more are joined, joined from here, and invited. */
  readonly counts: Map<string, MemberCounts>;
  /** Users whose membership or profile in a room changed. */
  readonly users: Set<string>;
  /** In order. */
  readonly moves: MembershipMove[];
}

/** A membership that has become another one; empty: none. */
export interface MembershipMove {
  readonly partition: number;
  readonly sequence: number;
  readonly roomId: string;
  readonly userId: string;
  readonly before: string;
  readonly membership: string;
}

/** What is known before the batch. */
export interface KnownMemberships {
  /** The open intervals of `memberChanges`. */
  readonly current: readonly MembershipRow[];
  /** Those that ended only because the room's state began anew (`memberChanges` of slices). */
  readonly interrupted: readonly MembershipRow[];
  /** By event ID: the membership that a state event sets which the records tell nothing of. */
  readonly foreign: ReadonlyMap<string, string>;
  readonly isHere: (userId: string) => boolean;
}

/** Members whose state changes in these records. */
export function memberChanges(records: Records): (readonly [roomId: string, userId: string])[] {
  const pairs = new Map<string, readonly [string, string]>();
  for (const { output } of records) {
    for (const change of changesOf(output)) {
      if (change.type === 'm.room.member') pairs.set(slotOf(output.record.roomId, change.type, change.stateKey), [output.record.roomId, change.stateKey]);
    }
  }
  return [...pairs.values()];
}

/** A change of somebody's member event. */
interface MemberChange {
  readonly record: SequencedRecord<DecodedRoomOutput>;
  readonly change: StateChange;
  readonly slot: string;
  readonly before: string;
  readonly membership: string;
}

/** Membership intervals of the batch: only a change of the membership itself begins a new one. */
export function planMemberships(records: Records, known: KnownMemberships): MembershipPlan {
  const plan: MembershipPlan = { resumes: new Map(), ends: new Map(), begins: [], counts: new Map(), users: new Set(), moves: [] };
  const now = new Map<string, string>(known.current.map((row) => [slotOf(row.room_id, 'm.room.member', row.user_id), row.membership]));
  const interrupted = new Map(known.interrupted.map((row) => [slotOf(row.room_id, 'm.room.member', row.user_id), row]));
  const last = new Map<string, NewMembership>();
  for (const record of records) {
    for (const change of changesOf(record.output)) {
      if (change.type !== 'm.room.member') continue;
      const slot = slotOf(record.output.record.roomId, change.type, change.stateKey);
      const member = { record, change, slot, before: now.get(slot) ?? '', membership: membershipSetBy(change, record.output, known.foreign) };
      now.set(slot, member.membership);
      planMember(plan, member, { last, interrupted: interrupted.get(slot), isHere: known.isHere });
    }
  }
  return plan;
}

function planMember(plan: MembershipPlan, member: MemberChange, known: { last: Map<string, NewMembership>; interrupted: MembershipRow | undefined; isHere: KnownMemberships['isHere'] }): void {
  const { record, change, slot, before, membership } = member;
  const { interrupted, last } = known;
  if (membership !== before) {
    const { roomId } = record.output.record;
    count(plan, roomId, member, known.isHere(change.stateKey));
    plan.moves.push({ partition: record.partition, sequence: record.sequence, roomId, userId: change.stateKey, before, membership });
  }
  plan.users.add(change.stateKey);
  const isResumed = record.output.record.stateSlice && before === '' && interrupted?.event_id === change.eventId && interrupted.membership === membership;
  if (isResumed) {
    plan.resumes.set(slot, interrupted.from_sequence);
    return;
  }
  if (membership === before) return;
  endInterval({ slot, sequence: record.sequence, last: last.get(slot), ends: plan.ends, replaced: before !== '' });
  last.delete(slot);
  if (membership === '') return;
  const begun = newMembership(member);
  plan.begins.push(begun);
  last.set(slot, begun);
}

function newMembership({ record, change, slot, membership }: MemberChange): NewMembership {
  const { partition, sequence, output } = record;
  return { slot, membership, userId: change.stateKey, roomId: output.record.roomId, from: sequence, to: OPEN, eventId: change.eventId, partition };
}

function membershipSetBy(change: StateChange, output: DecodedRoomOutput, foreign: ReadonlyMap<string, string>): string {
  if (change.eventId === '') return '';
  if (change.membership) return change.membership;
  const pdu = pduOf(output, change);
  return pdu === undefined ? (foreign.get(change.eventId) ?? '') : membershipOf(pdu);
}

/** `content.membership`, empty when it is none. */
export function membershipOf(pdu: Pdu): string {
  const membership = pdu.content['membership'];
  return typeof membership === 'string' ? membership : '';
}

function count(plan: MembershipPlan, roomId: string, change: { before: string; membership: string }, isHere: boolean): void {
  const counts = plan.counts.get(roomId) ?? { ...NO_MEMBERS };
  const joined = Number(change.membership === 'join') - Number(change.before === 'join');
  counts.joined += joined;
  if (isHere) counts.here += joined;
  counts.invited += Number(change.membership === 'invite') - Number(change.before === 'invite');
  plan.counts.set(roomId, counts);
}
