/** Whom a user ignores (Client-Server API, "Ignoring Users"): what such users send is not shown, but for state. */
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';

export type IgnoredUsers = ReadonlySet<string>;

const LISTS = { sql: `SELECT user_id, content FROM account_data WHERE room_id = '' AND type = 'm.ignored_user_list' AND user_id IN (??)`, by: 'user_id' };

export const NOBODY: IgnoredUsers = new Set<string>();

/** The users on the list as it is now, whatever the client has seen of it: "immediately" is the spec's word. */
export async function ignoredUsers(reader: Reader, userId: string): Promise<IgnoredUsers> {
  const rows = await gatherIn<{ user_id: string; content: string }>(reader, LISTS, [userId]);
  return rows[0] === undefined ? NOBODY : usersOnList(rows[0].content, userId);
}

/** The users that the content of an m.ignored_user_list event names; nobody where it has not the form. Nobody can ignore themselves. */
export function usersOnList(content: string, ownUserId: string): IgnoredUsers {
  const { ignored_users: list } = JSON.parse(content) as { ignored_users?: unknown };
  return isJsonObject(list) ? new Set(Object.keys(list).filter((userId) => userId !== ownUserId)) : NOBODY;
}

/** Whether the event is kept from a user who ignores `ignored`. */
export function isIgnored(event: { readonly sender: string; readonly state_key: string | null }, ignored: IgnoredUsers): boolean {
  return event.state_key === null && ignored.has(event.sender);
}
