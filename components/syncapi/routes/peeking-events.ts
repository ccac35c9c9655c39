/** GET /events?room_id=: new events of one room, for members and, where the world may read it, for everybody (Client-Server API, "Room Previews"). */
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { renderPage } from '../history/render-page.ts';
import { TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { sequenceAtToken } from '../sync/page-place.ts';
import { placeUnder, positionNow } from '../sync/positions.ts';
import type { Look } from '../sync/wait.ts';
import { decodeSyncToken, encodeSyncToken, isSyncToken, type SyncPosition } from '../token/sync-token.ts';
import { ignoredUsers, isIgnored } from '../visibility/ignored-users.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { readingRights } from '../visibility/reading-rights.ts';
import { isVisible } from '../visibility/visibility.ts';

/** Events that one answer goes on by. */
const EVENTS_MAX = 100;

interface Stream extends Look {
  readonly chunk: readonly string[];
  /** Where to go on from. */
  readonly end: string;
}

/** Looks for what happened in the room since `from`, a token of /sync, /events, or of the room's pages. Rejects with 403 for who may not read it, 400 for what is no token. */
export async function peekEvents(deps: ReadDeps, requester: Requester, { roomId, from }: { roomId: string; from: string }): Promise<() => Promise<Stream>> {
  const { userId } = requester;
  const { room } = await readingRights(deps.database, roomId, userId);
  const partition = room.partition_number;
  const since = isSyncToken(from) ? placeUnder(deps, decodeSyncToken(from)) : placeAt(positionNow(deps, undefined), partition, await sequenceAtToken(deps, room, from));
  const after = since.room[partition] ?? 0;
  return async () => {
    // Asked at each look: they may have changed while it waited.
    const { intervals } = await readingRights(deps.database, roomId, userId);
    const now = positionNow(deps, since);
    const upTo = now.room[partition] ?? 0;
    const found = await deps.database.query<TimelineRow>(
      `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.room_id = ? AND t.sequence > ? AND t.sequence <= ? AND t.order_key > 0 ORDER BY t.sequence LIMIT ?`,
      [roomId, after, upTo, EVENTS_MAX],
    );
    const ignored = await ignoredUsers(deps.database, userId);
    const seen = await withMembershipBefore(deps.roomHistoryQuery, found, userId);
    const chunk = await renderPage(deps, { ...requester, intervals }, seen.filter((row) => isVisible(row, userId, intervals) && !isIgnored(row, ignored)));
    const last = found.length < EVENTS_MAX ? undefined : found.at(-1);
    const end = last === undefined ? now : placeAt(now, partition, last.sequence);
    return { chunk, end: encodeSyncToken(end), empty: chunk.length === 0 && last === undefined, watched: [roomId] };
  };
}

/** The position, but in one partition of the rooms. */
function placeAt(position: SyncPosition, partition: number, sequence: number): SyncPosition {
  const room = Array.from({ length: Math.max(position.room.length, partition + 1) }, (_, at) => (at === partition ? sequence : (position.room[at] ?? 0)));
  return { ...position, room };
}
