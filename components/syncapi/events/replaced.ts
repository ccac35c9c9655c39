/** State events that were replaced: their content stands beside that of their successor (`unsigned.prev_content`), for readers who may see them. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';
import { isErasedFor } from '../visibility/erased.ts';
import { withMembershipBefore, type PastQuery } from '../visibility/membership-before.ts';
import { isVisible, type MembershipInterval } from '../visibility/visibility.ts';

export interface ReplacedReader {
  readonly userId: string;
  readonly past: PastQuery;
  /** All that the user ever was in the room, in order. */
  readonly intervals: (roomId: string) => readonly MembershipInterval[];
}

/** IDs of events that `rows` replaced and that the user may see. One that is in no timeline came with the state by which the server entered the room: members may see it. */
export async function visibleReplaced(reader: Reader, rows: readonly TimelineRow[], { userId, past, intervals }: ReplacedReader): Promise<string[]> {
  const replaced = [...new Set(rows.map((row) => row.replaces).filter((eventId) => eventId !== ''))];
  if (replaced.length === 0) return [];
  const found = await reader.queryIn<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id IN (??)`, [], replaced);
  const seen = await withMembershipBefore(past, found, userId);
  const hidden = new Set(seen.filter((row) => !isVisible(row, userId, intervals(row.room_id)) || isErasedFor(row, userId, intervals(row.room_id))).map((row) => row.event_id));
  return replaced.filter((eventId) => !hidden.has(eventId));
}
