/** PURE. The life of an account: its end, what administrators restrict it to, the terms that its user accepts, a guest that becomes a user. */
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { removeKeys } from './decide-devices.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';
import { isFlag } from './lifecycle-writes.ts';

type Deactivate = NonNullable<UserInput['deactivate']>;

/**
 * Client-Server API, "POST /account/deactivate". Devices, profile, account data and filters go now; the rooms follow (`deactivate/drive.ts`). The second time it changes nothing, unless only now the
 * erasure is asked for.
 */
export function decideDeactivate(draft: Draft, { erase, roomSequences }: Deactivate): Verdict {
  const { account, devices, profile } = draft.picture;
  const isAgain = account!.deactivated;
  if (isAgain && (account!.isErased || !erase)) return accepted(draft);
  for (const deviceId of [...devices.keys()].sort()) {
    draft.writes.push({ kind: 'device-removed', deviceId, sequence: draft.emit({ device: { deviceId, removed: true } }) });
    removeKeys(draft, deviceId);
  }
  const value = new Uint8Array(0);
  for (const key of [...profile.keys()].sort()) draft.writes.push({ kind: 'profile', field: key, value, sequence: draft.emit({ profileField: { key, value } }) });
  const sequence = draft.emit({ deactivated: { erased: erase, roomSequences } });
  draft.writes.push({ kind: 'deactivated', erase, roomSequences, sequence });
  return accepted(draft);
}

/** Whoever carries a deactivation through says so at its end. */
export function decideFinishDeactivation(draft: Draft): Verdict {
  draft.writes.push({ kind: 'deactivation-finished' });
  return accepted(draft);
}

/** Locked, suspended or an administrator: or not any more. */
export function decideSetAccountFlag(draft: Draft, { flag, isSet }: NonNullable<UserInput['setAccountFlag']>): Verdict {
  if (!isFlag(flag)) throw new PoisonRecord(`an account has no flag ${flag}`);
  draft.writes.push({ kind: 'flag', flag, isSet });
  return accepted(draft);
}

/** Versions that the input does not name stay as they were accepted. */
export function decideAcceptTerms(draft: Draft, { versions }: NonNullable<UserInput['acceptTerms']>): Verdict {
  const now = JSON.parse(Buffer.from(versions).toString('utf8')) as Record<string, string>;
  const before = JSON.parse(draft.picture.account!.acceptedTerms || '{}') as Record<string, string>;
  draft.writes.push({ kind: 'terms', versions: JSON.stringify({ ...before, ...now }) });
  return accepted(draft);
}

/** Client-Server API, "Guest Access": the account keeps its ID and its rooms. Its sessions were anybody's: they go. */
export function decideUpgradeGuest(draft: Draft, { passwordHash }: NonNullable<UserInput['upgradeGuest']>): Verdict {
  if (!draft.picture.account!.isGuest) return rejected(400, 'M_USER_IN_USE', 'This user ID is taken');
  draft.writes.push({ kind: 'guest-upgraded', passwordHash });
  return accepted(draft, { user_id: draft.input.userId });
}
