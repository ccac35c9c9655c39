import type { Reader } from '../../../pkg/storage/database.ts';
import type { EventFilter } from '../filters/filter.ts';
import { storable, type TimelineRow } from '../storage/rows.ts';
import { listOf } from './children.ts';

/** IDs of those of the events to which something relates that the filter asks for (`related_by_senders`, `related_by_rel_types`); undefined: it does not ask. One query for all of them. */
export async function relatedBy(reader: Reader, { relatedBySenders, relatedByRelTypes }: EventFilter, rows: readonly TimelineRow[]): Promise<ReadonlySet<string> | undefined> {
  if (relatedBySenders.length + relatedByRelTypes.length === 0) return undefined;
  const conditions: string[] = [];
  const values: string[] = [];
  for (const [column, wanted] of [['sender', relatedBySenders], ['rel_type', relatedByRelTypes]] as const) {
    if (wanted.length === 0) continue;
    const { list, values: padded } = listOf(wanted.map(storable));
    conditions.push(` AND r.${column} IN (${list})`);
    values.push(...padded);
  }
  const found = await reader.queryIn<{ event_id: string }>(
    `SELECT t.event_id FROM timeline t WHERE EXISTS (SELECT 1 FROM relations r WHERE r.parent_id = t.event_id AND r.room_id = t.room_id${conditions.join('')}) AND t.event_id IN (??)`,
    values, rows.map((row) => row.event_id));
  return new Set(found.map((row) => row.event_id));
}
