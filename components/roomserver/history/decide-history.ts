/** PURE. A reader has come to the oldest event that is known here: another server is asked for what precedes it, once for all who ask at the same time. */
import type { FetchHistory } from '../../../schemas/log/room-input.ts';
import { parkingKey } from '../input/check-input.ts';
import { headerOf, type Deciding, type RoomDecision } from '../input/decision.ts';
import type { RoomEffects } from '../input/effects.ts';
import { encodeEvent } from '../input/outputs.ts';
import { graphAt } from '../input/picture.ts';
import type { RoomHead } from '../input/room-head.ts';
import type { RemoteNeed } from '../remote/facts.ts';
import { isPending, openNeed, openNeeds, ownNeed, waitFor } from '../remote/needs.ts';
import type { HistoryFacts } from './facts.ts';
import { placeHistory } from './place-history.ts';

/** Events of one answer, at most. */
export const HISTORY_EVENTS_MAX = 100;
/** A reader waits for them: not long. */
const WAIT_MS_MAX = 9000;
/** What is left of the reader's time for the answer. */
const MARGIN_MS = 500;

/** What was asked for, kept with the need: meanwhile the room may have got other ends. */
interface Asked {
  readonly eventIds: readonly string[];
  readonly historyAt: number;
  readonly visibility: string;
}

export function decideHistory(deciding: Deciding, head: RoomHead, { limit }: FetchHistory): RoomDecision {
  const { picture: { remote: facts }, input, place } = deciding;
  const found = facts.histories.get(input.inputId);
  if (found === undefined) return { kind: 'lacking' };
  const need = ownNeed(facts, input);
  if (need === undefined) return ask(deciding, head, { found, limit });
  if (isPending(need, place)) return waitFor(need);
  const asked = JSON.parse(Buffer.from(need.event!).toString()) as Asked;
  if (need.answer?.status === 200) return take(deciding, head, { found, need, asked });
  // Who was reached, and has nothing to give, is not asked for ever.
  const tried = need.answer?.status === 404 ? asked.eventIds : [];
  return done(deciding, { needs: { closed: [need.needId] }, history: { walked: [], edges: [], tried } }, { events: 0, more: true });
}

function ask(deciding: Deciding, head: RoomHead, { found: { frontier, via }, limit }: { found: HistoryFacts; limit: number }): RoomDecision {
  const { picture: { remote: facts }, input, place } = deciding;
  if (frontier === undefined || via.length === 0) return done(deciding, {}, { events: 0, more: frontier !== undefined });
  const atWork = openNeeds(facts, place.nowMs).find(({ kind, roomId }) => kind === 'backfill' && roomId === input.roomId);
  if (atWork !== undefined) return waitFor(atWork);
  const leftMs = input.deadlineMs > 0 ? input.deadlineMs - place.nowMs - MARGIN_MS : WAIT_MS_MAX;
  if (leftMs <= 0) return done(deciding, {}, { events: 0, more: true });
  const { eventIds, historyAt, visibility } = frontier;
  const asked: Asked = { eventIds, historyAt, visibility };
  return openNeed(deciding, {
    kind: 'backfill', eventId: '', event: Buffer.from(JSON.stringify(asked)), key: parkingKey(input.roomId, 'history'), msMax: Math.min(leftMs, WAIT_MS_MAX), roomVersion: head.version.id,
    body: { backfill: { via: [...via], eventIds: [...eventIds], limit: Math.min(Math.max(1, limit), HISTORY_EVENTS_MAX) } },
  });
}

function take(deciding: Deciding, head: RoomHead, { found, need, asked }: { found: HistoryFacts; need: RemoteNeed; asked: Asked }): RoomDecision {
  const { picture, input, place } = deciding;
  if (found.fetched === undefined) return { kind: 'lacking' };
  // Its place is below that of the other.
  if (picture.remote.historyPlaced.has(input.roomId)) return { kind: 'parked', reason: 'more of the same history has just come', untilMs: place.nowMs + 1, key: need.parkedKey };
  const placed = placeHistory(graphAt(picture, head), { ...asked, ...found, sequence: place.nextSequence, limit: HISTORY_EVENTS_MAX });
  if (placed === undefined) return { kind: 'lacking' };
  const { events, redactions, history } = placed;
  const outputs = events.map((event) => encodeEvent(headerOf(input, head.version.id), event));
  return done(deciding, { events, redactions, history, needs: { closed: [need.needId] } }, { events: events.length, more: history.edges.length > 0, outputs });
}

function done({ input }: Deciding, effects: Partial<RoomEffects>, { outputs = [], ...result }: { events: number; more: boolean; outputs?: Uint8Array[] }): RoomDecision {
  return { kind: 'accepted', effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], ...effects }, outputs, result };
}
