import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS, roomVersion } from './room-versions.ts';

test('versions are found by their ID', () => {
  assert.deepEqual(ROOM_VERSIONS.map(({ id }) => id), ['10', '11', '12']);
  for (const version of ROOM_VERSIONS) assert.equal(roomVersion(version.id), version);
  assert.ok(roomVersion(DEFAULT_ROOM_VERSION));
  for (const unknown of ['', '1', '010', '13', 'toString']) assert.equal(roomVersion(unknown), undefined);
});

test('what every redaction keeps, so that an event stays an event', () => {
  const essential = ['type', 'room_id', 'sender', 'state_key', 'content', 'hashes', 'signatures', 'depth', 'prev_events', 'auth_events', 'origin_server_ts'];
  for (const { redaction } of ROOM_VERSIONS) assert.deepEqual(essential.filter((key) => !redaction.eventKeys.includes(key)), []);
});
