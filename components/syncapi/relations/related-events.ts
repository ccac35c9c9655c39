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

/** The filters as conditions on `relations r`, and their values. */
function filtersOf({ relType, eventType }: Pick<RelatedQuestion, 'relType' | 'eventType'>): { where: string; values: string[] } {
  const where = `${relType === undefined ? '' : ' AND r.rel_type = ?'}${eventType === undefined ? '' : ' AND r.type = ?'}`;
  return { where, values: [relType, eventType].flatMap((value) => (value === undefined ? [] : [storable(value)])) };
}

/** What relates to the parent itself. */
export function directSource(reader: Reader, question: RelatedQuestion): Source {
  const { where, values } = filtersOf(question);
  const count = question.limit + 1;
  const [beyond, direction] = question.backwards ? ['<=', 'DESC'] : ['>', 'ASC'];
  const sql = `SELECT ${TIMELINE_COLUMNS} FROM relations r JOIN timeline t ON t.room_id = r.room_id AND t.order_key = r.order_key
    WHERE r.parent_id = ? AND r.room_id = ?${where} AND r.order_key ${beyond} ? ORDER BY r.order_key ${direction} LIMIT ?`;
  return async (boundary) => {
    const rows = await reader.query<TimelineRow>(sql, [question.parentId, question.roomId, ...values, boundary, count]);
    return { rows, upTo: rows.length < count ? undefined : boundaryBehind(question, rows.at(-1)!.order_key) };
  };
}

type TreeRow = { child_id: string; parent_id: string; order_key: number };

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
  const { where, values } = filtersOf(question);
  const known = new Set([question.parentId]);
  const tree: TreeRow[] = [];
  let level = [question.parentId];
  for (let depth = 0; depth < RECURSION_DEPTH && level.length > 0; depth += 1) {
    const rows = await reader.queryIn<TreeRow>(
      `SELECT r.child_id, r.parent_id, r.order_key FROM relations r WHERE r.room_id = ?${where} AND r.parent_id IN (??) LIMIT ${TREE_EVENTS_MAX + 1}`, [question.roomId, ...values], level);
    const added = rows.filter(({ child_id: childId }) => !known.has(childId));
    for (const { child_id: childId } of added) known.add(childId);
    tree.push(...added);
    if (rows.length > TREE_EVENTS_MAX || tree.length > TREE_EVENTS_MAX) return undefined;
    level = added.map(({ child_id: childId }) => childId);
  }
  return tree;
}

/** Goes through all relations of the room, and keeps those that lead to the parent. */
function scanSource(reader: Reader, question: RelatedQuestion): Source {
  const { where, values } = filtersOf(question);
  const [beyond, direction] = question.backwards ? ['<=', 'DESC'] : ['>', 'ASC'];
  const sql = `SELECT r.child_id, r.parent_id, r.order_key FROM relations r WHERE r.room_id = ?${where} AND r.order_key ${beyond} ? ORDER BY r.order_key ${direction} LIMIT ${SCAN_ROWS}`;
  return async (boundary) => {
    const scanned = await reader.query<TreeRow>(sql, [question.roomId, ...values, boundary]);
    const places = await descendants(reader, question, scanned);
    return readPlaces(reader, question, { places, upTo: scanned.length < SCAN_ROWS ? undefined : boundaryBehind(question, scanned.at(-1)!.order_key) });
  };
}

async function descendants(reader: Reader, question: RelatedQuestion, rows: readonly TreeRow[]): Promise<TreeRow[]> {
  const { where, values } = filtersOf(question);
  const parentOf = new Map<string, string>();
  // Of each row, the farthest event that is known to be on its way up; empty: the way ends elsewhere.
  let above = new Map(rows.map((row) => [row.child_id, row.parent_id]));
  for (let depth = 1; depth < RECURSION_DEPTH; depth += 1) {
    const unknown = new Set([...above.values()].filter((eventId) => eventId !== '' && eventId !== question.parentId && !parentOf.has(eventId)));
    const found = await reader.queryIn<TreeRow>(`SELECT r.child_id, r.parent_id, r.order_key FROM relations r WHERE r.room_id = ?${where} AND r.child_id IN (??)`, [question.roomId, ...values], [...unknown]);
    for (const row of found) parentOf.set(row.child_id, row.parent_id);
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
