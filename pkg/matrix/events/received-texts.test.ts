import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROOM_VERSIONS } from '../room-versions/room-versions.ts';
import { eventText } from './event-text.ts';
import { essentialText } from './hashes.ts';
import type { Pdu } from './pdu.ts';
import { receivedTexts } from './received-texts.ts';

const COMMON = {
  type: 'm.room.message', sender: '@a:b.test', room_id: '!r:b.test', depth: 7, origin_server_ts: 12, prev_events: ['$p'], auth_events: ['$a'],
  content: { body: 'tab\there', 'm.mentions': {}, nested: [{ z: 1, a: null }] }, hashes: { sha256: 'abc' }, signatures: { 'b.test': { 'ed25519:1': 'sig' } },
};
const EVENTS: Record<string, unknown>[] = [
  COMMON,
  { ...COMMON, type: 'm.room.member', state_key: '@a:b.test', content: { membership: 'join', displayname: 'A', third_party_invite: { signed: { token: 't' }, display_name: 'x' } } },
  { ...COMMON, type: 'm.room.create', state_key: '', content: { creator: '@a:b.test', room_version: '9' } },
  { ...COMMON, type: 'm.room.redaction', redacts: '$x', content: { redacts: '$x', reason: 'why' } },
  { ...COMMON, origin: 'b.test', membership: 'join', prev_state: [], event_id: '$e:b.test', unknown: { b: 1, a: '\u2028' } },
  // Keys whose order by code points is not that of their units; a name that objects inherit.
  { ...COMMON, '\ud83d\ude00': 1, '\uff5e': 2, constructor: 3, ...JSON.parse('{"__proto__": {"x": 1}}') as object },
];

for (const version of ROOM_VERSIONS) {
  test(`the texts of a received event, made together, are those that are made one by one, version ${version.id}`, () => {
    for (const event of EVENTS) {
      const { signatures: _signatures, hashes: _hashes, ...hashed } = event;
      assert.deepEqual(receivedTexts(event as unknown as Pdu, version), { json: eventText(event, version), hashed: eventText(hashed, version), essential: essentialText(event as Partial<Pdu>, version) });
    }
  });
}
