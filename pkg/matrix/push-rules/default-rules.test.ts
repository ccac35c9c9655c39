import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPushRules, PUSH_RULE_KINDS } from './default-rules.ts';

test('the predefined rules, in the order of the spec', () => {
  const rules = defaultPushRules('@alice:one.test');
  const ids = PUSH_RULE_KINDS.map((kind) => [kind, rules[kind].map((rule) => rule.rule_id.replace('.m.rule.', ''))]);
  assert.deepEqual(Object.fromEntries(ids), {
    override: [
      'master', 'suppress_notices', 'invite_for_me', 'member_event', 'is_user_mention', 'is_room_mention', 'tombstone', 'reaction', 'room.server_acl', 'suppress_edits',
    ],
    content: [],
    room: [],
    sender: [],
    underride: ['call', 'encrypted_room_one_to_one', 'room_one_to_one', 'message', 'encrypted'],
  });
});

test('all are on but the master rule, and all are the server’s', () => {
  const { override, underride } = defaultPushRules('@alice:one.test');
  const all = [...override, ...underride];
  assert.deepEqual(all.filter((rule) => !rule.enabled).map((rule) => rule.rule_id), ['.m.rule.master']);
  assert.ok(all.every((rule) => rule.default && rule.conditions !== undefined));
});

test('two rules are about the user', () => {
  const { override } = defaultPushRules('@alice:one.test');
  assert.deepEqual(override.filter((rule) => JSON.stringify(rule).includes('@alice:one.test')), [
    {
      rule_id: '.m.rule.invite_for_me',
      default: true,
      enabled: true,
      conditions: [
        { kind: 'event_match', key: 'type', pattern: 'm.room.member' },
        { kind: 'event_match', key: 'content.membership', pattern: 'invite' },
        { kind: 'event_match', key: 'state_key', pattern: '@alice:one.test' },
      ],
      actions: ['notify', { set_tweak: 'sound', value: 'default' }],
    },
    {
      rule_id: '.m.rule.is_user_mention',
      default: true,
      enabled: true,
      conditions: [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: '@alice:one.test' }],
      actions: ['notify', { set_tweak: 'sound', value: 'default' }, { set_tweak: 'highlight' }],
    },
  ]);
});
