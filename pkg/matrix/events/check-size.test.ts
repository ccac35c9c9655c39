import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomState } from '../../../test/kit/room-state.ts';
import type { BuiltEvent } from './build-event.ts';
import { checkSize, EVENT_BYTES_MAX } from './check-size.ts';

const room = new RoomState('12');
const SENDER = '@creator:one.test';
const message = (body: string): BuiltEvent => room.build({ type: 'm.room.message', sender: SENDER, content: { body } });
const overhead = Buffer.byteLength(message('').json);

test('an event may have 65,536 bytes and not one more', () => {
  const biggest = message('a'.repeat(EVENT_BYTES_MAX - overhead));
  assert.equal(Buffer.byteLength(biggest.json), EVENT_BYTES_MAX);
  assert.equal(checkSize(biggest), 'ok');
  assert.equal(checkSize(message('a'.repeat(EVENT_BYTES_MAX - overhead + 1))), 'too_large');
});

test('bytes count, not characters', () => {
  const room30k = EVENT_BYTES_MAX - overhead;
  assert.equal(checkSize(message('ä'.repeat(Math.floor(room30k / 2)))), 'ok');
  assert.equal(checkSize(message('ä'.repeat(Math.floor(room30k / 2) + 1))), 'too_large');
});

test('IDs, type and state key have 255 bytes', () => {
  const state = room.build({ type: 't', sender: SENDER, state_key: 'k', content: {} });
  const change = (pdu: object, eventId = state.eventId): string => checkSize({ ...state, pdu: { ...state.pdu, ...pdu }, eventId });
  const fits = 'ä'.repeat(127);
  assert.equal(change({ type: fits, sender: fits, state_key: fits, room_id: fits }, fits), 'ok');
  const over = 'ä'.repeat(128);
  for (const key of ['type', 'sender', 'state_key', 'room_id']) assert.equal(change({ [key]: over }), 'too_large', key);
  assert.equal(change({}, over), 'too_large');
});
