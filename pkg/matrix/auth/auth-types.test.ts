import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomVersion } from '../room-versions/room-versions.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { authTypesFor } from './auth-types.ts';

const ALICE = '@alice:one.test';
const BOB = '@bob:two.test';
const CAROL = '@carol:two.test';

const member = (sender: string, target: string, content: Record<string, unknown>) => ({ type: 'm.room.member', sender, state_key: target, content });
const LEVELS = ['m.room.power_levels', ''];
const RULES = ['m.room.join_rules', ''];
const of = (userId: string): string[] => ['m.room.member', userId];

const CASES: [title: string, draft: Parameters<typeof authTypesFor>[0], expected: string[][]][] = [
  ['a message', { type: 'm.room.message', sender: ALICE, content: { membership: 'join' } }, [LEVELS, of(ALICE)]],
  ['a join', member(ALICE, ALICE, { membership: 'join' }), [LEVELS, of(ALICE), RULES]],
  ['an authorised join', member(ALICE, ALICE, { membership: 'join', join_authorised_via_users_server: BOB }), [LEVELS, of(ALICE), of(BOB), RULES]],
  ['a join authorised by oneself', member(ALICE, ALICE, { membership: 'join', join_authorised_via_users_server: ALICE }), [LEVELS, of(ALICE), RULES]],
  ['an invite', member(ALICE, BOB, { membership: 'invite', join_authorised_via_users_server: CAROL }), [LEVELS, of(ALICE), of(BOB), RULES]],
  [
    'a third-party invite', member(ALICE, BOB, { membership: 'invite', third_party_invite: { signed: { token: 'tok' } } }),
    [LEVELS, of(ALICE), of(BOB), RULES, ['m.room.third_party_invite', 'tok']],
  ],
  ['a malformed third-party invite', member(ALICE, BOB, { membership: 'invite', third_party_invite: null }), [LEVELS, of(ALICE), of(BOB), RULES]],
  ['a join with a token', member(ALICE, ALICE, { membership: 'join', third_party_invite: { signed: { token: 'tok' } } }), [LEVELS, of(ALICE), RULES]],
  ['a knock', member(ALICE, ALICE, { membership: 'knock' }), [LEVELS, of(ALICE), RULES]],
  ['a leave', member(ALICE, ALICE, { membership: 'leave' }), [LEVELS, of(ALICE)]],
  ['a ban', member(ALICE, BOB, { membership: 'ban' }), [LEVELS, of(ALICE), of(BOB)]],
];

for (const versionId of ['10', '11', '12']) {
  const version = roomVersion(versionId) as RoomVersion;
  for (const [title, draft, expected] of CASES) {
    test(`v${versionId} auth events of ${title}`, () => {
      assert.deepEqual(authTypesFor(draft, version), versionId === '12' ? expected : [['m.room.create', ''], ...expected]);
    });
  }
  test(`v${versionId} a create event has none`, () => {
    assert.deepEqual(authTypesFor({ type: 'm.room.create', sender: ALICE, state_key: '', content: {} }, version), []);
  });
}
