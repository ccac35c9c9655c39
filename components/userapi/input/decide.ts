/** The verdict on an input of a user: pure, from the user's picture and the input alone. */
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { Register, UserInput } from '../../../schemas/log/user-input.ts';
import { decideOfBackups } from '../key-backup/decide-key-backup.ts';
import { decideUploadCrossSigning, decideUploadSignatures } from '../keys/decide-cross-signing.ts';
import { decideClaimKeys, decideUploadKeys } from '../keys/decide-keys.ts';
import { decideRemoteKeys } from '../keys/decide-remote-keys.ts';
import { isAboutPushRules } from './about-push-rules.ts';
import { decideChangePassword, decideLogin, decideLogout, decidePutDevice, decideRemoveDevices, decideSeeDevice, removeDevices, useDevice } from './decide-devices.ts';
import { decideAcceptTerms, decideDeactivate, decideFinishDeactivation, decideSetAccountFlag, decideUpgradeGuest } from './decide-lifecycle.ts';
import { decideFinishProfileSpread, decideSetProfileField } from './decide-profile.ts';
import { decidePushRules } from './decide-push-rules.ts';
import { decideOfDehydrated } from './decide-dehydrated.ts';
import { decidePutRegistrationToken, decideUseRegistrationToken } from './decide-registration-token.ts';
import { decideFollowUpgrade, decideSetNoticeRoom } from './decide-room-settings.ts';
import { decideConfirm, decideIssueToken, decideRefresh, decideUiaStep } from './decide-sessions.ts';
import { decideReport } from './decide-report.ts';
import { decideSetPresence } from './decide-presence.ts';
import { decideSetTag } from './decide-tags.ts';
import { decideOfMessages, decideSendToDevice } from '../to-device/decide-to-device.ts';
import { accepted, openDraft, rejected, type Draft, type DraftPlace, type Verdict } from './draft.ts';
import type { UserPicture } from './picture.ts';

/** Content of one piece of account data, and a filter's definition, in bytes. */
export const CONTENT_BYTES_MAX = 64 * 1024;

/** Decides `input` at `place`. Throws `PoisonRecord` for an input without a kind that it knows. */
export function decideUserInput(picture: UserPicture, input: UserInput, place: Pick<InputPlace, 'nowMs'> & DraftPlace): Verdict {
  const draft = openDraft(picture, input, place);
  if (input.register) return register(draft, input.register);
  if (input.putRegistrationToken) return decidePutRegistrationToken(draft, input.putRegistrationToken);
  if (input.useRegistrationToken) return decideUseRegistrationToken(draft, input.useRegistrationToken, place.nowMs);
  if (input.uiaStep) return decideUiaStep(draft, input.uiaStep);
  if (input.remoteKeys) return decideRemoteKeys(draft, input.remoteKeys);
  if (input.sendToDevice) return decideSendToDevice(draft, input.sendToDevice);
  if (picture.account === undefined) return rejected(404, 'M_NOT_FOUND', 'There is no such account');
  if (input.deactivate) return decideDeactivate(draft, input.deactivate);
  if (input.finishProfileSpread) return decideFinishProfileSpread(draft, input.finishProfileSpread);
  if (input.finishDeactivation) return decideFinishDeactivation(draft);
  if (picture.account.deactivated) return rejected(403, 'M_USER_DEACTIVATED', 'This account is deactivated');
  // No other input of a locked user gets as far as here: their requests are refused.
  if (picture.account.isLocked && (input.login ?? input.refreshTokens)) return LOCKED;
  return decideOfAccount(draft);
}

const LOCKED: Verdict = { kind: 'rejected', outcome: { status: 401, errcode: 'M_USER_LOCKED', error: 'This account has been locked', fields: { soft_logout: true } } };


