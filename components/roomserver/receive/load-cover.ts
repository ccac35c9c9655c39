/** Reads what decisions have found lacking of a room's chains. Each kind is one statement, or one for each step from chain to chain. */
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { ChainLink, ChainRange } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { POWER_LEVELS_SLOT, slotOf, slotOfEvent } from '../../../pkg/matrix/state-res/slot.ts';
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { isStorable } from '../query/stored-event.ts';
import { stateRef } from '../storage/refs.ts';
import { noteLoose, notePosition, type CitingLink, type RoomCover } from './room-cover.ts';
import type { RoomGraph } from './room-graph.ts';

export interface CoverLoading {
  readonly reader: Reader;
  readonly graph: RoomGraph;
  /** Brings events into the graph. */
  readonly loadEvents: (eventIds: readonly string[]) => Promise<void>;
}

/** Chains that are longer than this are read in part. */
const WHOLE_CHAIN_MAX = 32;
const CREATE = 'm.room.create';

/** Fulfils and clears what is wanted of the chains. */
export async function loadCover(loading: CoverLoading): Promise<void> {
  const { reader, graph: { cover, roomId } } = loading;
  const { wants } = cover;
  if (wants.covers.size > 0) await coverEvents(loading, [...wants.covers]);
  await Promise.all(Array.from(wants.citing, ([chain, { from, limit }]) => loadCiting(reader, cover, { chain, from, limit })));
  if (wants.facts.size > 0) await loadFacts(reader, cover, roomId);
  if (wants.ranges.size > 0) await loadRanges(reader, cover, [...wants.ranges]);
  if (wants.mainlines.size > 0) await loadMainlines(loading, [...wants.mainlines]);
  for (const set of Object.values(wants)) set.clear();
}

/** The places of the events, and all links that lead on from there. */
async function coverEvents(loading: CoverLoading, eventIds: readonly string[]): Promise<void> {
  const { reader, graph } = loading;
  const { cover } = graph;
  const unplaced = cover.begun ? [] : await readUnplaced(reader, graph.roomId);
  if (!cover.begun) Object.assign(cover, { begun: true, behind: unplaced.length > 0 });
  const wanted = [...eventIds, ...unplaced];
  const loose: string[] = [];
  for (let next = wanted; next.length > 0;) {
    await readPositions(reader, cover, next.filter((eventId) => !cover.positions.has(eventId)));
    const fresh = [...new Set(next)].filter((eventId) => !cover.positions.has(eventId));
    await loading.loadEvents(notIn(graph, fresh));
    for (const eventId of fresh) noteLoose(cover, eventId);
    loose.push(...fresh);
    next = fresh.flatMap((eventId) => citedBy(graph, eventId)).filter((eventId) => !cover.positions.has(eventId));
  }
  const current = await readCurrent(reader, graph, loose);
  for (const eventId of loose) {
    const links = citedBy(graph, eventId).filter((cited) => graph.events.get(cited)?.pdu.type !== CREATE);
    cover.links.set(cover.loose.get(eventId)!, links.map((cited) => ({ seq: 1, target: cover.positions.get(cited)! })));
    const pdu = graph.events.get(eventId)?.pdu;
    // What nobody here knows is in no state.
    cover.facts.set(cover.loose.get(eventId)!, pdu === undefined ? { slot: '', currentId: undefined } : { slot: slotOfEvent(pdu), currentId: current.get(refOf(graph, pdu)) });
  }
  const chains = [...wanted, ...loose.flatMap((eventId) => citedBy(graph, eventId))].map((eventId) => cover.positions.get(eventId)!.chain);
  await loadLinks(reader, cover, chains);
}

