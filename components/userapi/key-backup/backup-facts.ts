/** What inputs about key backups look at: a user's backups, and what is known of the keys that the inputs name. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { BackupKey, ChangeBackupKeys, UserInput } from '../../../schemas/log/user-input.ts';
import type { BackupWrite } from './backup-writes.ts';

export interface BackupFact {
  readonly algorithm: string;
  /** Counts the changes of its keys. */
  readonly etag: number;
  /** How many it has. */
  readonly keys: number;
  /** It was there. */
  readonly isDeleted: boolean;
}

/** By this one key of a session is preferred to another. */
export type KeyRank = Pick<BackupKey, 'isVerified' | 'firstMessageIndex' | 'forwardedCount'>;

export interface BackupFacts {
  /** By number. */
  readonly versions: Map<number, BackupFact>;
  /** Of the sessions that inputs name, by `backupKeyOf`: those that are stored. */
  readonly keys: Map<string, KeyRank>;
  /** How many keys there are in rooms that inputs take out, by `backupKeyOf` without session. */
  readonly roomCounts: Map<string, number>;
}

export function emptyBackupFacts(): BackupFacts {
  return { versions: new Map(), keys: new Map(), roomCounts: new Map() };
}

export function backupKeyOf(version: number, roomId: string, sessionId = ''): string {
  return JSON.stringify([version, roomId, sessionId]);
}

/** The number of a backup; 0: there can be no such one. */
export function versionNumber(text: string): number {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
}

type VersionRow = { user_id: string; version: number; algorithm: string; etag: number; keys: number; deleted: number };
type KeyRow = { room_id: string; session_id: string; is_verified: number; first_message_index: number; forwarded_count: number };

/** By user, of those whose inputs need it: nothing is read for others. */
export async function loadBackupFacts(reader: Reader, inputs: readonly UserInput[]): Promise<Map<string, BackupFacts>> {
  const about = inputs.filter(({ createKeyBackup, updateKeyBackup, deleteKeyBackup, changeBackupKeys }) => createKeyBackup ?? updateKeyBackup ?? deleteKeyBackup ?? changeBackupKeys);
  const facts = new Map(about.map(({ userId }) => [userId, emptyBackupFacts()]));
  if (facts.size === 0) return facts;
  const versions = await reader.queryIn<VersionRow>('SELECT user_id, version, algorithm, etag, keys, deleted FROM key_backups WHERE user_id IN (??)', [], [...facts.keys()]);
  for (const row of versions) facts.get(row.user_id)!.versions.set(row.version, { algorithm: row.algorithm, etag: row.etag, keys: row.keys, isDeleted: row.deleted !== 0 });
  const changes = Map.groupBy(about.filter(({ changeBackupKeys }) => changeBackupKeys), ({ userId, changeBackupKeys }) => JSON.stringify([userId, changeBackupKeys!.version]));
  await Promise.all([...changes.values()].map((ofBackup) => loadKeys(reader, facts.get(ofBackup[0]!.userId)!, ofBackup[0]!.userId, ofBackup.map(({ changeBackupKeys }) => changeBackupKeys!))));
  return facts;
}

/** Of one backup: two queries at most. */
async function loadKeys(reader: Reader, facts: BackupFacts, userId: string, changes: readonly ChangeBackupKeys[]): Promise<void> {
  const version = versionNumber(changes[0]!.version);
  const sessions = new Set(changes.flatMap(({ put, sessionId }) => [...put.map((key) => key.sessionId), ...(sessionId === '' ? [] : [sessionId])]));
  const rooms = new Set(changes.flatMap(({ takesOut, roomId, sessionId }) => (takesOut === true && roomId !== '' && sessionId === '' ? [roomId] : [])));
  const of = [userId, version];
  for (const row of await reader.queryIn<KeyRow>(
    'SELECT room_id, session_id, is_verified, first_message_index, forwarded_count FROM key_backup_keys WHERE user_id = ? AND version = ? AND session_id IN (??)', of, [...sessions])) {
    facts.keys.set(backupKeyOf(version, row.room_id, row.session_id), { isVerified: row.is_verified !== 0, firstMessageIndex: row.first_message_index, forwardedCount: row.forwarded_count });
  }
  for (const roomId of rooms) facts.roomCounts.set(backupKeyOf(version, roomId), 0);
  for (const row of await reader.queryIn<{ room_id: string; keys: number }>(
    'SELECT room_id, COUNT(*) AS keys FROM key_backup_keys WHERE user_id = ? AND version = ? AND room_id IN (??) GROUP BY room_id', of, [...rooms])) {
    facts.roomCounts.set(backupKeyOf(version, row.room_id), row.keys);
  }
}

/** Carries the facts forward: later inputs of the batch stand on them. */
export function advanceBackup(facts: BackupFacts, write: BackupWrite): void {
  const { versions } = facts;
  const { version } = write;
  const before = versions.get(version);
  switch (write.kind) {
    case 'backup-made':
      versions.set(version, { algorithm: write.algorithm, etag: 0, keys: 0, isDeleted: false });
      return;
    case 'backup-deleted':
      if (before !== undefined) versions.set(version, { ...before, keys: 0, isDeleted: true });
      return;
    case 'backup-counted':
      if (before !== undefined) versions.set(version, { ...before, etag: write.etag, keys: write.keys });
      return;
    case 'backup-keys':
      for (const key of write.keys) putKey(facts, version, key);
      return;
    case 'backup-keys-gone':
      return takeOut(facts, write);
    case 'backup-auth':
      return;
  }
}

function takeOut(facts: BackupFacts, { version, roomId, sessionId }: Extract<BackupWrite, { kind: 'backup-keys-gone' }>): void {
  const concerned = (room: string, session: string): boolean => (roomId === '' || roomId === room) && (sessionId === '' || sessionId === session);
  for (const name of [...facts.keys.keys()]) {
    const [ofVersion, room, session] = JSON.parse(name) as [number, string, string];
    if (ofVersion === version && concerned(room, session)) dropKey(facts, version, room, session);
  }
  if (sessionId !== '') return;
  for (const name of facts.roomCounts.keys()) if (roomId === '' || name === backupKeyOf(version, roomId)) facts.roomCounts.set(name, 0);
}

function putKey({ keys, roomCounts }: BackupFacts, version: number, key: BackupKey): void {
  const name = backupKeyOf(version, key.roomId, key.sessionId);
  const room = backupKeyOf(version, key.roomId);
  if (!keys.has(name) && roomCounts.has(room)) roomCounts.set(room, roomCounts.get(room)! + 1);
  keys.set(name, key);
}

function dropKey({ keys, roomCounts }: BackupFacts, version: number, roomId: string, sessionId: string): void {
  const room = backupKeyOf(version, roomId);
  if (keys.delete(backupKeyOf(version, roomId, sessionId)) && roomCounts.has(room)) roomCounts.set(room, roomCounts.get(room)! - 1);
}
