/** What `decide` knows of a user: loaded for a batch, and carried forward by the effects of the inputs before. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { isAboutPushRules, PUSH_RULES } from './about-push-rules.ts';
import { advanceBackup, emptyBackupFacts, loadBackupFacts, type BackupFacts } from '../key-backup/backup-facts.ts';
import { isBackupWrite } from '../key-backup/backup-writes.ts';
import { advanceKeys, emptyKeyFacts, loadKeyFacts, type KeyFacts } from '../keys/key-facts.ts';
import { isKeyWrite } from '../keys/key-writes.ts';
import type { UserEffects, UserWrite } from './effects.ts';
import { isLifecycleWrite, type LifecycleWrite } from './lifecycle-writes.ts';
import { readRegistrationTokens, type RegistrationTokenFact } from './registration-token-fact.ts';
import { advanceRoomSettings, emptyRoomSettings, loadRoomSettings, type RoomSettingsFacts } from './room-settings-facts.ts';
import { emptySessionFacts, loadSessionFacts, type SessionFacts } from './session-facts.ts';
import { advanceSession, isSessionWrite } from './session-writes.ts';

export interface AccountFact {
  readonly deactivated: boolean;
  /** Its erasure was asked for. */
  readonly isErased: boolean;
  readonly isGuest: boolean;
  readonly isLocked: boolean;
  /** JSON object: policy ID to version; empty: none. */
  readonly acceptedTerms: string;
}

export interface UserPicture {
  /** undefined: there is no such account. */
  account: AccountFact | undefined;
  /** Of inputs about a registration token: undefined when there is no such token. */
  registrationToken?: RegistrationTokenFact | undefined;
  /** Display names of the devices that exist, by device ID. */
  readonly devices: Map<string, string>;
  /** Which of the devices is a dehydrated one. */
  dehydrated?: string | undefined;
  /** JSON values of the profile fields that exist. */
  readonly profile: Map<string, Uint8Array>;
  sessions: SessionFacts;
  roomSettings: RoomSettingsFacts;
  keys: KeyFacts;
  backups: BackupFacts;
  /** Content of the account data m.push_rules; undefined: the rules are the predefined ones, or no input is about them. */
  pushRules: Uint8Array | undefined;
}

/** What nobody changes: no input is about those whom messages are for and nothing else. */
const UNTOUCHED = emptyPicture();

/** Of a user whom messages are for: only the account and the devices are looked at. There may be thousands in a batch. */
function pictureOfTarget(): UserPicture {
  return { ...UNTOUCHED, devices: new Map() };
}

export function emptyPicture(): UserPicture {
  return { account: undefined, devices: new Map(), profile: new Map(), sessions: emptySessionFacts(), roomSettings: emptyRoomSettings(), keys: emptyKeyFacts(), backups: emptyBackupFacts(), pushRules: undefined };
}

type AccountRow = { user_id: string; deactivated: number; kind: string; locked: number; accepted_terms: string; erased: number | null };
type DeviceRow = { user_id: string; device_id: string; display_name: string; dehydrated: number };
type RulesRow = { user_id: string; content: Uint8Array };
type ProfileRow = { user_id: string; field: string; value: Uint8Array };

const ACCOUNTS = `SELECT a.user_id AS user_id, a.deactivated AS deactivated, a.kind AS kind, a.locked AS locked, a.accepted_terms AS accepted_terms, d.erased AS erased
  FROM accounts a LEFT JOIN deactivations d ON d.user_id = a.user_id WHERE a.user_id IN (??)`;

const DEVICES = 'SELECT user_id, device_id, display_name, CASE WHEN dehydrated IS NULL THEN 0 ELSE 1 END AS dehydrated FROM devices WHERE removed = 0 AND user_id IN (??)';

