/** The roomserver as the input runner sees it: load, decide, commit (DESIGN rules 3 and 5). */
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { CONFLICTED_MANY } from '../receive/meeting.ts';
import type { Processor } from '../../../pkg/log/processor.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { Metrics } from '../../../pkg/telemetry/metrics.ts';
import type { Typing } from '../typing/typing.ts';
import type { StagedState } from '../../../schemas/ports/staged-state.ts';
import { barringEvents } from '../guests/guest-access.ts';
import { createEventCache, type EventCache } from '../receive/event-cache.ts';
import { createKeptGraphs, type KeptGraphs } from '../receive/kept-graphs.ts';
import { loadHistory } from '../history/load-history.ts';
import { loadWanted, type GraphLoading } from '../receive/load-graph.ts';
import type { RoomGraph } from '../receive/room-graph.ts';
import { loadPolicing } from '../policy/policing.ts';
import { noteEffects } from '../remote/facts.ts';
import { loadFacts } from '../remote/load-facts.ts';
import { decideUpkeep } from '../upkeep/decide-upkeep.ts';
import { commitUpkeep, type Collected } from '../upkeep/commit-upkeep.ts';
import { createUpkeepFacts, loadUpkeep } from '../upkeep/facts.ts';
import { isUpkeep } from '../upkeep/upkeep-input.ts';
import type { Chained } from '../storage/auth-chains.ts';
import { decodeInput, keyOf } from './check-input.ts';
import { commitBatch } from './commit.ts';
import { decide } from './decide.ts';
import { isReadAnew, type AcceptedInput, type RoomEffects, type RoomRow } from './effects.ts';
import { evolve } from './evolve.ts';
import { createHeadCache, type HeadCache } from './head-cache.ts';
import { loadPicture } from './load.ts';
import { PREV_EVENTS_MAX } from './make-event.ts';
import { EMPTY_PICTURE, type Picture } from './picture.ts';
import type { RoomHead } from './room-head.ts';

export interface RoomProcessorDeps {
  readonly database: Database;
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly typing: Typing;
  /** States of rooms that were fetched from other servers; none by default. */
  readonly stagedState?: StagedState | undefined;
  /** Budget of the heads and their state in memory. */
  readonly headBytesMax?: number | undefined;
  /** Graphs of rooms in much conflict. */
  readonly keptGraphs?: KeptGraphs | undefined;
  readonly metrics?: Metrics | undefined;
  /** An upgrade of a room was begun. */
  readonly onUpgrade?: (() => void) | undefined;
  /** A room was joined without its members. */
  readonly onPartial?: (() => void) | undefined;
  /** A room was closed to guests. */
  readonly onBarred?: (() => void) | undefined;
  /** An event has left the room with branches that are too many for one event to follow, or in much conflict. */
  readonly onBranched?: ((partition: number, room: Pick<RoomRow, 'roomId' | 'extremities'>) => void) | undefined;
}

function collectedMetrics(metrics: Metrics | undefined): (collected: Collected) => void {
  const states = metrics?.counter({ name: 'states_collected_total', help: 'States of rooms that were deleted because nothing referred to them any more' });
  const events = metrics?.counter({ name: 'events_purged_total', help: 'Events that were deleted by purges of history' });
  return (collected) => {
    if (collected.states > 0) states?.add({}, collected.states);
    if (collected.events > 0) events?.add({}, collected.events);
  };
}

function watchMemory(metrics: Metrics | undefined, heads: HeadCache, kept: KeptGraphs): void {
  metrics?.gauge({ name: 'room_heads_bytes', help: 'Memory that heads of rooms take, estimated; at most room_heads_mb between two batches', read: () => heads.size().bytes });
  metrics?.gauge({ name: 'room_heads', help: 'Rooms whose heads are in memory', read: () => heads.size().rooms });
  metrics?.gauge({ name: 'room_graphs_bytes', help: 'Memory that graphs of rooms in much conflict take between two batches, estimated; at most 128 MiB', read: () => kept.size().bytes });
}

/** So many branches are left in much conflict, of a room in which nothing is in conflict as many as an event can follow. */
const BRANCHES_MAX = 2 * PREV_EVENTS_MAX;
const BRANCHES_IN_CONFLICT_MAX = 2;

/** Branches that have just been joined go on one by one, and to take in each of them costs a resolution; joining them again for that would have no end. */
function isCostly({ extremities: { length } }: RoomRow, { conflicted, resolvedAnew }: Pick<RoomGraph, 'conflicted' | 'resolvedAnew'> = { conflicted: 0, resolvedAnew: 0 }): boolean {
  return length > (conflicted > CONFLICTED_MANY ? BRANCHES_MAX : PREV_EVENTS_MAX) || (length > BRANCHES_IN_CONFLICT_MAX && resolvedAnew > 2 * length);
}

/** What goes on by itself from here. */
function tellBegun({ onUpgrade, onPartial }: RoomProcessorDeps, { upgrade, partial }: RoomEffects): void {
  if (upgrade?.result === '') onUpgrade?.();
  if (partial?.kind === 'begins') onPartial?.();
}

/** Users who are not in the room any more, or not yet. */
function leaversIn({ events }: RoomEffects): string[] {
  return events.flatMap(({ kind, pdu }) => {
    const isLive = kind === 'local' || kind === 'received';
    return isLive && pdu.type === 'm.room.member' && pdu.state_key !== undefined && pdu.content.membership !== 'join' ? [pdu.state_key] : [];
  });
}

