/** The law that what the federationapi knows about the servers in a room is what the room's state says. */
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { SimServer } from '../server.ts';
import type { SharedRoom } from './story.ts';

export async function wrongHosts(server: SimServer, { roomId }: SharedRoom): Promise<string[]> {
  const members = await server.databases.roomserver.query<{ state_key: string }>(`SELECT state_key FROM current_state WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join'`, [roomId]);
  const counts = new Map<string, number>();
  for (const { state_key: userId } of members) counts.set(domainOf(userId), (counts.get(domainOf(userId)) ?? 0) + 1);
  counts.delete(server.name);
  const rows = await server.databases.federationapi.query<{ server_name: string; members: number }>('SELECT server_name, members FROM joined_hosts WHERE room_id = ?', [roomId]);
  const say = (entries: Iterable<[string, number]>): string => [...entries].map(([name, count]) => `${count} of ${name}`).sort().join(', ');
  const [expected, found] = [say(counts), say(rows.map((row) => [row.server_name, row.members]))];
  return expected === found ? [] : [`${server.name} counts in ${roomId} ${found || 'nobody'}; joined are ${expected || 'none'}`];
}
