/** Changes of push rules: read, changed and written by their owner, so that two devices at once lose nothing. They are kept as the account data `m.push_rules`, whole. */
import { changeRule, deleteRule, mergedRules, putRule, RuleRefusal } from '../../../pkg/matrix/push-rules/change-rules.ts';
import type { PushRule, PushRuleKind, PushRuleset } from '../../../pkg/matrix/push-rules/default-rules.ts';
import type { ChangePushRule, PutPushRule } from '../../../schemas/log/user-input.ts';
import { PUSH_RULES } from './about-push-rules.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';

/** All rules as JSON text, in bytes. */
const RULES_BYTES_MAX = 64 * 1024;

/** undefined: the input is about something else. */
export function decidePushRules(draft: Draft): Verdict | undefined {
  const { putPushRule: put, deletePushRule: gone, changePushRule: change } = draft.input;
  if (put) return decideRules(draft, (rules) => putRule(rules, kindOf(put), ruleOf(put), { before: put.before || undefined, after: put.after || undefined }));
  if (gone) return decideRules(draft, (rules) => deleteRule(rules, kindOf(gone), gone.ruleId));
  if (change) return decideRules(draft, (rules) => changeRule(rules, kindOf(change), change.ruleId, changeOf(change)));
  return undefined;
}

/** The rules stored are always whole, so that clients get them as they are. */
function decideRules(draft: Draft, change: (rules: PushRuleset) => PushRuleset): Verdict {
  const { userId } = draft.input;
  const stored = draft.picture.pushRules;
  const before = mergedRules(userId, stored === undefined ? undefined : parsed(stored));
  try {
    const content = Buffer.from(JSON.stringify({ global: change(before) }));
    if (content.length > RULES_BYTES_MAX) return rejected(413, 'M_TOO_LARGE', `Push rules have at most ${RULES_BYTES_MAX} bytes`);
    if (stored !== undefined && content.equals(stored)) return accepted(draft);
    const sequence = draft.emit({ accountData: { roomId: '', type: PUSH_RULES, content } });
    draft.writes.push({ kind: 'account-data', roomId: '', type: PUSH_RULES, content, sequence });
    return accepted(draft);
  } catch (error) {
    if (error instanceof RuleRefusal) return rejected(error.status, error.errcode, error.message);
    throw error;
  }
}

function kindOf(input: { kind: string }): PushRuleKind {
  return input.kind as PushRuleKind;
}

function ruleOf({ ruleId, rule }: PutPushRule): Pick<PushRule, 'rule_id' | 'actions' | 'conditions' | 'pattern'> {
  return { rule_id: ruleId, ...(parsed(rule) as Pick<PushRule, 'actions' | 'conditions' | 'pattern'>) };
}

function changeOf({ property, value }: ChangePushRule): Partial<Pick<PushRule, 'enabled' | 'actions'>> {
  return { [property]: parsed(value) };
}

function parsed(json: Uint8Array): unknown {
  return JSON.parse(Buffer.from(json).toString('utf8'));
}
