/** Invites by users whom their receiver ignores are not shown (Client-Server API, "Ignoring Users"), and none at all to who takes none ("Invite permission"). */
import { blocksInvites, INVITE_PERMISSION } from '../../../pkg/matrix/invites/invite-permission.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { IgnoredUsers } from '../visibility/ignored-users.ts';
import type { OutsideView } from './outside.ts';
import type { RoomView } from './scope.ts';

/** The views without such invites. Who ignores nobody costs nothing. */
export async function withoutIgnoredInvites(reader: Reader, views: readonly RoomView[], ignored: IgnoredUsers): Promise<readonly RoomView[]> {
  const invites = ignored.size === 0 ? [] : views.filter((view) => view.section === 'invite').map((view) => view.current.event_id);
  if (invites.length === 0) return views;
  const senders = await reader.queryIn<{ event_id: string; sender: string }>('SELECT event_id, sender FROM timeline WHERE event_id IN (??)', [], invites);
  const hidden = new Set(senders.filter((row) => ignored.has(row.sender)).map((row) => row.event_id));
  return views.filter((view) => view.section !== 'invite' || !hidden.has(view.current.event_id));
}

interface Views {
  readonly views: readonly RoomView[];
  readonly outside: readonly OutsideView[];
}

/** The views without invites, if the user takes none. Answers without invites cost nothing. */
export async function withoutBlockedInvites(reader: Reader, userId: string, { views, outside }: Views): Promise<Views> {
  const isInvite = ({ section }: { readonly section: string }): boolean => section === 'invite';
  if (!views.some(isInvite) && !outside.some(isInvite)) return { views, outside };
  const [row] = await reader.query<{ content: string }>(`SELECT content FROM account_data WHERE user_id = ? AND room_id = '' AND type = ?`, [userId, INVITE_PERMISSION]);
  if (!blocksInvites(row?.content)) return { views, outside };
  return { views: views.filter((view) => !isInvite(view)), outside: outside.filter((view) => !isInvite(view)) };
}
