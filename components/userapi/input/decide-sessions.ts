/** PURE. Tokens: refreshing them (Client-Server API, "Refreshing access tokens"), those that are good for a short while, and user-interactive authentication. */
import type { NewDevice, RefreshTokens, UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';
import { keyOfHash, type DeviceToken } from './session-facts.ts';

/** A user may hold so many issued tokens of one purpose; the oldest go first. */
export const ISSUED_TOKENS_MAX = 20;
/** Answers to refreshes that were lost, of one session: so many of them may still arrive. */
export const UNUSED_REFRESHES_MAX = 4;
/** What the key of an input about user-interactive authentication begins with; the name of the session follows. */
export const UIA_KEY_SIGIL = '~';
const UIA_STAGES_MAX = 16;
/** So that a token that was good once is told from one that never was: its holder logs in again with the same device. */
const LONG_AGO_MS = 1;

/** What of a log-in becomes the device's only token. */
export function firstToken(device: NewDevice, ts: number): DeviceToken {
  const refreshes = (device.familyHash?.length ?? 0) > 0;
  return {
    tokenHash: device.tokenHash, createdAt: ts, expiresMs: device.expiresMs ?? 0, isNew: false,
    familyHash: refreshes ? device.familyHash! : null, refreshHash: refreshes ? device.refreshHash! : null, refreshExpiresMs: device.refreshExpiresMs ?? 0,
  };
}

/**
 * A refresh token may be used again until one of the tokens that it brought was used: an answer can be lost. After that it is used up, and whoever sends it once more has copied it, or was
 * copied: the whole session ends, and its user logs in again.
 */
export function decideRefresh(draft: Draft, wanted: RefreshTokens): Verdict {
  const tokens = draft.picture.sessions.tokens.get(wanted.deviceId) ?? [];
  const family = tokens.filter(({ familyHash }) => isSame(familyHash, wanted.familyHash));
  if (family.length === 0) return unknownToken('The refresh token is not known (any more)', false);
  const held = family.find(({ refreshHash }) => isSame(refreshHash, wanted.refreshHash));
  const { ts } = draft.input;
  if (held === undefined) {
    const refusal = unknownToken('The refresh token was used before; the session has ended', true);
    if (family.every((token) => token.refreshHash === null)) return refusal;
    draft.writes.push({ kind: 'tokens', deviceId: wanted.deviceId, tokens: family.map((token) => ended(token)) });
    return { ...refusal, effects: { userId: draft.input.userId, ts, writes: draft.writes } };
  }
  if (held.refreshExpiresMs > 0 && held.refreshExpiresMs <= ts) return unknownToken('The refresh token has expired', true);
  const before = held.isNew ? confirmed(family, held) : family;
  const fresh: DeviceToken = {
    tokenHash: wanted.newTokenHash, createdAt: ts, expiresMs: wanted.expiresMs, isNew: true, familyHash: wanted.familyHash, refreshHash: wanted.newRefreshHash,
    refreshExpiresMs: wanted.refreshExpiresMs,
  };
  const unused = before.filter(({ isNew }) => isNew).slice(1 - UNUSED_REFRESHES_MAX);
  draft.writes.push({ kind: 'tokens', deviceId: wanted.deviceId, tokens: [...before.filter(({ isNew }) => !isNew), ...unused, fresh] });
  return accepted(draft, { user_id: draft.input.userId });
}

/** Which of two instances sees the first use of a token does not matter; the second one changes nothing. */
export function decideConfirm(draft: Draft, { deviceId, tokenHash }: NonNullable<UserInput['confirmToken']>): Verdict {
  const tokens = draft.picture.sessions.tokens.get(deviceId) ?? [];
  const used = tokens.find((token) => token.isNew && isSame(token.tokenHash, tokenHash));
  if (used !== undefined) draft.writes.push({ kind: 'tokens', deviceId, tokens: confirmed(tokens, used) });
  return accepted(draft);
}

/** The used token is the session's; of the others only the one before is kept, ended, so that its last requests learn that it is time for the new one. */
function confirmed(tokens: readonly DeviceToken[], used: DeviceToken): DeviceToken[] {
  const before = tokens.filter((token) => !token.isNew && token.refreshHash !== null).map((token) => ended(token));
  return [...before, { ...used, isNew: false }];
}

function ended(token: DeviceToken): DeviceToken {
  return { ...token, isNew: false, expiresMs: LONG_AGO_MS, refreshHash: null };
}

/** The token is good until its time is over or, for logging in, until it was used once. */
export function decideIssueToken(draft: Draft, { purpose, tokenHash, expiresMs }: NonNullable<UserInput['issueToken']>): Verdict {
  const alike = [...draft.picture.sessions.issued.values()].filter((one) => one.purpose === purpose).sort((a, b) => a.expiresMs - b.expiresMs);
  for (const old of alike.slice(0, Math.max(0, alike.length + 1 - ISSUED_TOKENS_MAX))) draft.writes.push({ kind: 'issued-token-gone', tokenHash: old.tokenHash });
  draft.writes.push({ kind: 'issued-token', purpose, tokenHash, expiresMs });
  return accepted(draft);
}

/** Uses up the token of `m.login.token`; the refusal when it is not good. */
export function takeLoginToken(draft: Draft, hash: Uint8Array): Verdict | undefined {
  const token = draft.picture.sessions.issued.get(keyOfHash(hash));
  if (token?.purpose !== 'login' || token.expiresMs <= draft.input.ts) return rejected(403, 'M_FORBIDDEN', 'The login token is not valid');
  draft.writes.push({ kind: 'issued-token-gone', tokenHash: hash });
  return undefined;
}

/** A stage without a name uses the session up: what it has authorised is done once. */
export function decideUiaStep(draft: Draft, { stage, expiresMs }: NonNullable<UserInput['uiaStep']>): Verdict {
  const { stages, isUsedUp } = draft.picture.sessions.uia ?? { stages: [], isUsedUp: false };
  if (isUsedUp) return rejected(403, 'M_FORBIDDEN', 'What this session was for has been done');
  if (stage === '') draft.writes.push({ kind: 'uia-session', stages, isUsedUp: true, expiresMs });
  else if (!stages.includes(stage) && stages.length < UIA_STAGES_MAX) draft.writes.push({ kind: 'uia-session', stages: [...stages, stage], isUsedUp: false, expiresMs });
  return accepted(draft);
}

function unknownToken(error: string, softLogout: boolean) {
  return { kind: 'rejected' as const, outcome: { status: 401, errcode: 'M_UNKNOWN_TOKEN', error, fields: { soft_logout: softLogout } } };
}

function isSame(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && Buffer.compare(a, b) === 0;
}