/** Pictures of all users of `inputs`, with at most three queries, two more for registration tokens: devices and profiles only of those whose inputs need them. */
export async function loadPictures(reader: Reader, inputs: readonly UserInput[]): Promise<Map<string, UserPicture>> {
  const targets = inputs.flatMap((input) => input.sendToDevice?.targets.map(({ userId }) => userId) ?? []);
  // Those whom inputs are about last: theirs are the whole ones.
  const pictures = new Map([...targets.map((userId) => [userId, pictureOfTarget()] as const), ...inputs.map(({ userId }) => [userId, emptyPicture()] as const)]);
  const usersOf = (needed: (input: UserInput) => unknown) => [...new Set(inputs.filter(needed).map((input) => input.userId))];
  const ofDevices = [...new Set([...usersOf((input) => input.register ?? input.login ?? input.logout ?? input.removeDevices ?? input.putDevice ?? input.changePassword ?? input.deactivate ?? input.upgradeGuest ?? input.uploadKeys ?? input.uploadCrossSigning ?? input.uploadSignatures ?? input.putDehydratedDevice ?? input.removeDehydratedDevice), ...targets])];
  const ofProfiles = usersOf((input) => input.setProfileField ?? input.deactivate);
  const ofTokens = usersOf((input) => input.putRegistrationToken ?? input.useRegistrationToken);
  const ofRules = usersOf((input) => isAboutPushRules(input) || input.followUpgrade);

  const [accounts, devices, profiles, tokens, sessions, roomSettings, rules, keys, backups] = await Promise.all([
    reader.queryIn<AccountRow>(ACCOUNTS, [], [...pictures.keys()]),
    ofDevices.length === 0 ? [] : reader.queryIn<DeviceRow>(DEVICES, [], ofDevices),
    ofProfiles.length === 0 ? [] : reader.queryIn<ProfileRow>('SELECT user_id, field, value FROM profiles WHERE user_id IN (??)', [], ofProfiles),
    readRegistrationTokens(reader, ofTokens.map((key) => key.slice(1))),
    loadSessionFacts(reader, inputs),
    loadRoomSettings(reader, inputs),
    ofRules.length === 0 ? [] : reader.queryIn<RulesRow>(`SELECT user_id, content FROM account_data WHERE room_id = '' AND type = ? AND user_id IN (??)`, [PUSH_RULES], ofRules),
    loadKeyFacts(reader, inputs),
    loadBackupFacts(reader, inputs),
  ]);
  for (const row of accounts) {
    pictures.get(row.user_id)!.account = { deactivated: row.deactivated !== 0, isErased: row.erased === 1, isGuest: row.kind === 'guest', isLocked: row.locked !== 0, acceptedTerms: row.accepted_terms };
  }
  for (const row of devices) {
    const picture = pictures.get(row.user_id)!;
    picture.devices.set(row.device_id, row.display_name);
    if (row.dehydrated !== 0) picture.dehydrated = row.device_id;
  }
  for (const row of profiles) {
    if (row.value.length > 0) pictures.get(row.user_id)!.profile.set(row.field, row.value);
  }
  for (const [token, fact] of tokens) pictures.get(`#${token}`)!.registrationToken = fact;
  for (const row of rules) pictures.get(row.user_id)!.pushRules = row.content;
  for (const [userId, facts] of roomSettings) pictures.get(userId)!.roomSettings = facts;
  for (const [userId, facts] of keys) pictures.get(userId)!.keys = facts;
  for (const [userId, facts] of backups) pictures.get(userId)!.backups = facts;
  for (const [key, facts] of sessions) pictures.get(key)!.sessions = facts;
  return pictures;
}

/** Carries the picture forward over the effects of an accepted input. */
export function advance(picture: UserPicture, effects: UserEffects): void {
  for (const write of effects.writes) {
    advanceOne(picture, write);
    advanceRoomSettings(picture.roomSettings, write);
  }
}

function advanceOne(picture: UserPicture, write: UserWrite): void {
  switch (write.kind) {
    case 'account':
      picture.account = { deactivated: false, isErased: false, isGuest: write.accountKind === 'guest', isLocked: false, acceptedTerms: '' };
      return;
    case 'device':
      picture.devices.set(write.deviceId, write.displayName);
      return;
    case 'device-removed':
      picture.devices.delete(write.deviceId);
      return;
    case 'dehydrated':
      picture.dehydrated = write.data === null ? undefined : write.deviceId;
      return;
    case 'profile':
      if (write.value.length === 0) picture.profile.delete(write.field);
      else picture.profile.set(write.field, write.value);
      return;
    case 'account-data':
      if (write.roomId === '' && write.type === PUSH_RULES) picture.pushRules = write.content;
      return;
    default:
      if (isKeyWrite(write)) advanceKeys(picture.keys, write);
      else if (isBackupWrite(write)) advanceBackup(picture.backups, write);
      else if (isSessionWrite(write)) advanceSession(picture.sessions, write);
      else if (isLifecycleWrite(write)) advanceLifecycle(picture, write);
      return;
  }
}

function advanceLifecycle(picture: UserPicture, write: LifecycleWrite): void {
  const { account, registrationToken: token } = picture;
  if (account !== undefined) picture.account = accountAfter(account, write);
  if (write.kind === 'registration-token') {
    picture.registrationToken = write.removed ? undefined : { completed: 0, pending: new Map(), ...token, usesAllowed: write.usesAllowed, expiresMs: write.expiresMs };
  }
  if (write.kind === 'registration-token-use') {
    token?.pending.delete(write.insteadOf);
    if (write.userId !== '') token?.pending.set(write.userId, write.reservedUntilMs);
  }
}

function accountAfter(account: AccountFact, write: LifecycleWrite): AccountFact {
  switch (write.kind) {
    case 'deactivated':
      return { ...account, deactivated: true, isErased: write.erase };
    case 'flag':
      return write.flag === 'locked' ? { ...account, isLocked: write.isSet } : account;
    case 'terms':
      return { ...account, acceptedTerms: write.versions };
    case 'guest-upgraded':
      return { ...account, isGuest: false };
    default:
      return account;
  }
}
