import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { writeOutbox } from './outbox.ts';
import { logMigrations } from './tables.ts';
import { createTrimmer } from './trimmer.ts';

async function scene() {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  const passed = [0, 0];
  const trimmer = createTrimmer({ consumer: 'owner', outputLog: 'room-output', database, runtime, outputReaders: [async () => passed] });
  const heads = [0, 0];
  const task = runtime.tasks.spawn('trim', (signal) => trimmer.run(signal));
  return {
    runtime, passed,
    async write(partition: number, records: number) {
      const rows = Array.from({ length: records }, (_, index) => ({ partition, envelope: { sequence: heads[partition]! + index + 1, epoch: 1, record: new Uint8Array(1) } }));
      heads[partition] = heads[partition]! + records;
      await database.transaction(async (tx) => {
        await writeOutbox(tx, 'room-output', rows);
        await tx.run('DELETE FROM positions');
        await tx.insertMany({
          into: 'positions', columns: ['consumer', 'partition', 'epoch', 'transport', 'position', 'sequence', 'relayed', 'commits'],
          rows: heads.map((head, index) => ['owner', index, 1, '', 0, head, head, 1]),
        });
      });
      trimmer.note(partition, records);
    },
    async left() {
      const rows = await database.query<{ partition: number; n: number }>('SELECT partition, count(*) AS n FROM outbox GROUP BY partition ORDER BY partition');
      return rows.map(({ n }) => n);
    },
    async close() {
      await task.stop();
      await database.close();
    },
  };
}

test('much output is trimmed at once, where it is, and as far as all have read; the rest within a minute or two', async () => {
  const world = await scene();
  await world.write(0, 400);
  await world.write(0, 1600);
  world.passed[0] = 900;
  await world.runtime.advance(1000);
  assert.deepEqual(await world.left(), [1100], 'what is not read is kept');
  world.passed.splice(0, 2, 2000, 1400);
  await world.write(1, 1400);
  await world.runtime.advance(1000);
  assert.deepEqual(await world.left(), [1100, 1000], 'what nobody has written to can wait, and the newest are kept');
  await world.runtime.advance(120_000);
  assert.deepEqual(await world.left(), [1000, 1000]);
  await world.close();
});
