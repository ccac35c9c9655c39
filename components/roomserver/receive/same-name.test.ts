/** What servers may do in old rooms: they name their events themselves (versions 1 and 2), so that two may have one name; depths go beyond 2^53 (up to version 5). */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, bytesOf, received } from '../../../test/kit/received-room.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { ALICE, createRoomDriver, eventIdIn, input, message, newRoom, PARTITIONS, START_MS, type RoomDriver } from '../../../test/kit/room-driver.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import type { NewEvent } from '../input/effects.ts';

const BOB = '@bob:two.test';

/** A server that knows all of the room but its last event, a message of Bob's. */
async function knowing(context: TestContext): Promise<{ driver: RoomDriver; dag: RoomDag; last: string }> {
  const driver = await createRoomDriver();
  context.after(() => driver.close());
  const dag = startRoom('1');
  const known = dag.accepted.slice(1);
  const last = dag.send({ type: 'm.room.message', sender: BOB, content: { body: 'hi' } });
  const { partition, effects } = beginning(dag, PARTITIONS.partitions);
  await driver.begin(partition, effects);
  for (const eventId of known) eventIdIn(await driver.send(input(dag.roomId, { receivePdu: received(dag, eventId) })));
  return { driver, dag, last };
}

async function stored({ database }: RoomDriver, eventId: string): Promise<{ roomId: string; text: string }> {
  const [row] = await database.query<{ room_id: string; json: Uint8Array }>('SELECT room_id, json FROM events WHERE event_id = ?', [eventId]);
  return { roomId: row!.room_id, text: unpackText(row!.json) };
}

test('an event of another room keeps its name', async (context) => {
  const { driver, dag, last } = await knowing(context);
  const other = newRoom({ version: '1', name: 'other' });
  await driver.send(other.input);
  const mine = eventIdIn(await driver.send(message(other.roomId, ALICE, 'mine')));
  const before = await stored(driver, mine);
  const told = driver.outputs.length;
  const pdu: Pdu = { ...dag.pdu(last)!, event_id: mine };
  const answer = await driver.send(input(dag.roomId, { receivePdu: received(dag, last, { eventId: mine, pdu: bytesOf(pdu) }) }));
  assert.deepEqual(answer, { ok: { event_id: mine, verdict: 'rejected' } });
  assert.deepEqual([await stored(driver, mine), driver.outputs.length], [before, told]);
});

test('an event that was known as part of a state is in its place what it was there', async (context) => {
  const { driver, dag, last } = await knowing(context);
  const pdu: Pdu = { ...dag.pdu(last)!, content: { body: 'ho' } };
  const outlier: NewEvent = {
    eventId: last, pdu, bytes: bytesOf(pdu), kind: 'outlier', verdict: 'accepted', orderKey: null, sequence: null, stateId: null, states: [], historyVisibility: 'shared', deviceId: '', txnId: '',
    redacts: undefined, stateBeforeDiffers: false, relayOf: '',
  };
  const place = { partition: driver.outputs[0]!.partition, epoch: 1, nextSequence: 0, nowMs: START_MS };
  await driver.database.transaction((tx) => driver.processor.commit(tx, [{ place, effects: { inputId: 'outlier', roomId: dag.roomId, events: [outlier], redactions: [] } }]));
  eventIdIn(await driver.send(input(dag.roomId, { receivePdu: received(dag, last) })));
  const event = driver.outputs.at(-1)!.output.event!;
  assert.deepEqual([event.eventId, Buffer.from(event.pdu).toString()], [last, bytesOf(pdu).toString()]);
  assert.deepEqual(await stored(driver, last), { roomId: dag.roomId, text: bytesOf(pdu).toString() });
});

test('an event that is deeper than a column takes is kept as it is', async (context) => {
  const { driver, dag, last } = await knowing(context);
  const pdu: Pdu = { ...dag.pdu(last)!, depth: 2 ** 63 };
  const text = JSON.stringify(pdu).replace('9223372036854776000', '9223372036854775807');
  eventIdIn(await driver.send(input(dag.roomId, { receivePdu: received(dag, last, { pdu: Buffer.from(text) }) })));
  assert.equal((await stored(driver, last)).text, text);
  const rows = await driver.database.query<{ depth: number }>('SELECT depth FROM events WHERE event_id = ?', [last]);
  assert.equal(rows[0]!.depth, Number.MAX_SAFE_INTEGER);
});
