/**
 * PURE. The members of a room that this server has joined without them: they are asked for, come in slices that are added to the state before the join and to the current one
 * (`remote/import-state.ts`), and with the answer the room is as if they had come with the join. What cannot be had now is asked for again, by this input's next one.
 */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { CompleteRoom } from '../../../schemas/log/room-input.ts';
import { parkingKey } from '../input/check-input.ts';
import { headerOf, NO_EFFECTS, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { RoomEffects } from '../input/effects.ts';
import type { OutputHeader } from '../input/outputs.ts';
import type { RoomHead } from '../input/room-head.ts';
import { isServerIn } from '../remote/facts.ts';
import { isPending, needIdOf, openNeed, ownNeed, waitFor } from '../remote/needs.ts';
import { ABANDONED, COMPLETING, WHOLE, type PartialRow } from './partial-row.ts';

/** A state of hundreds of thousands of members takes its server minutes. */
export const COMPLETE_MS_MAX = 30 * 60_000;
/** How often it is looked by the way whether there is an answer. */
const LOOK_EVERY_MS = 10_000;
const RETRY_FIRST_MS = 1000;
const RETRY_MS_MAX = 2 * 60_000;
/** Servers that are asked, besides the one that let this server in. */
const VIA_MAX = 19;

export function decideComplete(deciding: Deciding, head: RoomHead | undefined, { sequence }: CompleteRoom): RoomDecision {
  const { picture: { remote: facts }, input, place, signer } = deciding;
  if (!facts.read.has(input.inputId)) return { kind: 'lacking' };
  const row = facts.partials.get(input.roomId);
  const need = ownNeed(facts, input);
  const isOpen = head !== undefined && row !== undefined && row.state === COMPLETING && row.sequence === sequence;
  if (!isOpen) return done(deciding, need && { needs: { closed: [need.needId] } });
  if (need === undefined) return isServerIn(facts, head, signer.serverName) ? ask(deciding, row) : end(deciding, row, { state: ABANDONED });
  if (isPending(need, place)) return lookingAgain(waitFor(need), place.nowMs);
  if (need.answer?.status === 200) return end(deciding, row, { state: WHOLE, needId: need.needId });
  const tries = row.tries + 1;
  return done(deciding, { needs: { closed: [need.needId] }, partial: { kind: 'asked', tries, retryAt: place.nowMs + Math.min(RETRY_FIRST_MS * 2 ** Math.min(tries, 20), RETRY_MS_MAX) } });
}

function ask(deciding: Deciding, { roomId, roomVersion, eventId, origin, servers, tries }: PartialRow): RoomDecision {
  const via = [origin, ...servers.filter((server) => server !== origin && server !== deciding.signer.serverName).slice(0, VIA_MAX)];
  // Of several servers another one is the first each time.
  const turned = [...via.slice(tries % via.length), ...via.slice(0, tries % via.length)];
  const asking = openNeed(deciding, { kind: 'whole_state', eventId, key: parkingKey(roomId, 'complete'), msMax: COMPLETE_MS_MAX, roomVersion, body: { wholeState: { eventId, via: turned } } });
  if (asking.kind !== 'parked' || asking.effects === undefined) throw new Error(`the need ${needIdOf(deciding.input)} was not opened`);
  return { ...lookingAgain(asking, deciding.place.nowMs), effects: { ...asking.effects, partial: { kind: 'asked', tries, retryAt: asking.untilMs + RETRY_FIRST_MS } } };
}

/** A process that dies with the answer in its hands lets nobody go on: this input waits too long for its time to be over. */
function lookingAgain<D extends RoomDecision>(decision: D, nowMs: number): D {
  return decision.kind === 'parked' ? { ...decision, untilMs: Math.min(decision.untilMs, nowMs + LOOK_EVERY_MS) } : decision;
}

function end(deciding: Deciding, row: PartialRow, { state, needId }: { state: typeof WHOLE | typeof ABANDONED; needId?: string }): RoomDecision {
  const { input, place } = deciding;
  const effects: Partial<RoomEffects> = { partial: { kind: 'ends', state, stateId: row.stateId, sequence: place.nextSequence }, ...(needId !== undefined && { needs: { closed: [needId] } }) };
  const ended = encodePartial(headerOf(input, row.roomVersion), { servers: row.servers, ended: true });
  // What these servers have sent meanwhile goes on at once; whatever else waits looks by itself.
  return { ...done(deciding, effects), outputs: [ended], unpark: row.servers.map((server) => parkingKey(row.roomId, 'from', server)) } as RoomDecision;
}

function done({ input }: Deciding, effects: Partial<RoomEffects> | undefined): RoomDecision {
  return { kind: 'accepted', effects: effects === undefined ? NO_EFFECTS : { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], ...effects }, outputs: [], result: {} };
}

export function encodePartial(header: OutputHeader, { servers, ended }: { servers: readonly string[]; ended: boolean }): Uint8Array {
  return roomOutputCodec.encode({ ...header, partial: { servers: [...servers], ended } });
}
