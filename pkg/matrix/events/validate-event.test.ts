import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomState } from '../../../test/kit/room-state.ts';
import { validateEvent } from './validate-event.ts';

const ID = `$${'a'.repeat(43)}`;
const MALFORMED: [change: object, reason: RegExp][] = [
  [{ type: undefined }, /type is not/],
  [{ type: 'x'.repeat(256) }, /type is not/],
  [{ sender: 'alice' }, /sender is not/],
  [{ sender: undefined }, /sender is not/],
  [{ state_key: null }, /state_key is not/],
  [{ state_key: 'x'.repeat(256) }, /state_key is not/],
  [{ content: [] }, /content is not/],
  [{ content: null }, /content is not/],
  [{ depth: -1 }, /depth is not/],
  [{ depth: '1' }, /depth is not/],
  [{ depth: 2 ** 53 }, /depth is not/],
  [{ origin_server_ts: 1.5 }, /origin_server_ts is not/],
  [{ origin_server_ts: undefined }, /origin_server_ts is not/],
  [{ unsigned: 5 }, /unsigned is not/],
  [{ room_id: undefined }, /room_id is not/],
  [{ room_id: 'room' }, /room_id is not/],
  [{ prev_events: undefined }, /prev_events is not/],
  [{ prev_events: [[ID, {}]] }, /prev_events is not/],
  [{ prev_events: Array(21).fill(ID) }, /prev_events has more than 20/],
  [{ auth_events: ['$x:one.test'] }, /auth_events is not/],
  [{ auth_events: Array(11).fill(ID) }, /auth_events has more than 10/],
  [{ hashes: {} }, /hashes has no/],
  [{ hashes: undefined }, /hashes has no/],
  [{ signatures: undefined }, /signatures is not/],
  [{ signatures: { 'one.test': null } }, /signatures is not/],
  [{ signatures: { 'one.test': { 'ed25519:1': 5 } } }, /signatures is not/],
  [{ content: { a: 1.5 } }, /not an integer/],
  [{ 'org.example.more': 2 ** 60 }, /not an integer/],
];

for (const versionId of ['10', '11', '12']) {
  const room = new RoomState(versionId).member('@creator:one.test', 'join');
  const { pdu } = room.build({ type: 'm.room.topic', sender: '@creator:one.test', state_key: '', content: { topic: 't' } });

  test(`v${versionId} well-formed events`, () => {
    assert.deepEqual(validateEvent(pdu, room.version), { valid: true, pdu });
    assert.deepEqual(validateEvent(room.create.pdu, room.version), { valid: true, pdu: room.create.pdu });
    for (const change of [{ prev_events: Array(20).fill(ID), auth_events: Array(10).fill(ID) }, { origin_server_ts: -5 }, { unsigned: { age: 1 } }, { 'org.example.more': [null] }]) {
      assert.equal(validateEvent({ ...pdu, ...change }, room.version).valid, true, JSON.stringify(change));
    }
  });

  test(`v${versionId} malformed events`, () => {
    for (const [change, reason] of MALFORMED) {
      const verdict = validateEvent({ ...pdu, ...change }, room.version);
      assert.match(verdict.valid ? 'valid' : verdict.reason, reason, JSON.stringify(change));
    }
    for (const value of [null, 5, 'event', [pdu]]) assert.deepEqual(validateEvent(value, room.version), { valid: false, reason: 'Malformed event: not an object' });
  });
}

test('a room ID has the form of the version', () => {
  const [v11, v12] = [new RoomState('11'), new RoomState('12')];
  const { pdu } = v11.build({ type: 't', sender: '@creator:one.test', content: {} });
  assert.equal(validateEvent({ ...pdu, room_id: v12.roomId }, v11.version).valid, false);
  assert.equal(validateEvent(pdu, v12.version).valid, false);
  assert.equal(validateEvent({ ...pdu, room_id: v12.roomId }, v12.version).valid, true);
});

test('redacts is a string where it counts', () => {
  const [v10, v11] = [new RoomState('10'), new RoomState('11')];
  const draft = { type: 'm.room.redaction', sender: '@creator:one.test', content: {} };
  assert.equal(validateEvent({ ...v10.build(draft).pdu, redacts: 5 }, v10.version).valid, false);
  assert.equal(validateEvent({ ...v11.build(draft).pdu, redacts: 5 }, v11.version).valid, true);
});
