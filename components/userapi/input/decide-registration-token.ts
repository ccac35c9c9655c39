/** PURE. Registration tokens that the operator gives out. Their inputs have the token as their key, so that its uses are counted by one owner. */
import type { PutRegistrationToken, UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';
import { RESERVED_MS, usesLeft } from './registration-token-fact.ts';

/** First letter of the key of a token's inputs: no user ID begins with it. */
export const TOKEN_KEY_SIGIL = '#';

/** Makes a token, changes it or takes it back. Uses so far are kept. */
export function decidePutRegistrationToken(draft: Draft, put: PutRegistrationToken): Verdict {
  const token = tokenOf(draft.input);
  if (put.removed && draft.picture.registrationToken === undefined) return rejected(404, 'M_NOT_FOUND', 'There is no such registration token');
  draft.writes.push({ kind: 'registration-token', token, removed: put.removed, usesAllowed: put.usesAllowed, expiresMs: put.expiresMs });
  return accepted(draft, { token });
}

/** Sets a use aside for an account that is about to be made, or gives it back. When the account is not made in time, the use is free again. */
export function decideUseRegistrationToken(draft: Draft, { userId, insteadOf = '' }: NonNullable<UserInput['useRegistrationToken']>, nowMs: number): Verdict {
  const isTaken = userId !== '' && usesLeft(draft.picture.registrationToken, nowMs, [userId, insteadOf]) <= 0;
  if (isTaken) return rejected(401, 'M_FORBIDDEN', 'The registration token is not valid (any more)');
  draft.writes.push({ kind: 'registration-token-use', token: tokenOf(draft.input), userId, insteadOf, reservedUntilMs: nowMs + RESERVED_MS });
  return accepted(draft);
}

function tokenOf({ userId }: UserInput): string {
  return userId.slice(TOKEN_KEY_SIGIL.length);
}
