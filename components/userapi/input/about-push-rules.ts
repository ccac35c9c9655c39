import type { UserInput } from '../../../schemas/log/user-input.ts';

/** Type of the account data that has all of a user's push rules. */
export const PUSH_RULES = 'm.push_rules';

/** Whether the input needs the user's rules. */
export function isAboutPushRules(input: UserInput): boolean {
  return Boolean(input.putPushRule ?? input.deletePushRule ?? input.changePushRule);
}
