/** What inputs about key backups change. */
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { BackupKey } from '../../../schemas/log/user-input.ts';

export type BackupWrite = { readonly version: number } & (
  | { readonly kind: 'backup-made'; readonly algorithm: string; readonly authData: Uint8Array }
  | { readonly kind: 'backup-auth'; readonly authData: Uint8Array }
  | { readonly kind: 'backup-deleted' }
  | { readonly kind: 'backup-counted'; readonly etag: number; readonly keys: number }
  | { readonly kind: 'backup-keys'; readonly keys: readonly BackupKey[] }
  /** `roomId` empty: of all rooms; `sessionId` empty: all of the room. */
  | { readonly kind: 'backup-keys-gone'; readonly roomId: string; readonly sessionId: string });

export interface PlacedBackupWrite {
  readonly userId: string;
  readonly write: BackupWrite;
}

const KINDS: ReadonlySet<string> = new Set<BackupWrite['kind']>(['backup-made', 'backup-auth', 'backup-deleted', 'backup-counted', 'backup-keys', 'backup-keys-gone']);

export function isBackupWrite(write: { readonly kind: string }): write is BackupWrite {
  return KINDS.has(write.kind);
}

type KeyRows = Map<string, readonly SqlValue[]>;

/** In order; keys that follow on each other are put in together. */
export async function writeBackups(tx: Transaction, placed: readonly PlacedBackupWrite[]): Promise<void> {
  const counted = new Map<string, readonly [etag: number, keys: number, userId: string, version: number]>();
  let rows: KeyRows = new Map();
  for (const { userId, write } of placed) {
    if (write.kind === 'backup-keys') for (const key of write.keys) rows.set(JSON.stringify([userId, write.version, key.roomId, key.sessionId]), rowOf(userId, write.version, key));
    else if (write.kind === 'backup-counted') counted.set(JSON.stringify([userId, write.version]), [write.etag, write.keys, userId, write.version]);
    else {
      await putKeys(tx, rows);
      rows = new Map();
      await writeOne(tx, userId, write);
    }
  }
  await putKeys(tx, rows);
  for (const values of counted.values()) await tx.run('UPDATE key_backups SET etag = ?, keys = ? WHERE user_id = ? AND version = ? AND deleted = 0', values);
}

function rowOf(userId: string, version: number, key: BackupKey): SqlValue[] {
  return [userId, version, key.roomId, key.sessionId, key.isVerified ? 1 : 0, key.firstMessageIndex, key.forwardedCount, key.sessionData];
}

async function putKeys(tx: Transaction, rows: KeyRows): Promise<void> {
  if (rows.size === 0) return;
  await tx.insertMany({
    into: 'key_backup_keys',
    columns: ['user_id', 'version', 'room_id', 'session_id', 'is_verified', 'first_message_index', 'forwarded_count', 'session_data'],
    rows: [...rows.values()],
    onConflict: `ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET is_verified = excluded.is_verified, first_message_index = excluded.first_message_index,
      forwarded_count = excluded.forwarded_count, session_data = excluded.session_data`,
  });
}

async function writeOne(tx: Transaction, userId: string, write: Exclude<BackupWrite, { kind: 'backup-keys' | 'backup-counted' }>): Promise<void> {
  const of = [userId, write.version];
  switch (write.kind) {
    case 'backup-made':
      await tx.run('DELETE FROM key_backups WHERE user_id = ? AND version < ? AND deleted = 1', of);
      await tx.insertMany({ into: 'key_backups', columns: ['user_id', 'version', 'algorithm', 'auth_data', 'etag', 'keys', 'deleted'], rows: [[...of, write.algorithm, write.authData, 0, 0, 0]] });
      return;
    case 'backup-auth':
      await tx.run('UPDATE key_backups SET auth_data = ? WHERE user_id = ? AND version = ?', [write.authData, ...of]);
      return;
    case 'backup-deleted':
      await tx.run('UPDATE key_backups SET deleted = 1, keys = 0, auth_data = ? WHERE user_id = ? AND version = ?', [new Uint8Array(0), ...of]);
      await tx.run('DELETE FROM key_backup_keys WHERE user_id = ? AND version = ?', of);
      return;
    case 'backup-keys-gone':
      return deleteKeys(tx, of, write);
  }
}

async function deleteKeys(tx: Transaction, of: readonly SqlValue[], { roomId, sessionId }: { roomId: string; sessionId: string }): Promise<void> {
  if (roomId === '') await tx.run('DELETE FROM key_backup_keys WHERE user_id = ? AND version = ?', of);
  else if (sessionId === '') await tx.run('DELETE FROM key_backup_keys WHERE user_id = ? AND version = ? AND room_id = ?', [...of, roomId]);
  else await tx.run('DELETE FROM key_backup_keys WHERE user_id = ? AND version = ? AND room_id = ? AND session_id = ?', [...of, roomId, sessionId]);
}
