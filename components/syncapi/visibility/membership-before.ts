import type { RoomHistoryQuery } from '../../../schemas/ports/room-query.ts';
import type { SeenRow, TimelineRow } from '../storage/rows.ts';

/** The owner's answer about the past, which no interval gives. */
export type PastQuery = Pick<RoomHistoryQuery, 'membershipsAt'>;

/** The rows, those that were sent into another state than the intervals tell of with what the user was there. One question for all of them, none where there are none. */
export async function withMembershipBefore(past: PastQuery, rows: readonly TimelineRow[], userId: string): Promise<readonly SeenRow[]> {
  const elsewhere = rows.filter((row) => row.state_before_differs === 1).map((row) => row.event_id);
  if (elsewhere.length === 0) return rows;
  const memberships = await past.membershipsAt(userId, elsewhere, 'before');
  return rows.map((row) => (row.state_before_differs === 1 ? { ...row, membership_before: memberships.get(row.event_id) ?? 'leave' } : row));
}
