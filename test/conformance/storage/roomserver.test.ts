/** The roomserver writes the same rows and answers the same on every database. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { roomQuery } from '../../../components/roomserver/query/room-query.ts';
import { roomSnapshot } from '../../../components/roomserver/query/snapshot.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { ALICE, allRows, BOB, CAROL, createRoomDriver, member, message, newRoom, receipt, redaction, state, type RoomDriver } from '../../kit/room-driver.ts';
import { onEachBackend } from './backends.ts';

const space = newRoom({ name: 'space', joinRule: 'public', version: '10' });
const room = newRoom({ name: 'tea', joinRule: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] } });
const sent = [message(room.roomId, ALICE, 'one ☕'), message(room.roomId, BOB, 'two')];
const steps: RoomInput[][] = [
  [space.input, room.input],
  [member(space.roomId, BOB, BOB, 'join'), member(space.roomId, CAROL, CAROL, 'join'), member(room.roomId, BOB, BOB, 'join')],
  [...sent, state(room.roomId, ALICE, ['m.room.topic', ''], { topic: 'a' }), state(room.roomId, ALICE, ['m.room.topic', ''], { topic: 'b' })],
  [member(room.roomId, CAROL, CAROL, 'join'), message(room.roomId, CAROL, 'three')],
];

async function play(driver: RoomDriver): Promise<unknown> {
  const answers: unknown[] = [];
  for (const batch of steps) {
    await driver.failedBatch(batch);
    answers.push(await driver.batch(batch));
    for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
  }
  const events = driver.outputs.map(({ output }) => output.event!.eventId);
  const inputs = [redaction(room.roomId, ALICE, events.at(-1)!), receipt(room.roomId, BOB, events.at(-2)!), receipt(room.roomId, BOB, events.at(-1)!)];
  answers.push(await driver.batch(inputs.map((input, index) => ({ ...input, inputId: `late-${index}`, originServerTs: 1_800_000_000_000 }))));
  const query = roomQuery(driver.database);
  const snapshots = [];
  for (let partition = 0; partition < 4; partition += 1) snapshots.push(JSON.stringify(await roomSnapshot(driver.database, partition, 1, 100)));
  const state = (await query.currentState(room.roomId)).map(({ eventId, orderKey }) => `${orderKey} ${eventId}`).sort();
  return { answers, rows: await allRows(driver.database), snapshots, state, byId: (await query.eventsById(events)).length, events: events.length };
}

let expected: unknown;
after(() => assert.ok(expected !== undefined));

onEachBackend('the roomserver', (backend) => {
  test('the same inputs give the same rows, records and answers', async () => {
    const result = (await play(await createRoomDriver({ database: await backend.open() }))) as { byId: number; events: number };
    assert.equal(result.byId, result.events);
    expected ??= result;
    assert.deepEqual(result, expected);
  });
});
