/** The law that nothing is left waiting: no parked input, no need, no event on its way to a server that answers. */
import type { SimServer } from '../server.ts';

/** Tables that are empty when all has come to rest, by database. */
const RESTS = { roomserver: ['parked_inputs', 'needs'], userapi: ['parked_inputs'], federationapi: ['needs'] } as const;
/** What names a row. */
const IDS = { parked_inputs: 'key', needs: 'need_id' } as const;

export async function leftWaiting(server: SimServer): Promise<string[]> {
  const broken: string[] = [];
  for (const [component, tables] of Object.entries(RESTS) as [keyof typeof RESTS, readonly (keyof typeof IDS)[]][]) {
    for (const table of tables) {
      const rows = await server.databases[component].query<{ n: number }>(`SELECT count(*) AS n FROM ${table}`);
      if (rows[0]!.n === 0) continue;
      const [first] = await server.databases[component].query<{ what: string }>(`SELECT ${IDS[table]} AS what FROM ${table} LIMIT 1`);
      broken.push(`${server.name} has ${rows[0]!.n} rows left in ${table} of ${component}: ${first!.what}`);
    }
  }
  const honest = new Set(server.world.servers.map(({ name }) => name));
  const queues = await server.databases.federationapi.query<{ destination: string; n: number }>('SELECT destination, count(*) AS n FROM destination_queue GROUP BY destination');
  for (const { destination, n } of queues) if (honest.has(destination)) broken.push(`${server.name} has ${n} events left for ${destination}`);
  return broken;
}
