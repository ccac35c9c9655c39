/**
 * Push rules as they apply to one user in one room: what can never match there is left out, what always does is not asked again, and the user's own ID is a symbol. So users who have
 * changed nothing, or nothing that concerns the room, have equal rules, and these are evaluated once for all of them.
 */
import { PUSH_RULE_KINDS, type PushAction, type PushRule, type PushRuleset } from './default-rules.ts';
import { wholeGlob } from './glob.ts';

/** A condition; those that end in `self` are about the user's own ID. */
export type RuleTest =
  | { readonly is: 'match' | 'equal' | 'contain'; readonly key: string; readonly value: unknown }
  | { readonly is: 'match-self' | 'equal-self' | 'contain-self'; readonly key: string }
  /** `name`: the user's display name in the room. */
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'count'; readonly sign: string; readonly number: number }
  | { readonly is: 'permission'; readonly key: string };

export interface PreparedRule {
  readonly tests: readonly RuleTest[];
  readonly actions: readonly PushAction[];
}

export interface PreparedRules {
  /** The predefined rules and what the user has set for this very room: alike for many. */
  readonly shared: readonly PreparedRule[];
  /** All rules; undefined: there are no others. */
  readonly own: readonly PreparedRule[] | undefined;
  /** Whether they depend on the display name, or would if there were one. */
  readonly usesName: boolean;
}

export interface RuleHolder {
  readonly userId: string;
  readonly roomId: string;
  /** In the room. */
  readonly displayName?: string | undefined;
}

/** The rules in the order in which they are tried. */
export function prepareRules(ruleset: PushRuleset, holder: RuleHolder): PreparedRules {
  const prepared: (PreparedRule & { isShared: boolean })[] = [];
  let usesName = false;
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of ruleset[kind]) {
      const conditions = rule.enabled ? conditionsOf(kind, rule) : undefined;
      const asksForName = conditions?.some((condition) => (condition as Condition | null)?.['kind'] === 'contains_display_name') === true;
      usesName ||= asksForName;
      const tests = conditions && testsOf(conditions, holder);
      if (tests === undefined) continue;
      const isOfRoom = kind === 'room' || (tests.length === 0 && conditions!.length > 0);
      prepared.push({ tests, actions: effective(rule.actions), isShared: (rule.default || isOfRoom || tests.length === 0) && !asksForName });
    }
  }
  const strip = ({ tests, actions }: PreparedRule): PreparedRule => ({ tests, actions });
  const shared = upToTheFirstThatAlwaysMatches(prepared.filter((rule) => rule.isShared)).map(strip);
  const all = upToTheFirstThatAlwaysMatches(prepared);
  const own = all.some((rule) => !rule.isShared) ? all.map(strip) : undefined;
  return { shared, own, usesName };
}

function upToTheFirstThatAlwaysMatches<Rule extends PreparedRule>(rules: readonly Rule[]): Rule[] {
  const end = rules.findIndex((rule) => rule.tests.length === 0);
  return end < 0 ? [...rules] : rules.slice(0, end + 1);
}

/** Those that the kind of the rule implies, or its own. */
function conditionsOf(kind: (typeof PUSH_RULE_KINDS)[number], rule: PushRule): readonly unknown[] {
  if (kind === 'room') return [{ kind: 'event_match', key: 'room_id', pattern: rule.rule_id, exact: true }];
  if (kind === 'sender') return [{ kind: 'event_property_is', key: 'sender', value: rule.rule_id }];
  if (kind === 'content') return [{ kind: 'event_match', key: 'content.body', pattern: rule.pattern }];
  return rule.conditions ?? [];
}

/** undefined: they never hold. */
function testsOf(conditions: readonly unknown[], holder: RuleHolder): RuleTest[] | undefined {
  const tests: RuleTest[] = [];
  for (const condition of conditions) {
    const test = testOf(condition, holder);
    if (test === false) return undefined;
    if (test !== true) tests.push(test);
  }
  return tests;
}

type Condition = Readonly<Record<string, unknown>>;

/** true, false: it always or never holds. */
function testOf(condition: unknown, holder: RuleHolder): RuleTest | boolean {
  if (typeof condition !== 'object' || condition === null) return false;
  const { kind, key } = condition as Condition;
  if (kind === 'contains_display_name') return holder.displayName === undefined || holder.displayName === '' ? false : { is: 'name', name: holder.displayName };
  if (kind === 'room_member_count') return countTest((condition as Condition)['is']);
  if (typeof key !== 'string') return false;
  if (kind === 'sender_notification_permission') return { is: 'permission', key };
  if (kind === 'event_match') return matchTest(condition as Condition, key, holder);
  if (kind === 'event_property_is') return valueTest('equal', key, (condition as Condition)['value'], holder);
  if (kind === 'event_property_contains') return valueTest('contain', key, (condition as Condition)['value'], holder);
  return false;
}

function matchTest({ pattern, exact }: Condition, key: string, { userId, roomId }: RuleHolder): RuleTest | boolean {
  if (typeof pattern !== 'string') return false;
  if (key === 'room_id') return exact === true ? pattern === roomId : wholeGlob(pattern)(roomId);
  return pattern === userId && key !== 'content.body' ? { is: 'match-self', key } : { is: 'match', key, value: pattern };
}

function valueTest(is: 'equal' | 'contain', key: string, value: unknown, { userId, roomId }: RuleHolder): RuleTest | boolean {
  if (!isSimple(value)) return false;
  if (key === 'room_id') return is === 'equal' && value === roomId;
  return value === userId ? { is: `${is}-self`, key } : { is, key, value };
}

/** Non-compound values of canonical JSON. */
export function isSimple(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isSafeInteger(value);
}

function countTest(is: unknown): RuleTest | boolean {
  const parsed = typeof is === 'string' ? /^(==|<=|>=|<|>)?(\d{1,15})$/.exec(is) : null;
  return parsed === null ? false : { is: 'count', sign: parsed[1] ?? '==', number: Number(parsed[2]) };
}

const HISTORICAL = new Set<unknown>(['dont_notify', 'coalesce']);

/** The actions without those that are none any more (spec: "Historical Actions"). */
export function effective(actions: readonly PushAction[]): PushAction[] {
  return actions.filter((action) => !HISTORICAL.has(action));
}
