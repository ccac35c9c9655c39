/** Push rules about a room that another one replaces. Pure. */
import { PUSH_RULE_KINDS, type PushRule, type PushRuleKind } from './default-rules.ts';

type Stored = Readonly<Record<string, unknown>>;
type Rules = Partial<Record<PushRuleKind, readonly PushRule[]>>;

/**
 * Content of `m.push_rules` in which each of the user's rules about the old room is followed by one about the new room: rules of the kind `room`, and those with a condition on the room's ID. What
 * there is for the new room stays. undefined: nothing changes.
 */
export function followRules(stored: Stored, oldRoomId: string, newRoomId: string): Stored | undefined {
  const rules = (stored['global'] ?? {}) as Rules;
  let isChanged = false;
  const followed = PUSH_RULE_KINDS.map((kind) => {
    const present = rules[kind] ?? [];
    const known = new Set(present.map((rule) => rule.rule_id));
    return [kind, present.flatMap((rule) => {
      const copy = rule.default ? undefined : copyOf(rule, kind, { oldRoomId, newRoomId });
      if (copy === undefined || known.has(copy.rule_id)) return [rule];
      known.add(copy.rule_id);
      isChanged = true;
      return [rule, copy];
    })] as const;
  });
  return isChanged ? { ...stored, global: { ...rules, ...Object.fromEntries(followed) } } : undefined;
}

/** undefined: the rule is not about the old room. */
function copyOf(rule: PushRule, kind: PushRuleKind, { oldRoomId, newRoomId }: { oldRoomId: string; newRoomId: string }): PushRule | undefined {
  if (kind === 'room') return rule.rule_id === oldRoomId ? { ...rule, rule_id: newRoomId } : undefined;
  let isAbout = false;
  const conditions = (rule.conditions ?? []).map((condition) => {
    if (condition.kind !== 'event_match' || condition.key !== 'room_id' || condition.pattern !== oldRoomId) return condition;
    isAbout = true;
    return { ...condition, pattern: newRoomId };
  });
  if (!isAbout) return undefined;
  const ruleId = rule.rule_id.includes(oldRoomId) ? rule.rule_id.replace(oldRoomId, () => newRoomId) : `${rule.rule_id} ${newRoomId}`;
  return { ...rule, rule_id: ruleId, conditions };
}
