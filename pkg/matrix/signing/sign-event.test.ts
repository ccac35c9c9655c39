import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomState, TEST_KEY } from '../../../test/kit/room-state.ts';
import { addSignature, requiredSigners, verifyEvent } from './sign-event.ts';
import { signingKeyFromSeed } from './signing-key.ts';

const room = new RoomState('11');
const ALICE = '@alice:one.test:8448';
const member = (content: Record<string, unknown>) => room.build({ type: 'm.room.member', sender: ALICE, state_key: ALICE, content }).pdu;

test('an event must be signed by its sender’s server', () => {
  assert.deepEqual(requiredSigners(room.build({ type: 'm.room.message', sender: ALICE, content: {} }).pdu, room.version), ['one.test:8448']);
  assert.deepEqual(requiredSigners(member({ membership: 'join', join_authorised_via_users_server: '@bob:two.test' }), room.version), ['one.test:8448', 'two.test']);
  assert.deepEqual(requiredSigners(member({ membership: 'invite', third_party_invite: {} }), room.version), []);
  assert.deepEqual(requiredSigners(member({ membership: 'join', third_party_invite: {} }), room.version), ['one.test:8448']);
});

test('a second server’s signature leaves the first one valid', () => {
  const second = signingKeyFromSeed('2', new Uint8Array(32).fill(2));
  const both = addSignature(member({ membership: 'join' }), room.version, 'two.test', second);
  assert.ok(verifyEvent(both, room.version, { serverName: 'one.test:8448', keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey }));
  assert.ok(verifyEvent(both, room.version, { serverName: 'two.test', keyId: second.keyId, publicKey: second.publicKey }));
  assert.ok(!verifyEvent(both, room.version, { serverName: 'three.test', keyId: second.keyId, publicKey: second.publicKey }));
});
