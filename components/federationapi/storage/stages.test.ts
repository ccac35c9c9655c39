/** Stages in the tables: one writer at a time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { stagedState } from '../query/staged-state.ts';
import { federationapiMigrations } from './migrations.ts';
import { beginStage, deleteOldStage, finishStage, readFinishedStage, StageLost, writeStage, type StageRow } from './stages.ts';

const rows = (count: number, prefix: string): StageRow[] => Array.from({ length: count }, (_, ordinal) => ({ ordinal, eventId: `$${prefix}${ordinal}`, inState: ordinal % 2 === 0, json: `{"n":${ordinal}}` }));

test('who begins a stage anew ends what others wrote and write of it', async () => {
  const { clock } = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  const staged = stagedState(database);
  const first = { stageId: 's', attempt: 'first', clock, check: () => undefined, nowMs: 1 };
  const second = { ...first, attempt: 'second' };
  await beginStage(database, first);
  await writeStage(database, first, rows(2500, 'a'));
  await beginStage(database, second);
  assert.deepEqual(await staged.stateIds('s'), []);
  await writeStage(database, second, [{ ordinal: -1, eventId: '$known', inState: true, json: undefined }, ...rows(3, 'b')]);
  await assert.rejects(writeStage(database, first, rows(1, 'c')), StageLost);
  await assert.rejects(finishStage(database, first, { events: 1, answer: new Uint8Array([1]) }), StageLost);
  assert.equal(await readFinishedStage(database, 's'), undefined);
  await finishStage(database, second, { events: 3, answer: new Uint8Array([2]) });
  assert.equal((await readFinishedStage(database, 's'))?.events, 3);
  assert.deepEqual(await staged.stateIds('s'), ['$known', '$b0', '$b2']);
  assert.deepEqual((await staged.slice('s', 1, 3)).map(({ eventId, inState, pdu }) => [eventId, inState, Buffer.from(pdu).toString()]), [['$b1', false, '{"n":1}'], ['$b2', true, '{"n":2}']]);
  assert.equal(await deleteOldStage(database, 1), false);
  assert.equal(await deleteOldStage(database, 2), true);
  assert.deepEqual([await staged.stateIds('s'), await staged.slice('s', 0, 10)], [[], []]);
  await database.close();
});
