import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATOR, RoomState } from '../../../test/kit/room-state.ts';
import { mayRedact } from './may-redact.ts';
import { actionPower, creatorsOf, notificationPower, requiredPower, userPower } from './power-levels.ts';

const ALICE = '@alice:one.test';
const BOB = '@bob:two.test';
const ACTIONS = ['invite', 'kick', 'ban', 'redact'] as const;

test('defaults without power levels', () => {
  const rooms = ['10', '11', '12'].map((versionId) => new RoomState(versionId).power);
  assert.deepEqual(rooms.map((power) => userPower(power, CREATOR)), [100, 100, Infinity]);
  for (const power of rooms) {
    assert.equal(userPower(power, ALICE), 0);
    assert.deepEqual(ACTIONS.map((action) => actionPower(power, action)), [0, 50, 50, 50]);
    assert.deepEqual([requiredPower(power, 't', true), requiredPower(power, 't', false), notificationPower(power, 'room')], [50, 0, 50]);
  }
});

test('defaults with empty power levels', () => {
  const rooms = ['10', '11', '12'].map((versionId) => new RoomState(versionId).set('m.room.power_levels', '', {}).power);
  assert.deepEqual(rooms.map((power) => userPower(power, CREATOR)), [0, 0, Infinity]);
  for (const power of rooms) assert.deepEqual([requiredPower(power, 't', true), requiredPower(power, 't', false)], [50, 0]);
});

test('levels that are given', () => {
  const content = { users: { [ALICE]: 7 }, users_default: 1, events: { t: 2 }, events_default: 3, state_default: 4, invite: 5, kick: 6, ban: 7, redact: 8, notifications: { room: 9 } };
  const { power } = new RoomState('11').set('m.room.power_levels', '', content);
  assert.deepEqual([userPower(power, ALICE), userPower(power, BOB), userPower(power, CREATOR)], [7, 1, 1]);
  assert.deepEqual([requiredPower(power, 't', true), requiredPower(power, 't', false), requiredPower(power, 'u', true), requiredPower(power, 'u', false)], [2, 2, 4, 3]);
  assert.deepEqual(ACTIONS.map((action) => actionPower(power, action)), [5, 6, 7, 8]);
  assert.deepEqual([notificationPower(power, 'room'), notificationPower(power, 'other')], [9, 50]);
});

test('names of object methods are no levels', () => {
  const { power } = new RoomState('11').set('m.room.power_levels', '', { events: {}, users: {} });
  assert.deepEqual([requiredPower(power, 'constructor', false), userPower(power, '__proto__')], [0, 0]);
});

test('creators', () => {
  const content = { creator: ALICE, additional_creators: [BOB, 5] };
  const create = (versionId: string) => new RoomState(versionId, content);
  const creators = ['10', '11', '12'].map((versionId) => creatorsOf(create(versionId).create.pdu, create(versionId).version));
  assert.deepEqual(creators, [[ALICE], [CREATOR], [CREATOR, BOB]]);
  assert.equal(userPower(create('12').set('m.room.power_levels', '', { users: { [BOB]: 0 } }).power, BOB), Infinity);
});

test('redactions are applied with the redact level or on events of the same server', () => {
  const { power, version } = new RoomState('11').set('m.room.power_levels', '', { users: { [ALICE]: 50 } });
  assert.ok(mayRedact({ sender: ALICE }, { sender: BOB }, { power, version }));
  assert.ok(mayRedact({ sender: BOB }, { sender: '@carol:two.test' }, { power, version }));
  assert.ok(!mayRedact({ sender: BOB }, { sender: ALICE }, { power, version }));
});

test('in versions 1 and 2 the authorisation rules have decided about redactions', () => {
  for (const versionId of ['1', '2']) {
    const { power, version } = new RoomState(versionId);
    assert.ok(mayRedact({ sender: BOB }, { sender: ALICE }, { power, version }));
  }
});
