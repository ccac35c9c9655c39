/** Reads what decisions have found lacking of a room's graph. One round may ask for all kinds at once; each is one statement. What it wants of auth chains is read by `load-cover.ts`. */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { authEventIds, prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { createEventIdOfRoom } from '../../../pkg/matrix/ids/room-id.ts';
import { slotOf, type Slot } from '../../../pkg/matrix/state-res/slot.ts';
import type { Database, Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { unpackJson } from '../../../pkg/storage/packed-json.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import type { StagedState } from '../../../schemas/ports/staged-state.ts';
import type { NeedRow } from '../input/effects.ts';
import { loadEarly } from './early-redactions.ts';
import type { EventCache } from './event-cache.ts';
import { loadState } from '../input/load-state.ts';
import type { RoomHead } from '../input/room-head.ts';
import { loadCover } from './load-cover.ts';
import { isCoverLacking } from './room-cover.ts';
import type { GraphEvent, GraphNeed, RoomGraph, StateNode } from './room-graph.ts';

export interface GraphLoading {
  readonly database: Database;
  readonly recent: Pick<EventCache, 'get' | 'put'>;
  readonly stagedState: Pick<StagedState, 'stateIds'>;
}

interface EventSql extends SqlRow {
  event_id: string; room_id: string; json: Uint8Array; state_id: number | null; rejected: number; soft_failed: number; order_key: number | null; redacted_by: string | null;
}

/** States are read back to this many below the newest at first, then four times as many each time. */
const STATES_FIRST = 64;

/** What the received events of a batch refer to, of all rooms with one statement. */
export async function loadReceived(loading: Pick<GraphLoading, 'database' | 'recent'>, graphs: ReadonlyMap<string, RoomGraph>, received: readonly { roomId: string; eventId: string; pdu: Pdu }[]): Promise<void> {
  const wanted = new Map<string, Set<string>>([...graphs.keys()].map((roomId) => [roomId, new Set()]));
  for (const { roomId, eventId, pdu } of received) noteReferred(graphs.get(roomId)!, wanted.get(roomId)!, referredTo(eventId, pdu, roomId));
  await loadEvents(loading, [...wanted].map(([roomId, ids]) => ({ graph: graphs.get(roomId)!, ids })));
  await loadEarly(loading.database, graphs, received.map(({ eventId }) => eventId).filter(isStorable));
}

/** Fulfils and clears what the graph wants. */
export async function loadWanted(loading: GraphLoading, graph: RoomGraph, head: RoomHead): Promise<void> {
  const { database, stagedState } = loading;
  const { wants } = graph;
  if (wants.events.size > 0) await loadEvents(loading, [{ graph, ids: wants.events }]);
  if (isCoverLacking(graph.cover)) await loadCover({ reader: database, graph, loadEvents: (ids) => loadEvents(loading, [{ graph, ids }]) });
  if (wants.state.size > 0) await loadState(database, [...wants.state.values()].map(([type, stateKey]) => ({ head, type, stateKey })));
  if (wants.trails) await loadStates(database, graph, head);
  if (wants.full) graph.full = await readFullState(database, graph.roomId);
  if (wants.needs.size > 0) await loadNeeds(database, graph, [...wants.needs]);
  for (const stageId of wants.stages) graph.stages.set(stageId, await readStage(database, await stagedState.stateIds(stageId)));
  for (const set of [wants.events, wants.state, wants.needs, wants.stages]) set.clear();
  wants.trails = false;
  wants.full = false;
}

/** What was kept of a graph need not be read. */
function noteReferred({ events }: RoomGraph, wanted: Set<string>, referred: readonly string[]): void {
  for (const eventId of referred) if (!events.has(eventId)) wanted.add(eventId);
}

/** The event, what it follows, and what authorises it. */
function referredTo(eventId: string, pdu: Pdu, roomId: string): string[] {
  return [eventId, ...prevEventIds(pdu), ...authEventIds(pdu), ...(pdu.room_id === roomId && !roomId.includes(':') ? [createEventIdOfRoom(roomId)] : [])];
}

/** From memory, or else from the tables with one statement. */
async function loadEvents({ database, recent }: Pick<GraphLoading, 'database' | 'recent'>, wanted: readonly { graph: RoomGraph; ids: Iterable<string> }[]): Promise<void> {
  const missing = wanted.map(({ graph, ids }) => ({ graph, ids: [...ids].filter((eventId) => !takeRecent(graph, recent, eventId)) }));
  const found = await readGraphEvents(database, [...new Set(missing.flatMap(({ ids }) => ids))]);
  for (const { event, bytes } of found.events.values()) recent.put(event, found.followed.has(event.eventId), bytes);
  for (const { graph, ids } of missing) takeIn(graph, ids, found);
}

function takeRecent(graph: RoomGraph, recent: Pick<EventCache, 'get'>, eventId: string): boolean {
  const cached = recent.get(eventId);
  if (cached === undefined) return false;
  if (cached.followed) graph.followed.add(eventId);
  if (!graph.events.has(eventId)) graph.events.set(eventId, cached.event);
  return true;
}

interface FoundEvents {
  readonly events: ReadonlyMap<string, { readonly event: GraphEvent; readonly bytes: number }>;
  readonly followed: ReadonlySet<string>;
}

async function readGraphEvents(reader: Reader, eventIds: readonly string[]): Promise<FoundEvents> {
  const ids = eventIds.filter(isStorable);
  if (ids.length === 0) return { events: new Map(), followed: new Set() };
  const rows = await reader.queryIn<EventSql>('SELECT event_id, room_id, json, state_id, rejected, soft_failed, order_key, redacted_by FROM events WHERE event_id IN (??)', [], ids);
  return { events: new Map(rows.map((row) => [row.event_id, graphEvent(row)])), followed: await readFollowed(reader, ids) };
}

/** Those that an accepted event follows which came before them: few rooms have any. */
async function readFollowed(reader: Reader, eventIds: readonly string[]): Promise<Set<string>> {
  const edges = await reader.queryIn<{ prev_event_id: string; event_id: string }>('SELECT prev_event_id, event_id FROM event_edges WHERE prev_event_id IN (??)', [], eventIds);
  const accepted = await reader.queryIn<{ event_id: string }>(
    'SELECT event_id FROM events WHERE rejected = 0 AND soft_failed <> 1 AND (state_id IS NOT NULL OR order_key < 0) AND event_id IN (??)', [], [...new Set(edges.map((edge) => edge.event_id))]);
  const followers = new Set(accepted.map((row) => row.event_id));
  return new Set(edges.filter((edge) => followers.has(edge.event_id)).map((edge) => edge.prev_event_id));
}

/** What the batch itself has brought stays. */
function takeIn(graph: RoomGraph, wanted: Iterable<string>, found: FoundEvents): void {
  for (const eventId of wanted) {
    if (found.followed.has(eventId)) graph.followed.add(eventId);
    if (!graph.events.has(eventId)) graph.events.set(eventId, found.events.get(eventId)?.event ?? null);
  }
}

/** `bytes`: of its JSON. */
function graphEvent(row: EventSql): { event: GraphEvent; bytes: number } {
  const json = unpackJson(row.json);
  const event = {
    eventId: row.event_id, roomId: row.room_id, pdu: JSON.parse(Buffer.from(json).toString()) as Pdu, stateId: row.state_id, rejected: row.rejected === 1, softFailed: row.soft_failed === 1,
    orderKey: row.order_key, redacted: row.redacted_by !== null,
  };
  return { event, bytes: json.byteLength };
}

interface DeltaSql extends SqlRow {
  state_id: number; prev_state_id: number; depth: number; type: string; state_key: string; event_id: string; replaces: string | null;
}

async function loadStates(reader: Reader, graph: RoomGraph, head: RoomHead): Promise<void> {
  const newest = Math.min(graph.statesAbove, head.lastStateId);
  const back = graph.statesAbove === Infinity ? STATES_FIRST : (head.lastStateId - graph.statesAbove) * 4 + STATES_FIRST;
  const above = Math.max(0, head.lastStateId - back);
  const rows = await reader.query<DeltaSql>(
    'SELECT state_id, prev_state_id, depth, type, state_key, event_id, replaces FROM state_deltas WHERE room_id = ? AND state_id > ? AND state_id <= ? ORDER BY state_id',
    [graph.roomId, above, newest]);
  for (const [stateId, deltas] of Map.groupBy(rows, (row) => row.state_id)) if (!graph.states.has(stateId)) graph.states.set(stateId, stateNode(deltas));
  graph.statesAbove = above;
}

function stateNode(rows: readonly DeltaSql[]): StateNode {
  const { state_id: stateId, prev_state_id: prevStateId, depth } = rows[0]!;
  const steps = rows.map((row) => ({ slot: slotOf(row.type, row.state_key), eventId: row.event_id === '' ? undefined : row.event_id, replaces: row.replaces ?? undefined }));
  return { stateId, prevStateId, depth, steps };
}

async function readFullState(reader: Reader, roomId: string): Promise<Map<Slot, string>> {
  const rows = await reader.query<{ type: string; state_key: string; event_id: string }>('SELECT type, state_key, event_id FROM current_state WHERE room_id = ?', [roomId]);
  return new Map(rows.map((row) => [slotOf(row.type, row.state_key), row.event_id]));
}

interface NeedSql extends SqlRow {
  need_id: string; kind: string; input_id: string; parked_key: string; event_id: string; event: Uint8Array | null; answer: Uint8Array | null; deadline: number;
}

async function loadNeeds(reader: Reader, graph: RoomGraph, inputIds: readonly string[]): Promise<void> {
  const rows = await reader.queryIn<NeedSql>('SELECT need_id, kind, input_id, parked_key, event_id, event, answer, deadline FROM needs WHERE input_id IN (??)', [], inputIds);
  for (const inputId of inputIds) graph.needs.set(inputId, rows.filter((row) => row.input_id === inputId).map(graphNeed));
}

function graphNeed(row: NeedSql): GraphNeed {
  return {
    needId: row.need_id, kind: row.kind as NeedRow['kind'], parkedKey: row.parked_key, eventId: row.event_id, event: row.event, deadlineMs: row.deadline,
    answer: row.answer === null ? undefined : (roomInputCodec.decode(row.answer).answer as Answer),
  };
}

/** The state that a stage holds: events that were rejected when they were imported are in no state. */
async function readStage(reader: Reader, eventIds: readonly string[]): Promise<Map<Slot, string>> {
  const state = new Map<Slot, string>();
  const ids = eventIds.filter(isStorable);
  if (ids.length === 0) return state;
  const rows = await reader.queryIn<{ event_id: string; type: string; state_key: string | null }>('SELECT event_id, type, state_key FROM events WHERE rejected = 0 AND event_id IN (??)', [], ids);
  for (const row of rows) if (row.state_key !== null) state.set(slotOf(row.type, row.state_key), row.event_id);
  return state;
}

/** Texts of other servers may hold what no database takes, and so no row has. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
