/** Which other servers are in which rooms, in the tables. */
import type { Reader, SqlRow, Transaction } from '../../../pkg/storage/database.ts';

/** Joined members by server name, without those of this server. */
export type RoomHosts = Map<string, number>;

/** By room ID; a room without other servers has an empty entry. */
export async function readJoinedHosts(reader: Reader, roomIds: readonly string[]): Promise<Map<string, RoomHosts>> {
  const rooms = new Map<string, RoomHosts>(roomIds.map((roomId) => [roomId, new Map<string, number>()]));
  const rows = await reader.queryIn<SqlRow & { room_id: string; server_name: string; members: number }>(
    'SELECT room_id, server_name, members FROM joined_hosts WHERE room_id IN (??)', [], roomIds);
  for (const { room_id, server_name, members } of rows) rooms.get(room_id)?.set(server_name, members);
  return rooms;
}

/** What a batch makes of a room's hosts. */
export interface HostsChange {
  /** Its rows are deleted first. */
  readonly reset: boolean;
  /** New counts; 0: the server is no longer there. */
  readonly counts: ReadonlyMap<string, number>;
}

/** `changes`: by room ID. */
export async function writeJoinedHosts(tx: Transaction, changes: ReadonlyMap<string, HostsChange>): Promise<void> {
  const rows: [string, string, number][] = [];
  for (const [roomId, { reset, counts }] of changes) {
    if (reset) await tx.run('DELETE FROM joined_hosts WHERE room_id = ?', [roomId]);
    for (const [serverName, members] of counts) {
      if (members > 0) rows.push([roomId, serverName, members]);
      else if (!reset) await tx.run('DELETE FROM joined_hosts WHERE room_id = ? AND server_name = ?', [roomId, serverName]);
    }
  }
  if (rows.length === 0) return;
  await tx.insertMany({
    into: 'joined_hosts', columns: ['room_id', 'server_name', 'members'], rows,
    onConflict: 'ON CONFLICT (room_id, server_name) DO UPDATE SET members = excluded.members',
  });
}
