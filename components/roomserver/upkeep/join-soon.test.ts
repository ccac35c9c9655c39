/** Branches that have become many are joined at once, and a room that goes on branching is joined again after a while. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { createEmbeddedDriver, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations } from '../../../pkg/log/embedded/driver.ts';
import { logMigrations } from '../../../pkg/log/tables.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createRoomDriver, eventIdIn, input, KEY, PARTITIONS } from '../../../test/kit/room-driver.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import { createUpkeep } from './upkeep.ts';
import { createRoomProcessor } from '../input/processor.ts';

test('an input for each room, and for the same room after a while', async (t) => {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, 0);
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  t.after(async () => {
    await driver.close();
    await database.close();
  });
  const told: [room: string, max: number][] = [];
  await driver.subscribe('room-input', 0, 0, (packs) => {
    for (const record of packs.flatMap(({ records }) => records)) {
      const { roomId, joinBranches } = roomInputCodec.decode(record);
      told.push([roomId, joinBranches!.extremitiesMax]);
    }
    return Promise.resolve();
  });
  const upkeep = createUpkeep({ database, driver, runtime, owned: () => [0], extremitiesMax: 7 });
  upkeep.joinSoon(0, { roomId: '!a', extremities: ['$1'] });
  upkeep.joinSoon(0, { roomId: '!a', extremities: ['$2'] });
  upkeep.joinSoon(0, { roomId: '!b', extremities: ['$3'] });
  await runtime.advance(110);
  upkeep.joinSoon(0, { roomId: '!a', extremities: ['$4'] });
  await runtime.advance(10);
  assert.deepEqual(told, [['!a', 1], ['!b', 1], ['!a', 1]]);
});

test('the processor tells of a room with more branches than an event can follow', async (t) => {
  const driver = await createRoomDriver();
  t.after(() => driver.close());
  const dag = startRoom('11');
  const { partition, effects } = beginning(dag, PARTITIONS.partitions);
  await driver.begin(partition, effects);
  const base = dag.newest;
  const known = dag.accepted.slice(1);
  const branched: number[] = [];
  const processor = createRoomProcessor({
    database: driver.database, serverName: 'one.test', signingKey: KEY, typing: { set: () => undefined, forget: () => undefined },
    onBranched: (_, { extremities }) => void branched.push(extremities.length),
  });
  Object.assign(driver.processor, processor);
  const forks = Array.from({ length: 22 }, (_, index) => dag.send({ type: 'm.room.message', sender: '@bob:two.test', content: { index } }, { prev: [base] }));
  for (const eventId of [...known, ...forks]) eventIdIn(await driver.send(input(dag.roomId, { receivePdu: received(dag, eventId) })));
  assert.deepEqual(branched, [21, 22]);
});
