/** The tables of what the roomserver needs of other servers, and of staged states, on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { federationapiMigrations, stagedState } from '../../../components/federationapi/index.ts';
import { beginAttempt, deleteNeed, deleteOverdueNeeds, insertNeeds, readOverdueNeeds, readWaitingNeeds, type NewNeed } from '../../../components/federationapi/storage/needs.ts';
import { beginStage, deleteOldStage, finishStage, readFinishedStage, StageLost, writeStage, type StageRow } from '../../../components/federationapi/storage/stages.ts';
import type { Database, SqlRow, SqlValue } from '../../../pkg/storage/database.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { createManualRuntime } from '../../kit/manual-runtime.ts';
import { onEachBackend } from './backends.ts';

onEachBackend('needs and staged states', (backend) => {
  async function tables(): Promise<Database> {
    const database = await backend.open();
    await migrate(database, 'federationapi', federationapiMigrations, 0);
    return database;
  }

  const need = (needId: string, more: Partial<NewNeed> = {}): NewNeed => ({ needId, partition: 0, roomId: '!r', destination: 'a', deadlineMs: 100, record: new Uint8Array([1, 2]), ...more });
  const waiting = async (database: Database, partitions: readonly number[], nowMs = 0) => (await readWaitingNeeds(database, partitions, nowMs)).map((row) => row.need_id);

  test('needs of one server hide none of another, nor do other partitions', async () => {
    const database = await tables();
    const many = Array.from({ length: 700 }, (_, index) => need(`a${String(index).padStart(3, '0')}`));
    await database.transaction((tx) => insertNeeds(tx, [...many, need('b', { destination: 'b', deadlineMs: 200 }), need('c', { partition: 1 }), need('d', { destination: 'd', deadlineMs: 50 })]));
    const seen = await waiting(database, [0]);
    assert.deepEqual([seen.length, seen.slice(0, 4), seen.at(-1)], [14, ['d', 'a000', 'b', 'a001'], 'a011'], 'the first of each server come first');
    assert.deepEqual([await waiting(database, [1]), await waiting(database, []), await waiting(database, [0, 1], 150)], [['c'], [], ['b']]);
  });

  test('a need is there once, counts its attempts, and goes when it is answered or overdue', async () => {
    const database = await tables();
    await database.transaction((tx) => insertNeeds(tx, [need('x'), need('y', { deadlineMs: 10 })]));
    assert.deepEqual(Buffer.from((await beginAttempt(database, need('x'), 7))!), Buffer.from([1, 2]));
    await database.transaction((tx) => insertNeeds(tx, [need('x'), need('x', { deadlineMs: 99 })]));
    const [row] = (await readWaitingNeeds(database, [0], 10));
    assert.deepEqual([row?.attempts, row?.retry_at, row?.deadline, row?.room_id, row?.partition], [1, 7, 100, '!r', 0]);
    assert.deepEqual(await readOverdueNeeds(database, [1], { nowMs: 10, limit: 5 }), []);
    const overdue = await readOverdueNeeds(database, [0, 1], { nowMs: 10, limit: 5 });
    assert.deepEqual(overdue.map((one) => [one.need_id, Buffer.from(one.need)]), [['y', Buffer.from([1, 2])]]);
    await database.transaction((tx) => insertNeeds(tx, [need('y', { deadlineMs: 11 })]));
    await deleteOverdueNeeds(database, overdue, 10);
    assert.equal((await readWaitingNeeds(database, [0], 10)).length, 2, 'told again meanwhile');
    await deleteOverdueNeeds(database, overdue, 11);
    await database.transaction((tx) => insertNeeds(tx, [need('x', { deadlineMs: 101 })]));
    assert.deepEqual((await readWaitingNeeds(database, [0], 10)).map(({ attempts, deadline }) => [attempts, deadline]), [[0, 101]]);
    await deleteNeed(database, need('x'));
    assert.deepEqual([await waiting(database, [0]), await beginAttempt(database, need('x'), 1)], [['x'], undefined]);
    await deleteNeed(database, need('x', { deadlineMs: 101 }));
    assert.deepEqual(await waiting(database, [0]), []);
  });

  const rows = (count: number, prefix: string): StageRow[] => Array.from({ length: count }, (_, ordinal) => ({ ordinal, eventId: `$${prefix}${ordinal}`, inState: ordinal % 2 === 0, bytes: Buffer.from(`{"n":${ordinal}}`) }));

  test('who begins a stage anew ends what others wrote and write of it', async () => {
    const { clock } = createManualRuntime();
    const database = await tables();
    const staged = stagedState(database);
    const first = { stageId: 's', attempt: 'first', clock, check: () => undefined, nowMs: 1 };
    const second = { ...first, attempt: 'second' };
    await beginStage(database, first);
    await writeStage(database, first, rows(2500, 'a'));
    await beginStage(database, second);
    assert.deepEqual(await staged.stateIds('s'), []);
    await writeStage(database, second, [{ ordinal: -1, eventId: '$known', inState: true, bytes: undefined }, ...rows(3, 'b')]);
    await assert.rejects(writeStage(database, first, rows(1, 'c')), StageLost);
    await assert.rejects(finishStage(database, first, { events: 1, answer: new Uint8Array([1]) }), StageLost);
    assert.equal(await readFinishedStage(database, 's'), undefined);
    await finishStage(database, second, { events: 3, answer: new Uint8Array([2]) });
    assert.equal((await readFinishedStage(database, 's'))?.events, 3);
    assert.deepEqual(await staged.stateIds('s'), ['$known', '$b0', '$b2']);
    assert.deepEqual((await staged.slice('s', 1, 3)).map(({ eventId, inState, pdu }) => [eventId, inState, Buffer.from(pdu).toString()]), [['$b1', false, '{"n":1}'], ['$b2', true, '{"n":2}']]);
    // Somebody imports it already.
    await assert.rejects(beginStage(database, { ...first, attempt: 'third' }), StageLost);
    assert.deepEqual(await staged.stateIds('s'), ['$known', '$b0', '$b2']);
    assert.equal(await deleteOldStage(database, 1), false);
    assert.equal(await deleteOldStage(database, 2), true);
    assert.deepEqual([await staged.stateIds('s'), await staged.slice('s', 0, 10)], [[], []]);
  });

  test('who pauses while it begins a stage takes nothing of what another attempt has made meanwhile', async () => {
    const { clock } = createManualRuntime();
    const database = await tables();
    const staged = stagedState(database);
    const first = { stageId: 's', attempt: 'first', clock, check: () => undefined, nowMs: 1 };
    const second = { ...first, attempt: 'second' };
    const pausing: Pick<Database, 'query' | 'transaction'> = {
      transaction: (work) => database.transaction(work),
      async query<R extends SqlRow>(sql: string, params?: readonly SqlValue[]) {
        await beginStage(database, second);
        await writeStage(database, second, rows(3, 'b'));
        await finishStage(database, second, { events: 3, answer: new Uint8Array([2]) });
        return database.query<R>(sql, params);
      },
    };
    await assert.rejects(beginStage(pausing, first), StageLost);
    assert.deepEqual(await staged.stateIds('s'), ['$b0', '$b2']);
  });
});
