/** Invites by users whom their receiver ignores are not shown (Client-Server API, "Ignoring Users"). */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { IgnoredUsers } from '../visibility/ignored-users.ts';
import type { RoomView } from './scope.ts';

/** The views without such invites. Who ignores nobody costs nothing. */
export async function withoutIgnoredInvites(reader: Reader, views: readonly RoomView[], ignored: IgnoredUsers): Promise<readonly RoomView[]> {
  const invites = ignored.size === 0 ? [] : views.filter((view) => view.section === 'invite').map((view) => view.current.event_id);
  if (invites.length === 0) return views;
  const senders = await reader.queryIn<{ event_id: string; sender: string }>('SELECT event_id, sender FROM timeline WHERE event_id IN (??)', [], invites);
  const hidden = new Set(senders.filter((row) => ignored.has(row.sender)).map((row) => row.event_id));
  return views.filter((view) => view.section !== 'invite' || !hidden.has(view.current.event_id));
}
