import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, assertRefused, BOB, CAROL, createRoomDriver, eventIdIn, message, newRoom, receipt, redaction, member, state } from '../../../test/kit/room-driver.ts';

async function roomWithMessages() {
  const driver = await createRoomDriver();
  const room = newRoom({ joinRule: 'public' });
  const { roomId } = room;
  const answers = await driver.batch([room.input, member(roomId, BOB, BOB, 'join'), message(roomId, ALICE, 'one'), message(roomId, ALICE, 'two')]);
  return { driver, roomId, one: eventIdIn(answers[2]), two: eventIdIn(answers[3]) };
}

test('given a member, when they read, then a record tells it; going back or standing still tells nothing', async () => {
  const { driver, roomId, one, two } = await roomWithMessages();
  const records = () => driver.outputs.filter(({ output }) => output.receipt).map(({ output }) => output.receipt!.eventId);
  assert.deepEqual(await driver.send(receipt(roomId, BOB, one)), { ok: {} });
  assert.deepEqual(records(), [one]);
  assert.deepEqual(await driver.send(receipt(roomId, BOB, one)), { ok: {} });
  await driver.send(receipt(roomId, BOB, two));
  await driver.send(receipt(roomId, BOB, one));
  assert.deepEqual(records(), [one, two]);
  const { userId, receiptType, threadId, ts } = driver.outputs.at(-1)!.output.receipt!;
  assert.deepEqual([userId, receiptType, threadId ?? null, ts > 0], [BOB, 'm.read', null, true]);
  const stored = await driver.database.query<{ event_id: string; sequence: number }>('SELECT event_id, sequence FROM receipts');
  assert.deepEqual(stored.map((row) => [row.event_id, row.sequence]), [[two, driver.outputs.at(-1)!.sequence]]);
});

test('receipts of other types, threads and users stand apart, also within one batch', async () => {
  const { driver, roomId, one, two } = await roomWithMessages();
  const before = driver.outputs.length;
  await driver.batch([
    receipt(roomId, BOB, two), receipt(roomId, BOB, one, { receiptType: 'm.read.private' }), receipt(roomId, BOB, one, { threadId: 'main' }),
    receipt(roomId, BOB, one, { threadId: one }), receipt(roomId, ALICE, one), receipt(roomId, ALICE, two), receipt(roomId, ALICE, one),
  ]);
  const told = driver.outputs.slice(before).map(({ output }) => [output.receipt!.userId, output.receipt!.receiptType, output.receipt!.threadId ?? '', output.receipt!.eventId]);
  assert.deepEqual(told, [
    [BOB, 'm.read', '', two], [BOB, 'm.read.private', '', one], [BOB, 'm.read', 'main', one], [BOB, 'm.read', one, one], [ALICE, 'm.read', '', one], [ALICE, 'm.read', '', two],
  ]);
  assert.equal((await driver.database.query('SELECT receipt_ref FROM receipts')).length, 5);
});

test('given who is not in the room, an unknown event or an empty thread, when they read, then it is refused', async () => {
  const { driver, roomId, one } = await roomWithMessages();
  const other = newRoom({ name: 'other' });
  await driver.send(other.input);
  const elsewhere = eventIdIn(await driver.send(message(other.roomId, ALICE, 'x')));
  assertRefused(await driver.send(receipt(roomId, CAROL, one)), 403, 'M_FORBIDDEN');
  assertRefused(await driver.send(receipt(roomId, BOB, '$nothing')), 404, 'M_NOT_FOUND');
  assertRefused(await driver.send(receipt(roomId, ALICE, elsewhere)), 404, 'M_NOT_FOUND');
  assertRefused(await driver.send(receipt(roomId, BOB, one, { threadId: '' })), 400, 'M_INVALID_PARAM');
});

test('given an event and its thread, when it is read as of another, then it is refused; what the event does not tell is believed', async () => {
  const { driver, roomId, one, two } = await roomWithMessages();
  const related = async (rel: object): Promise<string> =>
    eventIdIn(await driver.send(state(roomId, ALICE, ['org.example.related', JSON.stringify(rel)], { 'm.relates_to': rel })));
  const inThread = await related({ rel_type: 'm.thread', event_id: one });
  const reaction = await related({ rel_type: 'm.annotation', event_id: inThread, key: 'tea' });
  for (const [eventId, threadId] of [[one, 'main'], [one, one], [inThread, one], [reaction, one], [reaction, 'main']] as const) {
    assert.deepEqual(await driver.send(receipt(roomId, BOB, eventId, { threadId })), { ok: {} });
  }
  for (const [eventId, threadId] of [[one, two], [inThread, 'main'], [inThread, two], [two, 'other']] as const) {
    assertRefused(await driver.send(receipt(roomId, BOB, eventId, { threadId })), 400, 'M_INVALID_PARAM');
  }
  await driver.send(redaction(roomId, ALICE, inThread));
  assert.deepEqual(await driver.send(receipt(roomId, ALICE, inThread, { threadId: one })), { ok: {} });
});

test('given a message of the same batch, when it is read, then the receipt finds it', async () => {
  const { driver, roomId } = await roomWithMessages();
  const sent = message(roomId, ALICE, 'three');
  const eventId = eventIdIn((await driver.failedBatch([sent]))[0]);
  const answers = await driver.batch([sent, receipt(roomId, BOB, eventId)]);
  assert.deepEqual(answers[1], { ok: {} });
  assert.equal(driver.outputs.at(-1)!.output.receipt!.eventId, eventId);
});
