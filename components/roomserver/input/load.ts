/**
 * The one batched read before a batch is decided: heads that are not in memory, the state that event authorisation will look at, and the events and
 * receipts that inputs refer to. A batch of messages into rooms that are in memory reads nothing.
 */
import type { PlacedInput } from '../../../pkg/log/processor.ts';
import { authTypesFor } from '../../../pkg/matrix/auth/auth-types.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { readAliases } from '../aliases/alias-row.ts';
import { readPublished } from '../directory/published-row.ts';
import { POLICY_STATE } from '../policy/policing.ts';
import { loadReceived } from '../receive/load-graph.ts';
import { createGraph, type RoomGraph } from '../receive/room-graph.ts';
import { readAnnotations } from '../relations/annotation-row.ts';
import { createFacts } from '../remote/facts.ts';
import { readEvents, readReceiptOrders, readRooms, type EventSql } from '../storage/read-events.ts';
import { loadRestrictedJoins } from './load-restricted-joins.ts';
import { loadState, type LoadDeps, type StateWant } from './load-state.ts';
import type { KnownEvent, Picture } from './picture.ts';
import { loadReferences } from './references.ts';
import { headOf, type RoomHead } from './room-head.ts';
import { survey, type Survey } from './survey.ts';

/** What every decision about an event may look at. */
const CORE_STATE: readonly (readonly [type: string, stateKey: string])[] = [
  ['m.room.create', ''], ['m.room.power_levels', ''], ['m.room.join_rules', ''], ['m.room.history_visibility', ''], POLICY_STATE,
];

export async function loadPicture(deps: LoadDeps, inputs: readonly PlacedInput<RoomInput>[]): Promise<Picture> {
  const found = survey(inputs);
  const [heads, events, receipts, aliases, rooms, published, annotations] = await Promise.all([
    loadHeads(deps, found.roomIds),
    readEvents(deps.database, [...found.eventIds]),
    readReceiptOrders(deps.database, [...found.receiptRefs]),
    readAliases(deps.database, [...found.aliases]),
    readRooms(deps.database, [...found.aliasedRooms]),
    readPublished(deps.database, [...found.published]),
    readAnnotations(deps.database, [...found.annotationRefs]),
  ]);
  await loadState(deps.database, wantedState(found, heads));
  const graphs = graphsOf(deps, found);
  await loadReceived(deps, graphs, found.received);
  const { joinedElsewhere, authorisers } = await loadRestrictedJoins(deps, found, heads);
  return {
    heads, receipts, published, annotations, joinedElsewhere, authorisers, graphs, news: new Map(), remote: createFacts(), pdus: new Map(found.received.map(({ eventId, pdu }) => [eventId, pdu])),
    wanted: found.eventIds,
    aliases: new Map(aliases.map((row) => [row.alias, row])), rooms: new Set(rooms.map(({ roomId }) => roomId)),
    events: new Map(events.flatMap(knownEvent)),
  };
}

/** Of rooms with received events, and those that are kept: these must learn of all that happens in their rooms. */
function graphsOf({ kept }: LoadDeps, { roomIds, received }: Survey): Map<string, RoomGraph> {
  const graphs = new Map<string, RoomGraph>();
  for (const roomId of roomIds) {
    const graph = kept.take(roomId);
    if (graph !== undefined) graphs.set(roomId, graph);
  }
  for (const { roomId } of received) if (!graphs.has(roomId)) graphs.set(roomId, createGraph(roomId));
  return graphs;
}

/** What has no place in the timeline, clients cannot refer to. */
function knownEvent(row: EventSql): [string, KnownEvent][] {
  const { event_id: eventId, order_key: orderKey } = row;
  if (orderKey === null) return [];
  return [[eventId, { eventId, roomId: row.room_id, type: row.type, sender: row.sender, orderKey, redacted: row.redacted_by !== null, bytes: row.json }]];
}

async function loadHeads({ database, heads: cache }: LoadDeps, roomIds: ReadonlySet<string>): Promise<Map<string, RoomHead>> {
  const heads = new Map<string, RoomHead>();
  const missing: string[] = [];
  for (const roomId of roomIds) {
    const head = cache.get(roomId);
    if (head === undefined) missing.push(roomId);
    else heads.set(roomId, head);
  }
  if (missing.length === 0) return heads;
  const batch = cache.batch();
  const loaded: RoomHead[] = [];
  for (const row of await readRooms(database, missing)) {
    const version = roomVersion(row.roomVersion);
    if (version === undefined) throw new Error(`room ${row.roomId} has version ${row.roomVersion}, which this server does not run`);
    const head = headOf(row, version, false);
    heads.set(row.roomId, head);
    loaded.push(head);
  }
  await loadReferences(database, loaded);
  for (const head of loaded) batch.put(head);
  return heads;
}

function wantedState(found: Survey, heads: ReadonlyMap<string, RoomHead>): StateWant[] {
  const wants: StateWant[] = [];
  for (const head of heads.values()) {
    for (const [type, stateKey] of CORE_STATE) wants.push({ head, type, stateKey });
  }
  for (const { roomId, draft } of [...found.drafts, ...found.received.map(({ roomId, pdu }) => ({ roomId, draft: pdu }))]) {
    const head = heads.get(roomId);
    if (head === undefined || head.complete) continue;
    for (const [type, stateKey] of authTypesFor(draft, head.version)) wants.push({ head, type, stateKey });
    wants.push({ head, type: 'm.room.member', stateKey: draft.sender });
    if (draft.state_key !== undefined) wants.push({ head, type: draft.type, stateKey: draft.state_key });
  }
  for (const { roomId, userId } of found.members) {
    const head = heads.get(roomId);
    if (head !== undefined) wants.push({ head, type: 'm.room.member', stateKey: userId });
  }
  return wants;
}
