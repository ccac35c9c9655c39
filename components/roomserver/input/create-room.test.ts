import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { contentHashMatches } from '../../../pkg/matrix/events/hashes.ts';
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { ALICE, allRows, assertRefused, BOB, createRoomDriver, json, KEY, member, message, newRoom, SERVER, type RoomDriver } from '../../../test/kit/room-driver.ts';

async function withDriver(work: (driver: RoomDriver) => Promise<void>): Promise<void> {
  const driver = await createRoomDriver();
  try {
    await work(driver);
  } finally {
    await driver.close();
  }
}

for (const version of ROOM_VERSIONS.map(({ id }) => id)) {
  test(`given a createRoom for version ${version}, when it is decided, then a linear, valid DAG comes out, one record an event`, () => withDriver(async (driver) => {
    const room = newRoom({ version, more: [{ type: 'm.room.name', stateKey: '', content: { name: 'Tea' } }, { type: 'm.room.member', stateKey: BOB, content: { membership: 'invite' } }] });
    assert.deepEqual(await driver.send(room.input), { ok: { room_id: room.roomId } });
    assert.equal(driver.outputs.length, 7);
    let previous: string[] = [];
    driver.outputs.forEach(({ sequence, output }, index) => {
      const event = output.event!;
      const pdu = JSON.parse(Buffer.from(event.pdu).toString()) as Pdu;
      assert.equal(sequence, index + 1);
      assert.equal(event.orderKey, index + 1);
      assert.equal(pdu.depth, index + 1);
      assert.deepEqual(prevEventIds(pdu), previous);
      assert.equal(eventIdOf(pdu, room.version), event.eventId);
      assert.ok(contentHashMatches(pdu, room.version));
      assert.ok(verifyEvent(pdu, room.version, { serverName: SERVER, keyId: KEY.keyId, publicKey: KEY.publicKey }));
      assert.equal(canonicalJson(pdu), Buffer.from(event.pdu).toString());
      const { type, stateKey, eventId, replaces } = event.stateDelta[0]!;
      assert.deepEqual([type, stateKey, eventId, replaces], [pdu.type, pdu.state_key, event.eventId, '']);
      assert.deepEqual([output.roomId, output.roomVersion, output.inputId, output.traceId], [room.roomId, version, room.input.inputId, room.input.traceId]);
      previous = [event.eventId];
    });
    const types = driver.outputs.map(({ output }) => (JSON.parse(Buffer.from(output.event!.pdu).toString()) as Pdu).type);
    assert.deepEqual(types, ['m.room.create', 'm.room.member', 'm.room.power_levels', 'm.room.join_rules', 'm.room.history_visibility', 'm.room.name', 'm.room.member']);
  }));
}

test('given a draft that the rules refuse, when a room is created, then nothing of it exists and its reason is told', () => withDriver(async (driver) => {
  const room = newRoom({ more: [{ type: 'm.room.member', stateKey: BOB, content: { membership: 'join' } }] });
  assertRefused(await driver.send(room.input), 403, 'M_FORBIDDEN');
  assertRefused(await driver.send(newRoom({ version: '11', levels: { ban: '50' } }).input), 400, 'M_BAD_JSON');
  assertRefused(await driver.send(message(room.roomId, ALICE, 'hello?')), 404, 'M_NOT_FOUND');
  assert.deepEqual(Object.values(await allRows(driver.database)).flat(), []);
  assert.deepEqual(driver.outputs, []);
}));

test('given a room, when the same create event comes again, then it is refused', () => withDriver(async (driver) => {
  const room = newRoom();
  await driver.send(room.input);
  assertRefused(await driver.send({ ...room.input, inputId: 'again' }), 400, 'M_ROOM_IN_USE');
}));

test('given an unknown room version, when a room is created, then M_UNSUPPORTED_ROOM_VERSION', () => withDriver(async (driver) => {
  const room = newRoom();
  assertRefused(await driver.send({ ...room.input, createRoom: { ...room.input.createRoom!, roomVersion: '99' } }), 400, 'M_UNSUPPORTED_ROOM_VERSION');
}));

const forgeries: [name: string, change: (pdu: Pdu) => unknown][] = [
  ['another type', (pdu) => ({ ...pdu, type: 'm.room.name' })],
  ['another sender', (pdu) => ({ ...pdu, sender: BOB })],
  ['changed content', (pdu) => ({ ...pdu, content: { ...pdu.content, extra: true } })],
  ['previous events', (pdu) => ({ ...pdu, prev_events: ['$x'] })],
  ['no signature', (pdu) => ({ ...pdu, signatures: {} })],
  ['a fraction', (pdu) => ({ ...pdu, content: { ...pdu.content, pi: 3.14 } })],
  ['no object', () => [1]],
];
for (const version of ['1', '11', '12']) {
  for (const [name, change] of forgeries) {
    test(`given a create event of version ${version} with ${name}, when a room is created with it, then it is refused`, () => withDriver(async (driver) => {
      const room = newRoom({ version });
      const pdu = JSON.parse(Buffer.from(room.input.createRoom!.createEvent).toString()) as Pdu;
      assertRefused(await driver.send({ ...room.input, createRoom: { ...room.input.createRoom!, createEvent: json(change(pdu)) } }), 400, 'M_BAD_JSON');
    }));
  }
}

test('given a room created in a batch, when inputs for it follow in the same batch, then they stand on it', () => withDriver(async (driver) => {
  const room = newRoom();
  const answers = await driver.batch([message(room.roomId, ALICE, 'early'), room.input, message(room.roomId, ALICE, 'one'), member(room.roomId, ALICE, BOB, 'invite'), member(room.roomId, BOB, BOB, 'join')]);
  assertRefused(answers[0], 404, 'M_NOT_FOUND');
  assert.ok(answers.slice(1).every((answer) => 'ok' in answer), JSON.stringify(answers));
  assert.deepEqual(driver.outputs.map(({ output }) => output.event!.orderKey), [1, 2, 3, 4, 5, 6, 7, 8]);
}));