/** By state reference: what the current state has where these events would stand. */
async function readCurrent(reader: Reader, graph: RoomGraph, eventIds: readonly string[]): Promise<Map<string, string>> {
  const pdus = eventIds.flatMap((eventId) => graph.events.get(eventId)?.pdu ?? []);
  const refs = new Set(pdus.map((pdu) => refOf(graph, pdu)).filter(isStorable));
  const rows = await reader.queryIn<{ state_ref: string; event_id: string }>('SELECT state_ref, event_id FROM current_state WHERE state_ref IN (??)', [], [...refs]);
  return new Map(rows.map((row) => [row.state_ref, row.event_id]));
}

function refOf({ roomId }: RoomGraph, pdu: Pdu): string {
  return stateRef(roomId, pdu.type, pdu.state_key ?? '');
}

/** What older versions of the program have left without a place. */
async function readUnplaced(reader: Reader, roomId: string): Promise<string[]> {
  const rows = await reader.query<{ event_id: string }>('SELECT event_id FROM events WHERE room_id = ? AND state_key IS NOT NULL AND auth_chain IS NULL', [roomId]);
  return rows.map((row) => row.event_id);
}

interface PositionSql extends SqlRow {
  event_id: string; auth_chain: number; auth_seq: number;
}

async function readPositions(reader: Reader, cover: RoomCover, eventIds: readonly string[]): Promise<void> {
  const ids = eventIds.filter(isStorable);
  if (ids.length === 0) return;
  const rows = await reader.queryIn<PositionSql>('SELECT event_id, auth_chain, auth_seq FROM events WHERE auth_chain IS NOT NULL AND event_id IN (??)', [], ids);
  for (const row of rows) notePosition(cover, row.event_id, { chain: row.auth_chain, seq: row.auth_seq });
}

/** What the event cites, as far as it is known. */
function citedBy(graph: RoomGraph, eventId: string): readonly string[] {
  const event = graph.events.get(eventId);
  return event === null || event === undefined ? [] : authEventIds(event.pdu);
}

interface LinkSql extends SqlRow {
  origin_chain: number; origin_seq: number; target_chain: number; target_seq: number;
}

async function loadLinks(reader: Reader, cover: RoomCover, chains: Iterable<number>): Promise<void> {
  const unknown = (list: Iterable<number>): number[] => [...new Set(list)].filter((chain) => chain > 0 && !cover.links.has(chain));
  for (let next = unknown(chains); next.length > 0;) {
    const rows = await reader.queryIn<LinkSql>('SELECT origin_chain, origin_seq, target_chain, target_seq FROM auth_links WHERE origin_chain IN (??)', [], next);
    const links = new Map<number, ChainLink[]>(next.map((chain) => [chain, []]));
    for (const row of rows) links.get(row.origin_chain)!.push({ seq: row.origin_seq, target: { chain: row.target_chain, seq: row.target_seq } });
    for (const [chain, list] of links) cover.links.set(chain, list);
    next = unknown(rows.map((row) => row.target_chain));
  }
}

interface FactsSql extends SqlRow {
  chain: number; type: string; state_key: string; event_id: string | null; auth_chain: number | null; auth_seq: number | null;
}

/** What the chains are about, and which event the current state has there. */
async function loadFacts(reader: Reader, cover: RoomCover, roomId: string): Promise<void> {
  const rows = await reader.queryIn<FactsSql>(
    `SELECT c.auth_chain AS chain, c.type, c.state_key, s.event_id, e.auth_chain, e.auth_seq
     FROM events c LEFT JOIN current_state s ON s.room_id = ? AND s.type = c.type AND s.state_key = c.state_key LEFT JOIN events e ON e.event_id = s.event_id
     WHERE c.auth_seq = 1 AND c.auth_chain IN (??)`, [roomId], [...cover.wants.facts]);
  for (const row of rows) {
    cover.facts.set(row.chain, { slot: slotOf(row.type, row.state_key), currentId: row.event_id ?? undefined });
    if (row.event_id !== null && row.auth_chain !== null) notePosition(cover, row.event_id, { chain: row.auth_chain, seq: row.auth_seq! });
  }
}

