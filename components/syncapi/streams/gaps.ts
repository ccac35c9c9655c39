/** What of a room's news its timeline cannot show. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { RoomView } from '../sync/scope.ts';

export interface GappyView extends RoomView {
  /** The state may have changed, since what the client has, by what is in no timeline. */
  readonly hidden: boolean;
  /** Events that the client does not have were purged. */
  readonly purged: boolean;
}

type RoomGaps = { room_id: string; hidden_sequence: number; purged_sequence: number };

/** The same views, in one query; who has nothing of a room misses nothing. */
export async function withGaps(reader: Reader, views: readonly RoomView[]): Promise<GappyView[]> {
  const known = views.filter((view) => view.lower > 0).map((view) => view.roomId);
  const rows = known.length === 0 ? [] : await reader.queryIn<RoomGaps>(
    'SELECT room_id, hidden_sequence, purged_sequence FROM rooms WHERE (hidden_sequence > 0 OR purged_sequence > 0) AND room_id IN (??)', [], known);
  const gaps = new Map(rows.map((row) => [row.room_id, row]));
  return views.map((view) => {
    const room = gaps.get(view.roomId);
    const misses = (sequence: number | undefined): boolean => view.lower > 0 && (sequence ?? 0) > view.lower;
    return { ...view, hidden: misses(room?.hidden_sequence), purged: misses(room?.purged_sequence) };
  });
}
