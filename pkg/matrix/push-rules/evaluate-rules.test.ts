import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergedRules, putRule } from './change-rules.ts';
import type { PushRuleset } from './default-rules.ts';
import { compileRules, NO_NOTICE, noticeOf, type EventFacts } from './evaluate-rules.ts';
import { prepareRules, type RuleHolder } from './prepare-rules.ts';
import { parsePropertyPath } from './property-path.ts';

const HOLDER: RuleHolder = { userId: '@alice:one.test', roomId: '!room:one.test', displayName: 'Alice *' };
const DEFAULTS = mergedRules(HOLDER.userId, undefined);
const ORDINARY = { levels: { users: { '@bob:one.test': 60 } }, creators: [], privilegedCreators: false };

const facts = (event: object, more: Partial<EventFacts> = {}): EventFacts =>
  ({ event: { type: 'm.room.message', sender: '@bob:one.test', room_id: HOLDER.roomId, content: {}, ...event }, memberCount: 3, power: () => ORDINARY, ...more });

function notice(ruleset: PushRuleset, event: object, more: Partial<EventFacts> = {}) {
  const { shared, own } = prepareRules(ruleset, HOLDER);
  return compileRules(own ?? shared).evaluate(facts(event, more), HOLDER.userId);
}

const kind = (ruleset: PushRuleset, event: object, more: Partial<EventFacts> = {}): string => {
  const { notify, highlight } = notice(ruleset, event, more);
  return highlight ? 'highlight' : notify ? 'notify' : 'silent';
};

test('what the predefined rules make of events', () => {
  const cases: [event: object, expected: string, more?: Partial<EventFacts>][] = [
    [{ content: { msgtype: 'm.text', body: 'x' } }, 'notify'],
    [{ content: { msgtype: 'm.notice', body: 'x' } }, 'silent'],
    [{ content: { 'm.mentions': { user_ids: [HOLDER.userId] } } }, 'highlight'],
    [{ content: { 'm.mentions': { user_ids: ['@zoe:one.test', 5] } } }, 'notify'],
    [{ content: { msgtype: 'm.notice', 'm.mentions': { user_ids: [HOLDER.userId] } } }, 'silent'],
    [{ content: { 'm.mentions': { room: true } } }, 'highlight'],
    [{ content: { 'm.mentions': { room: true } }, sender: '@zoe:one.test' }, 'notify'],
    [{ content: { 'm.mentions': { room: 'true' } } }, 'notify'],
    [{ content: { 'm.relates_to': { rel_type: 'm.replace' } } }, 'silent'],
    [{ type: 'm.reaction' }, 'silent'],
    [{ type: 'm.room.encrypted' }, 'notify'],
    [{ type: 'm.call.invite' }, 'notify'],
    [{ type: 'm.room.tombstone', state_key: '' }, 'highlight'],
    [{ type: 'm.room.tombstone' }, 'silent'],
    [{ type: 'm.room.member', state_key: HOLDER.userId, content: { membership: 'invite' } }, 'notify'],
    [{ type: 'm.room.member', state_key: '@zoe:one.test', content: { membership: 'invite' } }, 'silent'],
    [{ type: 'org.example.other' }, 'silent'],
  ];
  for (const [event, expected, more] of cases) assert.equal(kind(DEFAULTS, event, more), expected, JSON.stringify(event));
  assert.equal(notice(DEFAULTS, {}, { memberCount: 2 }).actions, JSON.stringify(['notify', { set_tweak: 'sound', value: 'default' }]));
});

test('conditions', () => {
  const holds = (condition: object, event: object, more: Partial<EventFacts> = {}): boolean => {
    const rules = putRule(DEFAULTS, 'override', { rule_id: 'x', actions: ['notify', { set_tweak: 'highlight' }], conditions: [condition as never] }, {});
    return notice(rules, { type: 'org.example.other', ...event }, more).highlight;
  };
  const body = (text: unknown) => ({ content: { body: text } });
  assert.ok(holds({ kind: 'event_match', key: 'content.topic', pattern: 'lunc?*' }, { content: { topic: 'Lunch plans' } }));
  assert.ok(!holds({ kind: 'event_match', key: 'content.topic', pattern: '*' }, { content: {} }));
  assert.ok(!holds({ kind: 'event_match', key: 'content.topic', pattern: '*' }, { content: { topic: null } }));
  assert.ok(!holds({ kind: 'event_match', key: 'content.topic' }, { content: { topic: 'x' } }));
  assert.ok(holds({ kind: 'event_match', key: 'content.body', pattern: 'beer' }, body('a BEER, please')));
  assert.ok(holds({ kind: 'event_match', key: 'room_id', pattern: '!room:*' }, {}));
  assert.ok(!holds({ kind: 'event_match', key: 'room_id', pattern: '!other:*' }, {}));
  assert.ok(holds({ kind: 'event_property_is', key: 'content.m\\.federate', value: true }, { content: { 'm.federate': true } }));
  for (const value of ['true', 1]) assert.ok(!holds({ kind: 'event_property_is', key: 'content.m\\.federate', value: true }, { content: { 'm.federate': value } }));
  assert.ok(holds({ kind: 'event_property_is', key: 'content.x', value: null }, { content: { x: null } }));
  assert.ok(!holds({ kind: 'event_property_is', key: 'content.x', value: null }, { content: {} }));
  assert.ok(!holds({ kind: 'event_property_is', key: 'content.x', value: [1] }, { content: { x: [1] } }));
  assert.ok(holds({ kind: 'event_property_contains', key: 'content.a', value: 5 }, { content: { a: [[5], 5] } }));
  assert.ok(!holds({ kind: 'event_property_contains', key: 'content.a', value: 'b' }, { content: { a: 'abc' } }));
  assert.ok(holds({ kind: 'contains_display_name' }, body('hello ALICE *!')));
  assert.ok(!holds({ kind: 'contains_display_name' }, body('hello alice')));
  for (const [is, count, expected] of [['2', 2, true], ['==2', 3, false], ['<3', 2, true], ['<3', 3, false], ['>2', 3, true], ['>=3', 3, true], ['<=3', 4, false], ['x', 0, false], ['=2', 2, false]] as const) {
    assert.equal(holds({ kind: 'room_member_count', is }, {}, { memberCount: count }), expected, `${is} of ${count}`);
  }
  assert.ok(!holds({ kind: 'sender_notification_permission', key: 'room' }, { sender: '@zoe:one.test' }));
  assert.ok(!holds({ kind: 'org.example.unknown' }, {}), 'an unknown condition never holds');
});

