/** Aliases of this server, and the servers that are told with them. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { readAliases } from '../aliases/alias-row.ts';
import { isStorable } from './stored-event.ts';

/** Members that are looked at for their servers. */
const MEMBERS_MAX = 2000;

export function aliasQuery(reader: Reader): Pick<RoomQuery, 'alias' | 'aliasesOf' | 'someServers'> {
  return {
    async alias(alias) {
      const [row] = isStorable(alias) ? await readAliases(reader, [alias]) : [];
      return row?.roomExists === true ? { roomId: row.roomId, creator: row.creator } : undefined;
    },
    async aliasesOf(roomId) {
      if (!isStorable(roomId)) return [];
      const rows = await reader.query<{ alias: string }>('SELECT a.alias FROM aliases a JOIN rooms r ON r.room_id = a.room_id WHERE a.room_id = ? ORDER BY a.alias', [roomId]);
      return rows.map((row) => row.alias);
    },
    async someServers(roomId, limit) {
      if (!isStorable(roomId)) return [];
      const rows = await reader.query<{ state_key: string }>(
        "SELECT state_key FROM current_state WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join' LIMIT ?", [roomId, MEMBERS_MAX]);
      return [...new Set(rows.map((row) => domainOf(row.state_key)))].sort().slice(0, limit);
    },
  };
}
