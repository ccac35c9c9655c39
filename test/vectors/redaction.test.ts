/** What survives a redaction, per room version and event type, written down by hand from the specification (rooms/, "Redactions"). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { redact } from '../../pkg/matrix/events/redact.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';

const BASE = {
  event_id: '$e', room_id: '!r:domain', sender: '@u:domain', state_key: '', hashes: { sha256: 'h' }, signatures: { domain: { 'ed25519:1': 's' } }, depth: 1,
  prev_events: ['$p'], auth_events: ['$a'], origin_server_ts: 5,
};
const GOING = { unsigned: { age: 1 }, redacts: '$x', 'org.example.more': 1 };
/** Protected up to version 10 only. */
const OLD = { prev_state: [], origin: 'domain', membership: 'join' };

interface Vector {
  readonly type: string;
  readonly content: Record<string, unknown>;
  readonly v10: Record<string, unknown>;
  readonly v11: Record<string, unknown>;
}

const ALL_LEVELS = { ban: 1, events: { x: 1 }, events_default: 2, invite: 3, kick: 4, notifications: { room: 5 }, redact: 6, state_default: 7, users: { '@u:domain': 8 }, users_default: 9 };
const { invite: _invite, notifications: _notifications, ...LEVELS_V10 } = ALL_LEVELS;
const { notifications: _room, ...LEVELS_V11 } = ALL_LEVELS;
const MEMBER = { membership: 'join', displayname: 'U', avatar_url: 'mxc://a/b', join_authorised_via_users_server: '@v:domain', third_party_invite: { display_name: 'x', signed: { mxid: '@u:domain' } } };
const KEPT_MEMBER = { membership: 'join', join_authorised_via_users_server: '@v:domain' };

const VECTORS: readonly Vector[] = [
  { type: 'm.room.message', content: { body: 'secret', msgtype: 'm.text' }, v10: {}, v11: {} },
  { type: 'm.room.member', content: MEMBER, v10: KEPT_MEMBER, v11: { ...KEPT_MEMBER, third_party_invite: { signed: { mxid: '@u:domain' } } } },
  { type: 'm.room.member', content: { membership: 'invite', third_party_invite: { display_name: 'x' } }, v10: { membership: 'invite' }, v11: { membership: 'invite', third_party_invite: {} } },
  { type: 'm.room.member', content: { membership: 'invite', third_party_invite: 'odd' }, v10: { membership: 'invite' }, v11: { membership: 'invite' } },
  { type: 'm.room.create', content: { creator: '@u:domain', room_version: '9', more: 1 }, v10: { creator: '@u:domain' }, v11: { creator: '@u:domain', room_version: '9', more: 1 } },
  { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow: [1], more: 1 }, v10: { join_rule: 'restricted', allow: [1] }, v11: { join_rule: 'restricted', allow: [1] } },
  { type: 'm.room.power_levels', content: ALL_LEVELS, v10: LEVELS_V10, v11: LEVELS_V11 },
  { type: 'm.room.history_visibility', content: { history_visibility: 'shared', more: 1 }, v10: { history_visibility: 'shared' }, v11: { history_visibility: 'shared' } },
  { type: 'm.room.redaction', content: { redacts: '$x', reason: 'spam' }, v10: {}, v11: { redacts: '$x' } },
  { type: 'm.room.aliases', content: { aliases: ['#a:domain'] }, v10: {}, v11: {} },
  { type: 'toString', content: { length: 1 }, v10: {}, v11: {} },
];

for (const { type, content, v10, v11 } of VECTORS) {
  for (const versionId of ['10', '11', '12']) {
    test(`v${versionId} redaction of ${type}`, () => {
      const version = roomVersion(versionId) as RoomVersion;
      const redacted = redact({ ...BASE, ...OLD, ...GOING, type, content } as Pdu, version);
      const expected = versionId === '10' ? { ...BASE, ...OLD, type, content: v10 } : { ...BASE, type, content: v11 };
      assert.deepEqual(redacted, expected);
    });
  }
}

/** Up to version 9, what is kept of a content where version 10 keeps more or less. */
const OLDER: readonly { type: string; content: Record<string, unknown>; kept: (version: number) => Record<string, unknown> }[] = [
  { type: 'm.room.member', content: MEMBER, kept: (version) => (version === 9 ? KEPT_MEMBER : { membership: 'join' }) },
  { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow: [1] }, kept: (version) => (version >= 8 ? { join_rule: 'restricted', allow: [1] } : { join_rule: 'restricted' }) },
  { type: 'm.room.aliases', content: { aliases: ['#a:domain'], more: 1 }, kept: (version): Record<string, unknown> => (version <= 5 ? { aliases: ['#a:domain'] } : {}) },
  { type: 'm.room.power_levels', content: ALL_LEVELS, kept: () => LEVELS_V10 },
  { type: 'm.room.create', content: { creator: '@u:domain', room_version: '9' }, kept: () => ({ creator: '@u:domain' }) },
  { type: 'm.room.redaction', content: { redacts: '$x' }, kept: () => ({}) },
];

for (const { type, content, kept } of OLDER) {
  for (const id of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    test(`v${id} redaction of ${type}`, () => {
      const redacted = redact({ ...BASE, ...OLD, ...GOING, type, content } as Pdu, roomVersion(String(id)) as RoomVersion);
      assert.deepEqual(redacted, { ...BASE, ...OLD, type, content: kept(id) });
    });
  }
}
