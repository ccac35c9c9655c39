import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS, roomVersion } from './room-versions.ts';
import type { RoomVersion } from './room-versions.ts';

test('versions are found by their ID', () => {
  assert.deepEqual(ROOM_VERSIONS.map(({ id }) => id), Array.from({ length: 12 }, (_, index) => String(index + 1)));
  for (const version of ROOM_VERSIONS) assert.equal(roomVersion(version.id), version);
  assert.ok(roomVersion(DEFAULT_ROOM_VERSION));
  for (const unknown of ['', '0', '010', '13', 'toString']) assert.equal(roomVersion(unknown), undefined);
});

test('since which version each difference holds', () => {
  const holds = (flag: (version: RoomVersion) => boolean): string => ROOM_VERSIONS.filter(flag).map(({ id }) => id).join(' ');
  assert.equal(holds(({ eventFormat, eventIdFormat }) => eventFormat === 'pairs' && eventIdFormat === 'opaque'), '1 2');
  assert.equal(holds(({ eventIdFormat }) => eventIdFormat === 'base64'), '3');
  assert.equal(holds(({ roomIdFormat }) => roomIdFormat === 'create-hash'), '12');
  assert.equal(holds(({ stateResolution }) => stateResolution === 'v1'), '1');
  assert.equal(holds(({ stateResolution }) => stateResolution === 'v2.1'), '12');
  assert.equal(holds((version) => version.keyValidityEnforced), '5 6 7 8 9 10 11 12');
  assert.equal(holds((version) => version.strictCanonicalJson), '6 7 8 9 10 11 12');
  assert.equal(holds((version) => version.redactsInContent), '11 12');
  assert.equal(holds((version) => version.redactionAuthorised), '1 2');
  assert.equal(holds((version) => version.aliasesAuthorised), '1 2 3 4 5');
  assert.equal(holds((version) => version.notificationLevelsChecked), '6 7 8 9 10 11 12');
  assert.equal(holds((version) => version.knock), '7 8 9 10 11 12');
  assert.equal(holds((version) => version.restrictedJoin), '8 9 10 11 12');
  assert.equal(holds((version) => version.knockRestricted && version.integerPowerLevels), '10 11 12');
  assert.equal(holds((version) => version.creatorInContent), '1 2 3 4 5 6 7 8 9 10');
  assert.equal(holds((version) => version.createInAuthEvents), '1 2 3 4 5 6 7 8 9 10 11');
  assert.equal(holds((version) => version.privilegedCreators), '12');
});

test('what every redaction keeps, so that an event stays an event', () => {
  const essential = ['type', 'room_id', 'sender', 'state_key', 'content', 'hashes', 'signatures', 'depth', 'prev_events', 'auth_events', 'origin_server_ts'];
  for (const { redaction } of ROOM_VERSIONS) assert.deepEqual(essential.filter((key) => !redaction.eventKeys.includes(key)), []);
});
