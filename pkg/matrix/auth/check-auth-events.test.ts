import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CREATOR, RoomState } from '../../../test/kit/room-state.ts';
import type { Pdu } from '../events/pdu.ts';
import { checkAuthEvents } from './check-auth-events.ts';

const LEVELS = { users: {} };

for (const versionId of ['10', '11', '12']) {
  const room = new RoomState(versionId).member(CREATOR, 'join').set('m.room.power_levels', '', LEVELS).set('m.room.name', '', { name: 'n' });
  const message = room.build({ type: 'm.room.message', sender: CREATOR, content: {} }).pdu;
  const state = (type: string, stateKey = ''): Pdu => room.lookup(type, stateKey) as Pdu;
  const right = [...(versionId === '12' ? [] : [state('m.room.create')]), state('m.room.power_levels'), state('m.room.member', CREATOR)];
  const reason = (events: readonly Pdu[], rejected?: Pdu): string => {
    const verdict = checkAuthEvents(message, room.version, events.map((event) => ({ event, rejected: event === rejected })));
    return verdict.allowed ? 'allowed' : verdict.reason;
  };

  test(`v${versionId} the right auth events, and fewer than the state has`, () => {
    assert.equal(reason(right), 'allowed');
    assert.equal(reason(right.slice(0, 1)), 'allowed');
  });
  test(`v${versionId} 2.1 the same part of the state twice`, () => {
    assert.match(reason([...right, { ...state('m.room.power_levels'), depth: 99 }]), /hold m.room.power_levels twice/);
  });
  test(`v${versionId} 2.2 what the selection does not name`, () => {
    assert.match(reason([...right, state('m.room.name')]), /m.room.name cannot be among/);
    assert.match(reason([...right, message]), /m.room.message cannot be among/);
    assert.match(reason([...right, { ...state('m.room.member', CREATOR), state_key: '@other:one.test' }]), /m.room.member cannot be among/);
  });
  test(`v${versionId} 2.3 a rejected one`, () => {
    assert.match(reason(right, state('m.room.power_levels')), /hold a rejected m.room.power_levels/);
  });
  test(`v${versionId} 2.5 one of another room`, () => {
    assert.match(reason(right.map((event) => (event.type === 'm.room.member' ? { ...event, room_id: '!other:one.test' } : event))), /m.room.member of another room/);
  });
  test(`v${versionId} 2.4 the create event`, () => {
    const without = right.filter((event) => event.type !== 'm.room.create');
    assert.equal(reason(without), versionId === '12' ? 'allowed' : 'The auth events lack the create event');
    assert.equal(reason([state('m.room.create'), ...without]), versionId === '12' ? 'm.room.create cannot be among the auth events of this event' : 'allowed');
  });
  test(`v${versionId} the create event itself has none`, () => {
    assert.deepEqual(checkAuthEvents(room.create.pdu, room.version, []), { allowed: true });
  });
}
