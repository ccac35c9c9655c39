/** Events by which servers join the branches of a room's graph: other servers have them like any other (`agreement.ts`), and no client is shown one. */
import type { SimClient } from '../client.ts';
import type { FederatedWorld } from './federated-world.ts';

const TYPE = 'org.matrix.dummy_event';

export function jointsSeen(clients: readonly SimClient[]): string[] {
  return clients.flatMap(({ userId, seen }) => [...seen.values()].flat().filter((event) => event.type === TYPE).map((event) => `${userId} was shown ${event.event_id}, which only joins branches`));
}

/** How many the servers have made. */
export async function countJoints({ world }: FederatedWorld): Promise<number> {
  const ids = new Set<string>();
  for (const { databases: { roomserver } } of world.servers) {
    for (const row of await roomserver.query<{ event_id: string }>('SELECT event_id FROM events WHERE type = ? AND order_key IS NULL AND sequence IS NOT NULL', [TYPE])) ids.add(row.event_id);
  }
  return ids.size;
}
