/** The events that relate to one, directly or by way of others, page by page in the order of the timeline. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { storable, TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';
import { boundaryBehind, type CollectQuestion, type Source } from './collect.ts';

export interface RelatedQuestion extends CollectQuestion {
  readonly roomId: string;
  readonly parentId: string;
  /** Only such relations; undefined: all. */
  readonly relType: string | undefined;
  /** Only such events; undefined: all. */
  readonly eventType: string | undefined;
}

/** How many relations lead from an event to what is told of with it, at most. */
export const RECURSION_DEPTH = 3;
/** Trees of up to so many events are read whole; of larger ones, the relations of the room are gone through by their place in the timeline. */
const TREE_EVENTS_MAX = 500;
const SCAN_ROWS = 500;

/** Whether an event passes the filters. Event types are not compared by the database: what does not match would be gone through without bound. */
function passesFilters({ relType, eventType }: RelatedQuestion, row: { rel_type: string; type: string }): boolean {
  return (relType === undefined || row.rel_type === storable(relType)) && (eventType === undefined || row.type === storable(eventType));
}

/** What relates to the parent itself. */
export function directSource(reader: Reader, question: RelatedQuestion): Source {
  const { relType, eventType, backwards, parentId, roomId } = question;
  const count = eventType === undefined ? question.limit + 1 : SCAN_ROWS;
  const [beyond, direction] = backwards ? ['<=', 'DESC'] : ['>', 'ASC'];
  const sql = `SELECT ${TIMELINE_COLUMNS}, r.rel_type FROM relations r JOIN timeline t ON t.room_id = r.room_id AND t.order_key = r.order_key
    WHERE r.parent_id = ? AND r.room_id = ?${relType === undefined ? '' : ' AND r.rel_type = ?'} AND r.order_key ${beyond} ? ORDER BY r.order_key ${direction} LIMIT ?`;
  return async (boundary) => {
    const rows = await reader.query<TimelineRow & { rel_type: string }>(sql, [parentId, roomId, ...(relType === undefined ? [] : [storable(relType)]), boundary, count]);
    return { rows: rows.filter((row) => passesFilters(question, row)), upTo: rows.length < count ? undefined : boundaryBehind(question, rows.at(-1)!.order_key) };
  };
}

type TreeRow = { child_id: string; parent_id: string; room_id: string; order_key: number; rel_type: string; type: string };
const TREE_COLUMNS = 'r.child_id, r.parent_id, r.room_id, r.order_key, r.rel_type, r.type';

/** What relates to the parent by way of up to `RECURSION_DEPTH` relations, all of which pass the filters. */
export async function recursiveSource(reader: Reader, question: RelatedQuestion): Promise<Source> {
  const tree = await readTree(reader, question);
  if (tree === undefined) return scanSource(reader, question);
  const places = tree.toSorted((a, b) => (question.backwards ? b.order_key - a.order_key : a.order_key - b.order_key));
  return async (boundary) => {
    const beyond = places.filter(({ order_key: key }) => (question.backwards ? key <= boundary : key > boundary));
    return readPlaces(reader, question, { places: beyond, upTo: undefined });
  };
}

/** All of it; undefined: it is too much. */
async function readTree(reader: Reader, question: RelatedQuestion): Promise<TreeRow[] | undefined> {
  const known = new Set([question.parentId]);
  const tree: TreeRow[] = [];
  let level = [question.parentId];
  for (let depth = 0; depth < RECURSION_DEPTH && level.length > 0; depth += 1) {
    const rows = await reader.queryIn<TreeRow>(`SELECT ${TREE_COLUMNS} FROM relations r WHERE r.room_id = ? AND r.parent_id IN (??) LIMIT ${TREE_EVENTS_MAX + 1}`, [question.roomId], level);
    if (rows.length > TREE_EVENTS_MAX) return undefined;
    const added = rows.filter((row) => !known.has(row.child_id) && passesFilters(question, row));
    for (const { child_id: childId } of added) known.add(childId);
    tree.push(...added);
    if (tree.length > TREE_EVENTS_MAX) return undefined;
    level = added.map(({ child_id: childId }) => childId);
  }
  return tree;
}

/** Goes through all relations of the room, and keeps those that lead to the parent. */
function scanSource(reader: Reader, question: RelatedQuestion): Source {
  const [beyond, direction] = question.backwards ? ['<=', 'DESC'] : ['>', 'ASC'];
  const sql = `SELECT ${TREE_COLUMNS} FROM relations r WHERE r.room_id = ? AND r.order_key ${beyond} ? ORDER BY r.order_key ${direction} LIMIT ${SCAN_ROWS}`;
  return async (boundary) => {
    const scanned = await reader.query<TreeRow>(sql, [question.roomId, boundary]);
    const places = await descendants(reader, question, scanned.filter((row) => passesFilters(question, row)));
    return readPlaces(reader, question, { places, upTo: scanned.length < SCAN_ROWS ? undefined : boundaryBehind(question, scanned.at(-1)!.order_key) });
  };
}

async function descendants(reader: Reader, question: RelatedQuestion, rows: readonly TreeRow[]): Promise<TreeRow[]> {
  const parentOf = new Map<string, string>();
  // Of each row, the farthest event that is known to be on its way up; empty: the way ends elsewhere.
  let above = new Map(rows.map((row) => [row.child_id, row.parent_id]));
  for (let depth = 1; depth < RECURSION_DEPTH; depth += 1) {
    const unknown = new Set([...above.values()].filter((eventId) => eventId !== '' && eventId !== question.parentId && !parentOf.has(eventId)));
    // Not by the room too: a database may go through all of it.
    const found = await reader.queryIn<TreeRow>(`SELECT ${TREE_COLUMNS} FROM relations r WHERE r.child_id IN (??)`, [], [...unknown]);
    for (const row of found) if (row.room_id === question.roomId && passesFilters(question, row)) parentOf.set(row.child_id, row.parent_id);
    above = new Map([...above].map(([childId, eventId]) => [childId, eventId === question.parentId ? eventId : (parentOf.get(eventId) ?? '')]));
  }
  return rows.filter((row) => above.get(row.child_id) === question.parentId && row.child_id !== question.parentId);
}

/** The rows of the first of these places: more than a page needs are not read. */
async function readPlaces(reader: Reader, question: RelatedQuestion, { places, upTo }: { places: readonly TreeRow[]; upTo: number | undefined }): ReturnType<Source> {
  const wanted = places.slice(0, question.limit + 1);
  const found = wanted.length === 0 ? [] : await reader.queryIn<TimelineRow>(
    `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id IN (??)`, [], wanted.map(({ child_id: childId }) => childId));
  const rows = found.toSorted((a, b) => (question.backwards ? b.order_key - a.order_key : a.order_key - b.order_key));
  return { rows, upTo: wanted.length === places.length ? upTo : boundaryBehind(question, wanted.at(-1)!.order_key) };
}
