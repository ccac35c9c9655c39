import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createManualRuntime } from '../../test/kit/manual-runtime.ts';
import type { Applied } from '../../schemas/log/envelope.ts';
import { migrate } from '../storage/migrate.ts';
import { openSqlite } from '../storage/sqlite/open.ts';
import { createAppliedPositions } from './applied-positions.ts';
import { appliedCodec } from './codec.ts';
import type { LogDriver } from './log.ts';
import { logMigrations } from './tables.ts';

const ROOM = '!r:one.test';

/** Positions of a process that applies nothing itself. `apply` is another process's commit; `signal` is what reaches this one of it. */
async function stand(t: TestContext, { hasFollowers = true } = {}) {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  let receive: (value: Uint8Array) => void = () => undefined;
  const driver = { listen: async (_channel: string, listener: typeof receive) => ((receive = listener), { close: async () => undefined }) } as unknown as LogDriver;
  const positions = await createAppliedPositions({ consumer: 'syncapi', logs: ['room-output'], database, driver, runtime, exclusive: false, hasFollowers });
  t.after(async () => {
    await positions.close();
    await database.close();
  });
  const woken: Pick<Applied, 'rooms' | 'users'>[] = [];
  positions.onApplied(({ rooms, users }) => woken.push({ rooms, users }));
  const apply = (sequence: number): Promise<unknown> => database.transaction((tx) => tx.insertMany({
    into: 'positions', columns: ['consumer', 'partition', 'epoch', 'transport', 'position', 'sequence', 'relayed'], rows: [['syncapi.room-output', 0, 1, '', 0, sequence, 0]],
    onConflict: 'ON CONFLICT (consumer, partition) DO UPDATE SET sequence = excluded.sequence',
  }));
  const signal = (after: number, sequence: number): void => receive(appliedCodec.encode({ log: 'room-output', partition: 0, sequence, after, rooms: [ROOM], users: [] }));
  const signalOf = (applied: Partial<Applied>): void => receive(appliedCodec.encode({ log: 'room-output', partition: 0, sequence: 1, after: 0, rooms: [ROOM], users: [], ...applied }));
  return { runtime, positions, apply, signal, signalOf, woken };
}

test('one signal advances all partitions of a batch, and each has what the batch has changed', async (t) => {
  const { positions, signalOf, woken } = await stand(t);
  const waiting = positions.waitFor('room-output', 2, 7, 5000);
  signalOf({ sequence: 5, more: [{ partition: 2, sequence: 7, after: 0 }, { partition: 1, sequence: 3, after: 2 }] });
  assert.deepEqual(positions.vector('room-output'), [5, 3, 7]);
  assert.deepEqual(woken, [{ rooms: [ROOM], users: [] }, { rooms: [ROOM], users: [] }, { rooms: [], users: [] }], 'the last one follows on one that was lost');
  assert.equal(await waiting, true);
});

test('a signal wakes those whom it names; one that comes after a lost one wakes everybody', async (t) => {
  const { positions, signal, woken } = await stand(t);
  signal(0, 1);
  signal(1, 3);
  signal(4, 5);
  assert.deepEqual(woken, [{ rooms: [ROOM], users: [] }, { rooms: [ROOM], users: [] }, { rooms: [], users: [] }]);
  assert.deepEqual(positions.vector('room-output'), [5]);
  signal(1, 3);
  assert.equal(woken.length, 3, 'old news');
});

test('when every signal is lost, a look from time to time wakes everybody', async (t) => {
  const { runtime, positions, apply, woken } = await stand(t);
  await apply(7);
  await runtime.advance(2500);
  assert.deepEqual([positions.vector('room-output'), woken], [[7], [{ rooms: [], users: [] }]]);
  await runtime.advance(10_000);
  assert.equal(woken.length, 1, 'nothing new');
});

test('after a refresh the vector holds what was applied before it was asked for, also when another one was under way', async (t) => {
  const { positions, apply } = await stand(t);
  const before = positions.refresh();
  await apply(7);
  const after = positions.refresh();
  const together = positions.refresh();
  await Promise.all([before, after, together]);
  assert.deepEqual(positions.vector('room-output'), [7]);
});

test('a process without followers hears of nothing, and whoever waits in it is told by the tables', async (t) => {
  const { runtime, positions, apply, signal, woken } = await stand(t, { hasFollowers: false });
  await apply(6);
  signal(0, 6);
  await runtime.advance(3000);
  assert.deepEqual([positions.vector('room-output'), woken], [[], []]);
  const waiting = positions.waitFor('room-output', 0, 7, 5000);
  await runtime.advance(200);
  await apply(7);
  await runtime.advance(100);
  assert.equal(await waiting, true);
  const late = positions.waitFor('room-output', 0, 8, 300);
  await runtime.advance(400);
  assert.equal(await late, false);
});
