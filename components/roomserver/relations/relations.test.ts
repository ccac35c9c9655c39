import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, assertRefused, BOB, createRoomDriver, eventIdIn, input, json, member, message, newRoom, redaction, related, type RoomDriver } from '../../../test/kit/room-driver.ts';

const THUMB = '👍';

/** A room of Alice's in which Bob is joined. */
async function withRoom(work: (driver: RoomDriver, roomId: string) => Promise<void>): Promise<void> {
  const driver = await createRoomDriver();
  try {
    const room = newRoom({ joinRule: 'public' });
    for (const one of [room.input, member(room.roomId, BOB, BOB, 'join')]) assert.ok('ok' in (await driver.send(one)));
    await work(driver, room.roomId);
  } finally {
    await driver.close();
  }
}

const annotation = (eventId: string, key = THUMB) => ({ rel_type: 'm.annotation', event_id: eventId, key });
const rows = async (driver: RoomDriver): Promise<number> => (await driver.database.query('SELECT event_id FROM annotations')).length;

test('the same annotation again is refused, until the first one is redacted', () => withRoom(async (driver, roomId) => {
  const target = eventIdIn(await driver.send(message(roomId, ALICE, 'target')));
  const other = eventIdIn(await driver.send(message(roomId, ALICE, 'other')));
  const react = (sender: string, eventId: string, key?: string) => driver.send(related(roomId, sender, annotation(eventId, key)));
  const first = eventIdIn(await react(BOB, target));
  assertRefused(await react(BOB, target), 400, 'M_DUPLICATE_ANNOTATION');
  for (const [sender, eventId, key] of [[ALICE, target, THUMB], [BOB, other, THUMB], [BOB, target, '👎']] as const) eventIdIn(await react(sender, eventId, key));
  const content = json({ 'm.relates_to': annotation(target) });
  eventIdIn(await driver.send(input(roomId, { sendEvent: { sender: BOB, deviceId: 'D', txnId: '', event: { type: 'org.example.vote', content } } })));
  eventIdIn(await driver.send(redaction(roomId, BOB, first)));
  eventIdIn(await react(BOB, target));
  assertRefused(await react(BOB, target), 400, 'M_DUPLICATE_ANNOTATION');
  assert.equal(await rows(driver), 5);
}));

test('the same holds within a batch', () => withRoom(async (driver, roomId) => {
  const target = eventIdIn(await driver.send(message(roomId, ALICE, 'target')));
  const react = related(roomId, BOB, annotation(target));
  let inputs = 0;
  const again = () => ({ ...react, inputId: `again-${(inputs += 1)}` });
  const [first, second] = await driver.batch([again(), again()]);
  assertRefused(second, 400, 'M_DUPLICATE_ANNOTATION');
  const [, third, fourth] = await driver.batch([redaction(roomId, BOB, eventIdIn(first)), again(), again()]);
  eventIdIn(third);
  assertRefused(fourth, 400, 'M_DUPLICATE_ANNOTATION');
  assert.equal(await rows(driver), 1);
}));

test('annotations without a key, and those that were refused, are not kept', () => withRoom(async (driver, roomId) => {
  const target = eventIdIn(await driver.send(message(roomId, ALICE, 'target')));
  const keyless = () => input(roomId, { sendEvent: { sender: BOB, deviceId: 'D', txnId: '', event: { type: 'm.reaction', content: json({ 'm.relates_to': { rel_type: 'm.annotation', event_id: target } }) } } });
  for (let n = 0; n < 2; n++) eventIdIn(await driver.send(keyless()));
  assertRefused(await driver.send(related(roomId, '@carol:test.example', annotation(target))), 403, 'M_FORBIDDEN');
  assert.equal(await rows(driver), 0);
}));

test('no thread starts from an event that relates to another one; replies alone do not', () => withRoom(async (driver, roomId) => {
  const root = eventIdIn(await driver.send(message(roomId, ALICE, 'root')));
  const inThread = (eventId: string) => driver.send(related(roomId, BOB, { rel_type: 'm.thread', event_id: eventId }));
  const child = eventIdIn(await inThread(root));
  assertRefused(await inThread(child), 400, 'M_UNKNOWN');
  const reference = eventIdIn(await driver.send(related(roomId, BOB, { rel_type: 'm.reference', event_id: root })));
  assertRefused(await inThread(reference), 400, 'M_UNKNOWN');
  const content = json({ msgtype: 'm.text', body: 'x', 'm.relates_to': { 'm.in_reply_to': { event_id: root } } });
  const answer = eventIdIn(await driver.send(input(roomId, { sendEvent: { sender: BOB, deviceId: 'D', txnId: '', event: { type: 'm.room.message', content } } })));
  eventIdIn(await inThread(answer));
  eventIdIn(await inThread('$unknown'));
  eventIdIn(await driver.send(redaction(roomId, ALICE, reference)));
  eventIdIn(await inThread(reference));
}));
