/** Changes of a user's push rules (spec: client-server, pushrules.yaml). Pure. */
import { defaultPushRules, PUSH_RULE_KINDS, type PushRule, type PushRuleKind, type PushRuleset } from './default-rules.ts';
import { effective } from './prepare-rules.ts';

/** Why a change is refused. */
export class RuleRefusal extends Error {
  override readonly name = 'RuleRefusal';
  readonly status: number;
  readonly errcode: string;
  constructor(status: number, errcode: string, message: string) {
    super(message);
    this.status = status;
    this.errcode = errcode;
  }
}

/**
 * The user's rules: those that were stored (the content of `m.push_rules`; undefined: nothing was ever changed), with the predefined ones as they are now. Of a predefined rule the user has set
 * whether it is on and what it does; one that came later is as it is predefined, and one that is gone is left out.
 */
export function mergedRules(userId: string, stored: unknown): PushRuleset {
  const predefined = defaultPushRules(userId);
  const kept = (stored as { global?: Partial<Record<PushRuleKind, readonly PushRule[]>> } | undefined)?.global;
  if (kept === undefined) return predefined;
  const merged = PUSH_RULE_KINDS.map((kind) => {
    const rules = kept[kind] ?? [];
    const known = new Map(rules.filter((rule) => rule.default).map((rule) => [rule.rule_id, rule]));
    const defaults = predefined[kind].map((rule) => {
      const set = known.get(rule.rule_id);
      return set === undefined ? rule : { ...rule, enabled: set.enabled, actions: set.actions };
    });
    return [kind, inOrder(rules.filter((rule) => !rule.default), defaults)] as const;
  });
  return Object.fromEntries(merged) as unknown as PushRuleset;
}

const MASTER = '.m.rule.master';

/** The master rule is tried before all others, the other predefined ones after the user's. */
function inOrder(own: readonly PushRule[], defaults: readonly PushRule[]): PushRule[] {
  const isMaster = (rule: PushRule): boolean => rule.rule_id === MASTER;
  return [...defaults.filter(isMaster), ...own, ...defaults.filter((rule) => !isMaster(rule))];
}

export interface RulePlace {
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** Sets a rule of the user's; a new one is on. Throws `RuleRefusal` for a place beside a rule that is not there, or is predefined. */
export function putRule(rules: PushRuleset, kind: PushRuleKind, rule: Pick<PushRule, 'rule_id' | 'actions' | 'conditions' | 'pattern'>, place: RulePlace): PushRuleset {
  const own = rules[kind].filter((one) => !one.default);
  const present = own.findIndex((one) => one.rule_id === rule.rule_id);
  const put: PushRule = { ...rule, actions: effective(rule.actions), default: false, enabled: own[present]?.enabled ?? true };
  const others = own.filter((_, index) => index !== present);
  const at = placeAmong(others, place) ?? Math.max(0, present);
  return { ...rules, [kind]: inOrder(others.toSpliced(at, 0, put), rules[kind].filter((one) => one.default)) };
}

/** `before` counts where both are given. undefined: neither is. */
function placeAmong(others: readonly PushRule[], { before, after }: RulePlace): number | undefined {
  const beside = before ?? after;
  if (beside === undefined) return undefined;
  const at = others.findIndex((rule) => rule.rule_id === beside);
  if (at < 0) throw new RuleRefusal(400, 'M_UNKNOWN', `before/after rule not found: ${beside}`);
  return before === undefined ? at + 1 : at;
}

/** Throws `RuleRefusal` when there is no such rule, or it is predefined. */
export function deleteRule(rules: PushRuleset, kind: PushRuleKind, ruleId: string): PushRuleset {
  if (requireRule(rules, kind, ruleId).default) throw new RuleRefusal(400, 'M_INVALID_PARAM', 'Predefined rules can be turned off, and not deleted');
  return { ...rules, [kind]: rules[kind].filter((rule) => rule.rule_id !== ruleId) };
}

/** Throws `RuleRefusal` when there is no such rule. */
export function changeRule(rules: PushRuleset, kind: PushRuleKind, ruleId: string, change: Partial<Pick<PushRule, 'enabled' | 'actions'>>): PushRuleset {
  requireRule(rules, kind, ruleId);
  const actions = change.actions && { actions: effective(change.actions) };
  return { ...rules, [kind]: rules[kind].map((rule) => (rule.rule_id === ruleId ? { ...rule, ...change, ...actions } : rule)) };
}

/** The rule. Throws `RuleRefusal` when there is none. */
export function requireRule(rules: PushRuleset, kind: PushRuleKind, ruleId: string): PushRule {
  const rule = rules[kind].find((one) => one.rule_id === ruleId);
  if (rule === undefined) throw new RuleRefusal(404, 'M_NOT_FOUND', 'There is no such push rule');
  return rule;
}
