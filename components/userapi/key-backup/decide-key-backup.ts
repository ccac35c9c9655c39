/** PURE. Server-side key backups (Client-Server API): versions, of which the newest one takes keys, and by which rules one key replaces another. */
import type { BackupKey, ChangeBackupKeys, UpdateKeyBackup, UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, rejected, type Draft, type Verdict } from '../input/draft.ts';
import { backupKeyOf, versionNumber, type BackupFact, type BackupFacts, type KeyRank } from './backup-facts.ts';

/** Of a user. */
export const BACKUPS_MAX = 100;
/** Of one backup. */
export const KEYS_MAX = 500_000;

/** undefined: it is about something else. */
export function decideOfBackups(draft: Draft): Verdict | undefined {
  const { createKeyBackup, updateKeyBackup, deleteKeyBackup, changeBackupKeys } = draft.input;
  if (createKeyBackup) return decideCreate(draft, createKeyBackup);
  if (updateKeyBackup) return decideUpdate(draft, updateKeyBackup);
  if (deleteKeyBackup) return decideDelete(draft, versionNumber(deleteKeyBackup.version));
  if (changeBackupKeys) return changeBackupKeys.takesOut === true ? decideTakeOut(draft, changeBackupKeys) : decidePut(draft, changeBackupKeys);
  return undefined;
}

function decideCreate(draft: Draft, { algorithm, authData }: NonNullable<UserInput['createKeyBackup']>): Verdict {
  const { versions } = draft.picture.backups;
  if ([...versions.values()].filter(({ isDeleted }) => !isDeleted).length >= BACKUPS_MAX) return rejected(403, 'M_FORBIDDEN', `An account has at most ${BACKUPS_MAX} key backups; delete some first`);
  const version = newest(draft.picture.backups) + 1;
  draft.writes.push({ kind: 'backup-made', version, algorithm, authData });
  return accepted(draft, { version: String(version) });
}

function decideUpdate(draft: Draft, { version: name, algorithm, authData }: UpdateKeyBackup): Verdict {
  const version = versionNumber(name);
  const backup = liveBackup(draft, version);
  if (backup === undefined) return NOT_FOUND;
  if (backup.algorithm !== algorithm) return rejected(400, 'M_INVALID_PARAM', 'The algorithm is not that of the backup');
  draft.writes.push({ kind: 'backup-auth', version, authData });
  return accepted(draft);
}

/** One that was deleted before is no error. */
function decideDelete(draft: Draft, version: number): Verdict {
  if (version === 0 || version > newest(draft.picture.backups)) return NOT_FOUND;
  if (liveBackup(draft, version) !== undefined) draft.writes.push({ kind: 'backup-deleted', version });
  return accepted(draft);
}

function decidePut(draft: Draft, { version: name, put }: ChangeBackupKeys): Verdict {
  const { backups } = draft.picture;
  const live = [...backups.versions].filter(([, { isDeleted }]) => !isDeleted);
  if (live.length === 0) return NOT_FOUND;
  const current = Math.max(...live.map(([version]) => version));
  if (versionNumber(name) !== current) return wrongVersion(current);
  const better = put.filter((key) => isBetter(key, backups.keys.get(backupKeyOf(current, key.roomId, key.sessionId))));
  const fresh = better.filter(({ roomId, sessionId }) => !backups.keys.has(backupKeyOf(current, roomId, sessionId))).length;
  const { keys } = backups.versions.get(current)!;
  if (keys + fresh > KEYS_MAX) return rejected(413, 'M_TOO_LARGE', `A key backup has at most ${KEYS_MAX} keys`);
  if (better.length > 0) draft.writes.push({ kind: 'backup-keys', version: current, keys: better });
  return counted(draft, current, { isChanged: better.length > 0, keys: keys + fresh });
}

function decideTakeOut(draft: Draft, { version: name, roomId, sessionId }: ChangeBackupKeys): Verdict {
  const version = versionNumber(name);
  const backup = liveBackup(draft, version);
  if (backup === undefined) return NOT_FOUND;
  const gone = countGone(draft.picture.backups, { version, roomId, sessionId, all: backup.keys });
  if (gone > 0) draft.writes.push({ kind: 'backup-keys-gone', version, roomId, sessionId });
  return counted(draft, version, { isChanged: gone > 0, keys: backup.keys - gone });
}

function countGone({ keys, roomCounts }: BackupFacts, { version, roomId, sessionId, all }: { version: number; roomId: string; sessionId: string; all: number }): number {
  if (roomId === '') return all;
  if (sessionId === '') return roomCounts.get(backupKeyOf(version, roomId)) ?? 0;
  return keys.has(backupKeyOf(version, roomId, sessionId)) ? 1 : 0;
}

/** The answer: what the backup is afterwards. */
function counted(draft: Draft, version: number, { isChanged, keys }: { isChanged: boolean; keys: number }): Verdict {
  const etag = draft.picture.backups.versions.get(version)!.etag + (isChanged ? 1 : 0);
  if (isChanged) draft.writes.push({ kind: 'backup-counted', version, etag, keys });
  return accepted(draft, { etag: String(etag), count: keys });
}

/** Whether the key is to stand instead of the one that is stored: verified ones, then those that read more, then those that went through fewer hands. */
export function isBetter(key: BackupKey, stored: KeyRank | undefined): boolean {
  if (stored === undefined) return true;
  if (key.isVerified !== stored.isVerified) return key.isVerified;
  if (key.firstMessageIndex !== stored.firstMessageIndex) return key.firstMessageIndex < stored.firstMessageIndex;
  return key.forwardedCount < stored.forwardedCount;
}

function newest({ versions }: BackupFacts): number {
  return Math.max(0, ...versions.keys());
}

function liveBackup({ picture }: Draft, version: number): BackupFact | undefined {
  const backup = picture.backups.versions.get(version);
  return backup?.isDeleted === false ? backup : undefined;
}

const NOT_FOUND = rejected(404, 'M_NOT_FOUND', 'There is no such key backup');

function wrongVersion(current: number): Verdict {
  return { kind: 'rejected', outcome: { status: 403, errcode: 'M_WRONG_ROOM_KEYS_VERSION', error: 'This is not the current key backup', fields: { current_version: String(current) } } };
}