interface CitingSql extends SqlRow {
  target_seq: number; origin_chain: number; origin_seq: number;
}

async function loadCiting(reader: Reader, cover: RoomCover, { chain, from, limit }: { chain: number; from: number; limit: number }): Promise<void> {
  const rows = await reader.query<CitingSql>(
    'SELECT target_seq, origin_chain, origin_seq FROM auth_links WHERE target_chain = ? AND target_seq >= ? ORDER BY target_seq DESC, origin_chain DESC LIMIT ?', [chain, from, limit]);
  const links = rows.map((row): CitingLink => ({ seq: row.target_seq, by: { chain: row.origin_chain, seq: row.origin_seq } }));
  cover.citing.set(chain, { links, limit, from: rows.length < limit ? from : rows.at(-1)!.target_seq + 1 });
  for (const { by } of links) if (!cover.facts.has(by.chain)) cover.wants.facts.add(by.chain);
}

/** Most chains are short: those come whole, with one statement. */
async function loadRanges(reader: Reader, cover: RoomCover, ranges: readonly ChainRange[]): Promise<void> {
  const short = ranges.filter(({ upTo }) => upTo <= WHOLE_CHAIN_MAX).map(({ chain }) => chain);
  const rows = await reader.queryIn<PositionSql>('SELECT event_id, auth_chain, auth_seq FROM events WHERE auth_chain IN (??)', [], short);
  for (const { chain, above, upTo } of ranges) {
    if (upTo <= WHOLE_CHAIN_MAX) continue;
    rows.push(...(await reader.query<PositionSql>('SELECT event_id, auth_chain, auth_seq FROM events WHERE auth_chain = ? AND auth_seq > ? AND auth_seq <= ?', [chain, above, upTo])));
  }
  for (const row of rows) notePosition(cover, row.event_id, { chain: row.auth_chain, seq: row.auth_seq });
}

/** Brings power levels events into the graph, all that they followed, and what these cite. */
async function loadMainlines({ reader, graph, loadEvents }: CoverLoading, eventIds: readonly string[]): Promise<void> {
  const { cover } = graph;
  const chains = new Set<number>();
  for (let next = [...eventIds]; next.length > 0;) {
    await loadEvents(notIn(graph, await chainsBefore(reader, cover, { eventIds: next, chains })));
    const cited = next.flatMap((eventId) => citedBy(graph, eventId));
    await loadEvents(notIn(graph, cited));
    for (const eventId of next) cover.mainlines.add(eventId);
    next = [...new Set(cited)].filter((eventId) => !cover.mainlines.has(eventId) && isPowerLevels(graph.events.get(eventId)?.pdu));
  }
}

function notIn({ events }: RoomGraph, eventIds: readonly string[]): string[] {
  return [...new Set(eventIds)].filter((eventId) => !events.has(eventId));
}

/** The events themselves, and those before them in their chains, each chain once: most mainlines are one chain. */
async function chainsBefore(reader: Reader, cover: RoomCover, { eventIds, chains }: { eventIds: readonly string[]; chains: Set<number> }): Promise<string[]> {
  await readPositions(reader, cover, eventIds.filter((eventId) => !cover.positions.has(eventId)));
  const found = [...eventIds];
  for (const eventId of eventIds) {
    const position = cover.positions.get(eventId);
    if (position === undefined || position.seq === 1 || chains.has(position.chain)) continue;
    chains.add(position.chain);
    const rows = await reader.query<PositionSql>('SELECT event_id, auth_chain, auth_seq FROM events WHERE auth_chain = ? AND auth_seq < ?', [position.chain, position.seq]);
    for (const row of rows) notePosition(cover, row.event_id, { chain: row.auth_chain, seq: row.auth_seq });
    found.push(...rows.map((row) => row.event_id));
  }
  return found;
}

function isPowerLevels(pdu: Pdu | undefined): boolean {
  return pdu !== undefined && slotOfEvent(pdu) === POWER_LEVELS_SLOT;
}
