/** Rooms that this server is not in, but whose members have invited its users. */
import { passesRoom } from '../filters/filter.ts';
import { isForgotten } from '../storage/memberships.ts';
import type { MembershipRow, OutsideRow } from '../storage/rows.ts';
import { currentInterval, isArchiveWanted, SECTIONS, type Section, type SyncScope } from './scope.ts';

/** Such a room in an answer. */
export interface OutsideView {
  readonly roomId: string;
  readonly section: Exclude<Section, 'join'>;
}

/**
 * The rooms of which the newest at the answer's position is what another server said; of those, which the answer shows: new ones, invites in full answers, and the ends of
 * invites as other leaves. While the room's state is on its way, with the same event in it, that is no news.
 */
export function viewOutside(scope: SyncScope, memberships: ReadonlyMap<string, readonly MembershipRow[]>, rows: readonly OutsideRow[]): { views: OutsideView[]; roomIds: Set<string> } {
  const standing = rows.filter((row) => {
    const current = currentInterval(scope, memberships.get(row.room_id) ?? []);
    const isKnown = row.sequence <= (scope.now.room[row.partition_number] ?? 0);
    return isKnown && (current === undefined || current.from_sequence < row.sequence || current.event_id === row.event_id);
  });
  return { roomIds: new Set(standing.map((row) => row.room_id)), views: standing.flatMap((row) => viewOf(scope, row) ?? []) };
}

function viewOf(scope: SyncScope, row: OutsideRow): OutsideView | undefined {
  const section = SECTIONS[row.membership];
  if (section === undefined || section === 'join' || !passesRoom(scope.filter.room, row.room_id)) return undefined;
  const isArchived = isArchiveWanted(scope) && !isForgotten(row);
  const isDue =
    scope.since === undefined
      ? section !== 'leave' || isArchived
      : row.sequence > (scope.since.room[row.partition_number] ?? 0) || (scope.fullState && section !== 'leave') || isArchived;
  return isDue ? { roomId: row.room_id, section } : undefined;
}