function decideOfAccount(draft: Draft): Verdict {
  const { input } = draft;
  const ofArea = decideOfArea(draft);
  if (ofArea !== undefined) return ofArea;
  if (input.setProfileField) return decideSetProfileField(draft, input.setProfileField);
  if (input.setTag) return decideSetTag(draft, input.setTag);
  if (input.setPresence) return decideSetPresence(draft, input.setPresence);
  if (input.report) return decideReport(draft, input.report);
  if (input.setAccountData) return setAccountData(draft, input.setAccountData);
  if (input.putFilter) return putFilter(draft, input.putFilter);
  if (isAboutPushRules(input)) return decidePushRules(draft)!;
  if (input.followUpgrade) return decideFollowUpgrade(draft, input.followUpgrade);
  if (input.setNoticeRoom) return decideSetNoticeRoom(draft, input.setNoticeRoom);
  if (input.setAccountFlag) return decideSetAccountFlag(draft, input.setAccountFlag);
  if (input.acceptTerms) return decideAcceptTerms(draft, input.acceptTerms);
  if (input.upgradeGuest) return upgradeGuest(draft, input.upgradeGuest);
  throw new PoisonRecord('a user input of no known kind');
}

/** undefined: it is about something else. */
function decideOfKeys(draft: Draft): Verdict | undefined {
  const { input } = draft;
  if (input.uploadKeys) return decideUploadKeys(draft, input.uploadKeys);
  if (input.claimKeys) return decideClaimKeys(draft, input.claimKeys);
  if (input.uploadCrossSigning) return decideUploadCrossSigning(draft, input.uploadCrossSigning);
  if (input.uploadSignatures) return decideUploadSignatures(draft, input.uploadSignatures);
  return undefined;
}

/** undefined: it is about something else. */
function decideOfArea(draft: Draft): Verdict | undefined {
  return decideOfSession(draft) ?? decideOfKeys(draft) ?? decideOfDehydrated(draft) ?? decideOfMessages(draft) ?? decideOfBackups(draft);
}

/** undefined: it is about something else. */
function decideOfSession(draft: Draft): Verdict | undefined {
  const { input } = draft;
  if (input.login) return decideLogin(draft, input.login);
  if (input.logout) return decideLogout(draft, input.logout.deviceId);
  if (input.seeDevice) return decideSeeDevice(draft, input.seeDevice);
  if (input.refreshTokens) return decideRefresh(draft, input.refreshTokens);
  if (input.confirmToken) return decideConfirm(draft, input.confirmToken);
  if (input.issueToken) return decideIssueToken(draft, input.issueToken);
  if (input.removeDevices) return decideRemoveDevices(draft, input.removeDevices.deviceIds);
  if (input.putDevice) return decidePutDevice(draft, input.putDevice);
  if (input.changePassword) return decideChangePassword(draft, input.changePassword);
  return undefined;
}

function register(draft: Draft, wanted: Register): Verdict {
  if (draft.picture.account !== undefined) return rejected(400, 'M_USER_IN_USE', 'This user ID is taken');
  draft.writes.push({ kind: 'account', passwordHash: wanted.passwordHash, accountKind: wanted.kind, isAdmin: wanted.admin === true });
  if (wanted.device) useDevice(draft, wanted.device);
  return accepted(draft, { user_id: draft.input.userId });
}

/** The sessions of the guest end; the first one of the user begins. */
function upgradeGuest(draft: Draft, wanted: NonNullable<UserInput['upgradeGuest']>): Verdict {
  const verdict = decideUpgradeGuest(draft, wanted);
  if (verdict.kind !== 'accepted') return verdict;
  removeDevices(draft, [...draft.picture.devices.keys()]);
  if (wanted.device) useDevice(draft, wanted.device);
  return verdict;
}

function setAccountData(draft: Draft, data: { roomId: string; type: string; content: Uint8Array }): Verdict {
  if (data.content.length > CONTENT_BYTES_MAX) return rejected(413, 'M_TOO_LARGE', `Account data has at most ${CONTENT_BYTES_MAX} bytes`);
  const { roomId, type, content } = data;
  const sequence = draft.emit({ accountData: { roomId, type, content } });
  draft.writes.push({ kind: 'account-data', roomId, type, content, sequence });
  return accepted(draft);
}

function putFilter(draft: Draft, filter: { filterId: string; definition: Uint8Array }): Verdict {
  if (filter.definition.length > CONTENT_BYTES_MAX) return rejected(413, 'M_TOO_LARGE', `A filter has at most ${CONTENT_BYTES_MAX} bytes`);
  draft.writes.push({ kind: 'filter', filterId: filter.filterId, definition: filter.definition });
  return accepted(draft, { filter_id: filter.filterId });
}
