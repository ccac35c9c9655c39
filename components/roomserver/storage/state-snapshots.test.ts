import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, createRoomDriver, message, newRoom, state, type RoomDriver } from '../../../test/kit/room-driver.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { readStates } from './read-state.ts';

const room = newRoom({ name: 'long' });
/** What the room is made with. */
const FIRST = 5;

const change = (number: number, keys: number) => state(room.roomId, ALICE, ['org.example.key', `k${number % keys}`], { number });

async function roomWith(changes: number, keys: number, batch: number): Promise<RoomDriver> {
  const driver = await createRoomDriver();
  await driver.send(room.input);
  for (let done = 0; done < changes; done += batch) {
    await driver.batch(Array.from({ length: Math.min(batch, changes - done) }, (_, index) => change(done + index, keys)));
  }
  return driver;
}

async function snapshots(driver: RoomDriver) {
  return driver.database.query<{ state_id: number; entries: number }>('SELECT state_id, entries FROM state_snapshots ORDER BY state_id');
}

test('a snapshot follows the last one by as many changes as it has entries, and by 256 at least, whatever the batches', async () => {
  const few = await roomWith(1100, 10, 7);
  assert.deepEqual((await snapshots(few)).map(({ state_id, entries }) => [state_id, entries]), [256, 512, 768, 1024].map((at) => [at, 10 + FIRST]));
  const many = await roomWith(1100, 2000, 300);
  assert.deepEqual((await snapshots(many)).map(({ state_id, entries }) => [state_id, entries]), [[256, 256], [512, 512], [1024, 1024]]);
});

test('a room from before there were marks gets a snapshot at the next one, and every state stays what it was', async () => {
  const driver = await roomWith(1900, 10, 500);
  const query = roomHistoryQuery(driver.database);
  const told = new Map<string, string>();
  const all = driver.outputs.map(({ output }) => {
    for (const { type, stateKey, eventId } of output.event!.stateDelta) told.set(JSON.stringify([type, stateKey]), eventId);
    return [output.event!.eventId, [...told.values()].sort()] as const;
  });
  const expected = all.filter((_, index) => index % 13 === 0);
  const found = async () => [...await query.stateIdsAt(expected.map(([eventId]) => eventId), 'after')].map(([eventId, ids]) => [eventId, ids.toSorted()] as const).sort();
  assert.deepEqual(await found(), expected.toSorted());
  await driver.database.transaction(async (tx) => {
    await tx.run('DELETE FROM state_marks');
    await tx.run('DELETE FROM state_snapshots WHERE state_id > 600');
  });
  assert.deepEqual(await found(), expected.toSorted());
  await driver.batch(Array.from({ length: 256 }, (_, index) => change(3 + index, 10)));
  assert.deepEqual((await snapshots(driver)).map(({ state_id }) => state_id), [256, 512, 2048]);
  assert.deepEqual(await found(), expected.toSorted());
});

test('messages are in the state that they were sent into; a state that the room has not is an error', async () => {
  const driver = await roomWith(1, 1, 1);
  await driver.send(message(room.roomId, ALICE, 'x'));
  const last = driver.outputs.at(-1)!.output.event!.eventId;
  const query = roomHistoryQuery(driver.database);
  assert.deepEqual(await query.stateIdsAt([last], 'before'), await query.stateIdsAt([last], 'after'));
  await assert.rejects(readStates(driver.database, room.roomId, [FIRST + 2]), /has no state 7/);
});

test('a state is read by its keys: no statement goes through all states that there are', async () => {
  const driver = await roomWith(600, 10, 300);
  const newest = await driver.database.query<{ state_id: number }>('SELECT MAX(state_id) AS state_id FROM state_deltas');
  const plans = await driver.database.transaction(async (tx) => {
    const asked: string[] = [];
    const explaining: Reader = {
      query: (sql, params = []) => explain(sql, () => tx.query(sql, params), (text) => tx.query(text, params)),
      queryIn: (sql, params, values) => explain(sql, () => tx.queryIn(sql, params, values), (text) => tx.queryIn(text, params, values)),
    };
    async function explain<Row>(sql: string, run: () => Promise<Row[]>, plan: (text: string) => Promise<{ detail?: unknown }[]>): Promise<Row[]> {
      asked.push(...(await plan(`EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => String(detail)));
      return run();
    }
    await readStates(explaining, room.roomId, newest.map(({ state_id: stateId }) => stateId));
    return asked;
  });
  assert.ok(plans.some((step) => step.startsWith('SEARCH d USING PRIMARY KEY')), plans.join('\n'));
  assert.deepEqual(plans.filter((step) => /AUTOMATIC|^SCAN (?!way)/.test(step)), []);
});
