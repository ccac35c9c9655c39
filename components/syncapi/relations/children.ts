/** Rows of the events that relate to others, as they are read for bundles. */
import { places } from '../../../pkg/storage/dialect.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';

/** What relates to an event, as far as a bundle may tell of it. */
export type ParentRow = {
  event_id: string;
  /** The newest event that has the form of a replacement by the same sender. */
  edit_id: string | null;
  /** 1: something references it. */
  is_referenced: number | null;
  /** The relation type of the event itself. */
  own_rel_type: string | null;
  /** 1: it is redacted. */
  is_redacted: number | null;
  /** Of the thread that it is the root of; null: of none. */
  event_count: number | null;
  restricted_count: number | null;
  latest_id: string | null;
  /** Of a thread with restricted events: sequence number of its first one, 0 for history. */
  first_sequence: number | null;
  /** 1: the reader has sent an event of the thread. */
  has_taken_part: number | null;
};

/** An event of the timeline with what its relation says. */
export type ChildRow = TimelineRow & { parent_id: string; is_edit: number; sent_at: number };

/** What relates to these events of the timeline; those to which nothing does are left out. A bounded number of index look-ups an event, however much relates to it. */
export function readParents(reader: Reader, eventIds: readonly string[], userId: string): Promise<ParentRow[]> {
  return reader.queryIn<ParentRow>(
    `SELECT p.event_id, h.event_count, h.restricted_count,
       (SELECT e.child_id FROM relations e WHERE e.parent_id = p.event_id AND e.room_id = p.room_id AND e.sender = p.sender AND e.type = p.type AND e.is_edit = 1
          ORDER BY e.sent_at DESC, e.child_id DESC LIMIT 1) AS edit_id,
       (SELECT 1 FROM relations f WHERE f.parent_id = p.event_id AND f.room_id = p.room_id AND f.rel_type = 'm.reference' LIMIT 1) AS is_referenced,
       (SELECT o.rel_type FROM relations o WHERE o.child_id = p.event_id) AS own_rel_type,
       (SELECT 1 FROM redactions d WHERE d.event_id = p.event_id) AS is_redacted,
       (SELECT l.event_id FROM timeline l WHERE l.room_id = h.room_id AND l.order_key = h.latest_key) AS latest_id,
       CASE WHEN h.restricted_count > 0 THEN (SELECT CASE WHEN t.order_key > 0 THEN t.sequence ELSE 0 END
          FROM relations b JOIN timeline t ON t.room_id = b.room_id AND t.order_key = b.order_key
          WHERE b.parent_id = p.event_id AND b.room_id = p.room_id AND b.rel_type = 'm.thread' ORDER BY b.order_key LIMIT 1) END AS first_sequence,
       (SELECT 1 FROM relations m WHERE m.parent_id = h.root_id AND m.room_id = h.room_id AND m.sender = ? AND m.rel_type = 'm.thread' LIMIT 1) AS has_taken_part
     FROM timeline p LEFT JOIN threads h ON h.root_id = p.event_id AND h.room_id = p.room_id
     WHERE p.event_id IN (??) AND EXISTS (SELECT 1 FROM relations r WHERE r.parent_id = p.event_id AND r.room_id = p.room_id)`,
    [userId], eventIds);
}

/** Events of each parent that are read at most. */
export const CHILDREN_MAX = 100;

/** The newest events that relate so to each of these events of the timeline, newest first, at most `CHILDREN_MAX` each. */
export async function newestChildren(reader: Reader, relType: 'm.thread' | 'm.replace' | 'm.reference', parentIds: readonly string[]): Promise<Map<string, ChildRow[]>> {
  const children = new Map<string, ChildRow[]>();
  if (parentIds.length === 0) return children;
  const rows = await reader.queryIn<ChildRow>(
    `WITH parents AS MATERIALIZED (
       SELECT p.event_id, p.room_id, COALESCE((SELECT x.order_key FROM relations x WHERE x.parent_id = p.event_id AND x.room_id = p.room_id AND x.rel_type = '${relType}'
         ORDER BY x.order_key DESC LIMIT 1 OFFSET ${CHILDREN_MAX - 1}), -9007199254740991) AS lowest FROM timeline p WHERE p.event_id IN (??))
     SELECT ${TIMELINE_COLUMNS}, r.parent_id, r.is_edit, r.sent_at FROM parents q
       JOIN relations r ON r.parent_id = q.event_id AND r.room_id = q.room_id AND r.rel_type = '${relType}' AND r.order_key >= q.lowest
       JOIN timeline t ON t.room_id = r.room_id AND t.order_key = r.order_key`,
    [], parentIds);
  for (const row of rows.toSorted((a, b) => b.order_key - a.order_key)) children.set(row.parent_id, [...(children.get(row.parent_id) ?? []), row]);
  return children;
}

/** Senders that one question asks for. */
const SENDERS_MAX = 1024;

/** By thread root: how many events of the thread these users have sent. */
export async function countOfSenders(reader: Reader, rootIds: readonly string[], senders: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let from = 0; from < senders.length; from += SENDERS_MAX) {
    const { list, values } = listOf(senders.slice(from, from + SENDERS_MAX));
    const rows = await reader.queryIn<{ root_id: string; events: number }>(
      `SELECT h.root_id, (SELECT COUNT(*) FROM relations r WHERE r.parent_id = h.root_id AND r.room_id = h.room_id AND r.sender IN (${list}) AND r.rel_type = 'm.thread') AS events
       FROM threads h JOIN timeline p ON p.event_id = h.root_id AND p.room_id = h.room_id WHERE h.root_id IN (??)`,
      values, rootIds);
    for (const row of rows) counts.set(row.root_id, (counts.get(row.root_id) ?? 0) + row.events);
  }
  return counts;
}

/** Places for these values, at least one, in a power of two, so that there are few texts; what is left over repeats the last one. */
export function listOf(values: readonly string[]): { list: string; values: string[] } {
  const width = 2 ** Math.ceil(Math.log2(values.length));
  return { list: places(width), values: [...values, ...Array<string>(width - values.length).fill(values.at(-1)!)] };
}
