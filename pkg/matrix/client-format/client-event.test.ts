import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomState } from '../../../test/kit/room-state.ts';
import { clientEventFragment, closeClientEvent, strippedStateEvent } from './client-event.ts';

const SENDER = '@creator:one.test';

function parsed(fragment: string, rest = {}): Record<string, unknown> {
  return JSON.parse(closeClientEvent(fragment, rest)) as Record<string, unknown>;
}

test('a message', () => {
  const room = new RoomState('12');
  const { pdu, eventId } = room.build({ type: 'm.room.message', sender: SENDER, content: { body: 'a "quoted" 😀' } });
  const fragment = clientEventFragment(pdu, eventId, room.version);
  const expected = { content: { body: 'a "quoted" 😀' }, event_id: eventId, origin_server_ts: pdu.origin_server_ts, sender: SENDER, type: 'm.room.message' };
  assert.deepEqual(parsed(fragment), expected);
  assert.deepEqual(parsed(fragment, { roomId: room.roomId, unsignedJson: '{"age":5}' }), { ...expected, room_id: room.roomId, unsigned: { age: 5 } });
});

test('state has its state key, even an empty one', () => {
  const room = new RoomState('12');
  const { pdu, eventId } = room.create;
  assert.deepEqual(parsed(clientEventFragment(pdu, eventId, room.version)), {
    content: { room_version: '12' }, event_id: eventId, origin_server_ts: pdu.origin_server_ts, sender: SENDER, state_key: '', type: 'm.room.create',
  });
});

for (const versionId of ['10', '11', '12']) {
  test(`v${versionId} a redaction names its event in both places`, () => {
    const room = new RoomState(versionId);
    const { pdu, eventId } = room.build({ type: 'm.room.redaction', sender: SENDER, content: { reason: 'spam' }, redacts: '$x' });
    assert.equal(pdu.redacts, versionId === '10' ? '$x' : undefined);
    assert.deepEqual(pdu.content, versionId === '10' ? { reason: 'spam' } : { reason: 'spam', redacts: '$x' });
    const event = parsed(clientEventFragment(pdu, eventId, room.version));
    assert.equal(event.redacts, '$x');
    assert.deepEqual(event.content, { reason: 'spam', redacts: '$x' });
  });
}

test('a redaction whose content was redacted and a message with `redacts` have none', () => {
  const room = new RoomState('11');
  const redaction = room.build({ type: 'm.room.redaction', sender: SENDER, content: {} });
  const message = room.build({ type: 'm.room.message', sender: SENDER, content: { redacts: '$x' } });
  for (const { pdu, eventId } of [redaction, message]) assert.ok(!('redacts' in parsed(clientEventFragment(pdu, eventId, room.version))));
});

test('stripped state has four fields', () => {
  const room = new RoomState('11');
  assert.deepEqual(strippedStateEvent(room.create.pdu), { content: { room_version: '11' }, sender: SENDER, state_key: '', type: 'm.room.create' });
});