/** What was purged must not be found in memory, and heads know how far. */
function forgetPurged({ recent, heads }: { recent: Pick<EventCache, 'forget'>; heads: HeadCache }, accepted: readonly AcceptedInput[]): void {
  const purges = accepted.filter(({ effects: { upkeep } }) => upkeep?.purge !== undefined || upkeep?.purged !== undefined);
  if (purges.length > 0) recent.forget();
  for (const { effects } of purges) heads.drop(effects.roomId);
}

async function loadOfRoom(loading: GraphLoading, head: RoomHead, graph: RoomGraph | undefined): Promise<void> {
  await loadPolicing(loading.database, head);
  if (graph !== undefined) await loadWanted(loading, graph, head);
}

const NOTHING_STAGED: StagedState = { slice: async () => [], stateIds: async () => [] };
const HEAD_BYTES_MAX = 64 * 1024 * 1024;
const RECENT_BYTES_MAX = 32 * 1024 * 1024;
const NOTHING_CHAINED: Chained = { places: new Map(), links: [], caughtUp: false };
const KEPT_GRAPHS = { bytesMax: 128 * 1024 * 1024, conflictedMin: CONFLICTED_MANY };

/**
 * Keeps the heads of recently used rooms in memory; they are the truth until `forget`. Batches must not overlap: `load`, every `decide` and `commit` (or
 * `forget`) of one batch come before the next `load`.
 */
export function createRoomProcessor(deps: RoomProcessorDeps): Processor<RoomInput, RoomEffects> {
  const { database, serverName, signingKey, typing, stagedState = NOTHING_STAGED, onBarred = () => undefined } = deps;
  const heads = createHeadCache(deps.headBytesMax ?? HEAD_BYTES_MAX);
  const recent = createEventCache(RECENT_BYTES_MAX);
  const kept = deps.keptGraphs ?? createKeptGraphs(KEPT_GRAPHS);
  watchMemory(deps.metrics, heads, kept);
  let picture: Picture = EMPTY_PICTURE;
  let batch = heads.batch();
  let upkeep = createUpkeepFacts();
  let collected: Collected = { states: 0, events: 0 };
  let chained = NOTHING_CHAINED;
  const count = collectedMetrics(deps.metrics);

  return {
    decode: decodeInput,
    keyOf,
    shareOf: ({ roomId }) => roomId,
    async load(inputs) {
      heads.trim(picture.heads.keys());
      batch = heads.batch();
      upkeep = createUpkeepFacts();
      picture = await loadPicture({ database, heads, serverName, recent, kept }, inputs);
    },
    async loadMore(input) {
      const { roomId } = input;
      if (isUpkeep(input)) await loadUpkeep({ database, serverName }, upkeep, { picture, input });
      await loadFacts({ database, stagedState, serverName }, picture, input);
      if (input.fetchHistory) await loadHistory({ database, stagedState, serverName }, picture, input);
      const head = picture.heads.get(roomId);
      if (head !== undefined) await loadOfRoom({ database, stagedState, recent }, head, picture.graphs.get(roomId));
    },
    decide(input, place) {
      const deciding = { picture, signer: { serverName, signingKey }, input, place };
      const decision = isUpkeep(input) ? decideUpkeep(deciding, upkeep) : decide(deciding);
      if (decision.kind === 'accepted') evolve(picture, decision.effects, batch.put);
      if (decision.kind !== 'lacking' && decision.effects !== undefined) {
        noteEffects(picture.remote, decision.effects);
        if (isReadAnew(decision.effects)) heads.drop(decision.effects.roomId);
      }
      return decision;
    },
    // An event has its place once, a receipt goes only forward, and who types types.
    knowsRepeated: ({ receivePdu, setReceipt, setTyping, replyTo }) => Boolean(receivePdu ?? setReceipt ?? setTyping) && replyTo === '',
    repeated: ({ inputId, roomId }) => ({ inputId, roomId, events: [], redactions: [], needs: { closedOf: inputId } }),
    async commit(tx, accepted) {
      chained = await commitBatch(tx, accepted);
      collected = await commitUpkeep(tx, accepted);
    },
    forget(partition) {
      heads.forget(partition);
      recent.forget();
      kept.forget();
      picture = EMPTY_PICTURE;
      typing.forget(partition);
    },
    committed(accepted) {
      // What is over budget goes now, and not when the next batch comes.
      heads.trim(picture.heads.keys());
      count(collected);
      collected = { states: 0, events: 0 };
      forgetPurged({ recent, heads }, accepted);
      if (barringEvents(accepted).length > 0) onBarred();
      for (const { place, effects } of accepted) {
        recent.note(effects, picture.graphs.get(effects.roomId));
        if (effects.typing !== undefined) typing.set(place, effects.typing);
        tellBegun(deps, effects);
        if (effects.room !== undefined && isCostly(effects.room, picture.graphs.get(effects.roomId))) deps.onBranched?.(place.partition, effects.room);
        for (const userId of leaversIn(effects)) typing.set(place, { roomId: effects.roomId, userId, typing: false, timeoutMs: 0 });
      }
      kept.note({ graphs: picture.graphs, heads: picture.heads, effects: accepted.map(({ effects }) => effects), chained });
    },
  };
}