test('rules are tried by kind, and the master rule before all', () => {
  let rules = putRule(DEFAULTS, 'content', { rule_id: 'tea', pattern: 'tea', actions: ['notify', { set_tweak: 'highlight', value: true }] }, {});
  assert.equal(kind(rules, { content: { body: 'Time for tea' } }), 'highlight');
  rules = putRule(rules, 'sender', { rule_id: '@bob:one.test', actions: [] }, {});
  assert.equal(kind(rules, { content: { body: 'no' } }), 'silent');
  assert.equal(kind(rules, { content: { body: 'tea' } }), 'highlight', 'content before sender');
  rules = putRule(rules, 'room', { rule_id: HOLDER.roomId, actions: ['notify'] }, {});
  assert.equal(kind(rules, { content: { body: 'no' } }), 'notify', 'room before sender');
  rules = putRule(rules, 'override', { rule_id: 'all', actions: ['notify', { set_tweak: 'highlight', value: false }] }, {});
  assert.equal(kind(rules, { content: { body: 'tea' } }), 'notify', 'override before content');
  const off = { ...rules, override: rules.override.map((rule) => (rule.rule_id === '.m.rule.master' ? { ...rule, enabled: true } : rule)) };
  assert.equal(kind(off, { content: { body: 'tea' } }), 'silent');
});

test('actions: a highlight needs no value, historical ones are none', () => {
  assert.deepEqual(noticeOf([{ set_tweak: 'highlight' }]), NO_NOTICE);
  assert.deepEqual(noticeOf(['notify']), { notify: true, highlight: false, actions: '' });
  assert.equal(noticeOf(['notify', { set_tweak: 'highlight', value: false }]).highlight, false);
  const rules = putRule(DEFAULTS, 'room', { rule_id: HOLDER.roomId, actions: ['dont_notify'] }, {});
  assert.equal(kind(rules, { content: {} }), 'silent');
});

test('users whom a room’s rules treat alike have equal rules, whoever they are', () => {
  const shared = (userId: string, change: (rules: PushRuleset) => PushRuleset = (rules) => rules, roomId = HOLDER.roomId) =>
    prepareRules(change(mergedRules(userId, undefined)), { userId, roomId, displayName: userId });
  const plain = shared('@zoe:one.test');
  assert.deepEqual(shared('@bob:one.test'), plain);
  assert.deepEqual(shared('@bob:one.test', (rules) => putRule(rules, 'room', { rule_id: '!other:one.test', actions: [] }, {})), plain);
  assert.deepEqual(shared('@bob:one.test', (rules) => putRule(rules, 'override', { rule_id: 'mute', actions: [], conditions: [{ kind: 'event_match', key: 'room_id', pattern: '!other:one.test' }] }, {})), plain);
  const muted = (userId: string) => shared(userId, (rules) => putRule(rules, 'override', { rule_id: 'mute', actions: [], conditions: [{ kind: 'event_match', key: 'room_id', pattern: HOLDER.roomId }] }, {}));
  assert.deepEqual(muted('@bob:one.test'), muted('@carol:one.test'));
  assert.equal(muted('@bob:one.test').own, undefined);
  assert.notDeepEqual(muted('@bob:one.test').shared, plain.shared);
  const keyword = shared('@bob:one.test', (rules) => putRule(rules, 'content', { rule_id: 'tea', pattern: 'tea', actions: ['notify'] }, {}));
  assert.deepEqual(keyword.shared, plain.shared, 'a keyword is a user’s own');
  assert.ok(keyword.own);
  assert.deepEqual(compileRules(plain.shared).named(facts({ content: { 'm.mentions': { user_ids: ['@bob:one.test', 3] } }, state_key: '@carol:one.test' })).sort(), ['@bob:one.test', '@carol:one.test']);
});

test('dots and backslashes in the names along a path', () => {
  assert.deepEqual(parsePropertyPath('content.m\\.relates_to.x'), ['content', 'm.relates_to', 'x']);
  assert.deepEqual(parsePropertyPath('content.m\\\\foo'), ['content', 'm\\foo']);
  assert.deepEqual(parsePropertyPath('a\\x.b'), ['a\\x', 'b']);
  assert.deepEqual(parsePropertyPath('a\\'), ['a\\']);
});
