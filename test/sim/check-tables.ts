/** The laws about the tables of one homeserver, looked at when it has come to rest. */
import { migrateAll } from '../../components/homeserver/migrate-all.ts';
import { readSequences } from '../../pkg/log/positions.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { noDeadLetters, sameModel, sequencesAreDense } from './checkers.ts';
import type { SimServer } from './server.ts';

const REBUILDING_MS_MAX = 300_000;

/** Rebuilds the read model beside the live one and compares both; what is broken is added to the world's violations. */
export async function checkTables(server: SimServer): Promise<void> {
  const { databases, world } = server;
  const rebuilt = { ...databases, syncapi: await openSqlite({ path: ':memory:' }) };
  await migrateAll(rebuilt, Math.floor(world.scheduler.now));
  server.startProcess('rebuild', ['syncapi'], rebuilt);
  let reached = false;
  const look = async (): Promise<void> => {
    while (!reached) {
      await world.sleep(200);
      const at = async (database: typeof databases.syncapi, consumer: string) => (await readSequences(database, consumer)).join();
      const [rooms, users] = [await at(databases.roomserver, 'roomserver'), await at(databases.userapi, 'userapi')];
      const same = await Promise.all([databases.syncapi, rebuilt.syncapi].map(async (database) =>
        (await at(database, 'syncapi.room-output')) === rooms && (await at(database, 'syncapi.user-output')) === users));
      reached = same.every(Boolean);
    }
  };
  void look();
  if (!(await world.scheduler.run(() => reached, REBUILDING_MS_MAX))) world.violations.push('the read model never reached the end of the logs');
  else world.violations.push(...(await sequencesAreDense(server)), ...(await noDeadLetters(server)), ...(await sameModel(databases.syncapi, rebuilt.syncapi)));
  reached = true;
  await rebuilt.syncapi.close();
}
