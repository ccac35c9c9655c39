import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeRule, deleteRule, mergedRules, putRule, RuleRefusal } from './change-rules.ts';
import { defaultPushRules, type PushRuleset } from './default-rules.ts';

const ALICE = '@alice:one.test';
const DEFAULTS = defaultPushRules(ALICE);
const ids = (rules: PushRuleset, kind: 'content' | 'override'): string[] => rules[kind].filter((rule) => !rule.default).map((rule) => rule.rule_id);
const put = (rules: PushRuleset, id: string, place = {}): PushRuleset => putRule(rules, 'content', { rule_id: id, pattern: id, actions: ['notify'] }, place);
const refusal = (status: number, errcode: string) => (error: unknown): boolean => error instanceof RuleRefusal && error.status === status && error.errcode === errcode;

test('a new rule is the most important of the user’s, or stands where it is put', () => {
  const rules = put(put(put(DEFAULTS, 'a'), 'b'), 'c');
  assert.deepEqual(ids(rules, 'content'), ['c', 'b', 'a']);
  assert.deepEqual(ids(put(rules, 'd', { before: 'b' }), 'content'), ['c', 'd', 'b', 'a']);
  assert.deepEqual(ids(put(rules, 'd', { after: 'b' }), 'content'), ['c', 'b', 'd', 'a']);
  assert.deepEqual(ids(put(rules, 'd', { after: 'c', before: 'a' }), 'content'), ['c', 'b', 'd', 'a']);
  assert.deepEqual(ids(put(rules, 'a', { before: 'c' }), 'content'), ['a', 'c', 'b']);
  assert.deepEqual(ids(put(rules, 'b'), 'content'), ['c', 'b', 'a'], 'a change leaves it where it is');
  assert.throws(() => put(rules, 'd', { before: 'x' }), refusal(400, 'M_UNKNOWN'));
  assert.throws(() => put(rules, 'd', { after: 'd' }), refusal(400, 'M_UNKNOWN'));
});

test('predefined rules come after the user’s, but the master rule', () => {
  const rules = putRule(DEFAULTS, 'override', { rule_id: 'mine', conditions: [], actions: [] }, {});
  assert.deepEqual(rules.override.slice(0, 3).map((rule) => rule.rule_id), ['.m.rule.master', 'mine', '.m.rule.suppress_notices']);
});

test('a rule that is off stays so when it is changed', () => {
  const off = changeRule(put(DEFAULTS, 'a'), 'content', 'a', { enabled: false });
  assert.equal(put(off, 'a').content[0]?.enabled, false);
  assert.deepEqual(changeRule(off, 'content', 'a', { actions: ['dont_notify'] }).content[0]?.actions, []);
  assert.throws(() => changeRule(off, 'content', 'b', { enabled: true }), refusal(404, 'M_NOT_FOUND'));
});

test('only the user’s own rules can be deleted', () => {
  assert.deepEqual(deleteRule(put(DEFAULTS, 'a'), 'content', 'a'), DEFAULTS);
  assert.throws(() => deleteRule(DEFAULTS, 'content', 'a'), refusal(404, 'M_NOT_FOUND'));
  assert.throws(() => deleteRule(DEFAULTS, 'override', '.m.rule.master'), refusal(400, 'M_INVALID_PARAM'));
});

test('what was stored is merged with the predefined rules of today', () => {
  const changed = changeRule(put(DEFAULTS, 'a'), 'underride', '.m.rule.message', { enabled: false, actions: [] });
  const older = {
    global: {
      ...changed,
      override: [...changed.override.filter((rule) => rule.rule_id !== '.m.rule.reaction'), { rule_id: '.m.rule.gone', default: true, enabled: true, conditions: [], actions: [] }],
    },
  };
  assert.deepEqual(mergedRules(ALICE, JSON.parse(JSON.stringify(older))), changed);
  assert.deepEqual(mergedRules(ALICE, { global: changed }), changed);
  assert.deepEqual(mergedRules(ALICE, undefined), DEFAULTS);
});
