/** What inputs about keys change, and how it is written: what follows on each other is folded, so that many claims are a statement. */
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { InsertMany, SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { Usage } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import type { FallbackKey, KeyCounts, KeySignature, OneTimeKey } from './stored-keys.ts';

export type KeyWrite =
  /** `displayName`: of a device of another server, else empty. */
  | { readonly kind: 'device-keys'; readonly deviceId: string; readonly keys: string; readonly displayName: string }
  /** All keys of the device. */
  | { readonly kind: 'device-keys-gone'; readonly deviceId: string }
  /** New ones, or ones that are claimed now. */
  | { readonly kind: 'one-time-keys'; readonly keys: readonly OneTimeKey[] }
  | { readonly kind: 'fallback-key'; readonly key: FallbackKey }
  /** `key` empty: it is gone. */
  | { readonly kind: 'cross-signing'; readonly usage: Usage; readonly key: string }
  | { readonly kind: 'signatures'; readonly signatures: readonly KeySignature[] }
  /** Own signatures: of these own keys, and by these. */
  | { readonly kind: 'signatures-gone'; readonly targetKeys: readonly string[]; readonly signingKeys: readonly string[] }
  | { readonly kind: 'device-list'; readonly streamId: number; readonly isFresh: boolean; readonly sequence: number }
  | { readonly kind: 'key-counts'; readonly deviceId: string; readonly counts: KeyCounts; readonly sequence: number }
  /** Of a user of another server. */
  | { readonly kind: 'remote-keys-gone'; readonly withList: boolean };

export interface PlacedKeyWrite {
  readonly userId: string;
  readonly place: Pick<InputPlace, 'partition'>;
  readonly write: KeyWrite;
}

const KINDS: ReadonlySet<string> = new Set<KeyWrite['kind']>([
  'device-keys', 'device-keys-gone', 'one-time-keys', 'fallback-key', 'cross-signing', 'signatures', 'signatures-gone', 'device-list', 'key-counts', 'remote-keys-gone',
]);

/** Of a device: how many claimed keys are remembered, so that they are not taken in a second time. */
const CLAIMED_MAX = 2000;

export function isKeyWrite(write: { readonly kind: string }): write is KeyWrite {
  return KINDS.has(write.kind);
}

type Rows = Map<string, readonly SqlValue[]>;
type TableName = 'device_keys' | 'one_time_keys' | 'fallback_keys' | 'cross_signing_keys' | 'key_signatures' | 'device_lists' | 'device_key_counts';

const TABLES: Readonly<Record<TableName, Omit<InsertMany, 'rows'>>> = {
  device_keys: {
    into: 'device_keys', columns: ['user_id', 'device_id', 'keys', 'display_name'],
    onConflict: 'ON CONFLICT (user_id, device_id) DO UPDATE SET keys = excluded.keys, display_name = excluded.display_name',
  },
  // A key that was claimed is never given out again, whatever is written after.
  one_time_keys: {
    into: 'one_time_keys', columns: ['name', 'user_id', 'device_id', 'algorithm', 'key_id', 'key', 'position', 'claimed'],
    onConflict: 'ON CONFLICT (name) DO UPDATE SET claimed = 1 WHERE excluded.claimed = 1',
  },
  fallback_keys: {
    into: 'fallback_keys', columns: ['user_id', 'device_id', 'algorithm', 'key_id', 'key', 'used'],
    onConflict: 'ON CONFLICT (user_id, device_id, algorithm) DO UPDATE SET key_id = excluded.key_id, key = excluded.key, used = excluded.used',
  },
  cross_signing_keys: { into: 'cross_signing_keys', columns: ['user_id', 'usage', 'key'], onConflict: 'ON CONFLICT (user_id, usage) DO UPDATE SET key = excluded.key' },
  key_signatures: {
    into: 'key_signatures', columns: ['target_user', 'target_key', 'user_id', 'signing_key', 'signature'],
    onConflict: 'ON CONFLICT (target_user, target_key, user_id, signing_key) DO UPDATE SET signature = excluded.signature',
  },
  device_lists: {
    into: 'device_lists', columns: ['user_id', 'stream_id', 'is_fresh', 'partition', 'sequence'],
    onConflict: 'ON CONFLICT (user_id) DO UPDATE SET stream_id = excluded.stream_id, is_fresh = excluded.is_fresh, partition = excluded.partition, sequence = excluded.sequence',
  },
  device_key_counts: {
    into: 'device_key_counts', columns: ['user_id', 'device_id', 'counts', 'unused_fallbacks', 'partition', 'sequence'],
    onConflict: `ON CONFLICT (user_id, device_id) DO UPDATE SET counts = excluded.counts, unused_fallbacks = excluded.unused_fallbacks, partition = excluded.partition,
      sequence = excluded.sequence`,
  },
};

/** In order. */
export async function writeKeys(tx: Transaction, writes: readonly PlacedKeyWrite[]): Promise<void> {
  const rows = new Map<TableName, Rows>();
  const put = (table: TableName, key: readonly string[], row: readonly SqlValue[]): void => {
    const present = rows.get(table) ?? rows.set(table, new Map()).get(table)!;
    present.set(JSON.stringify(key), row);
  };
  const uploaded = new Map<string, readonly [userId: string, deviceId: string]>();
  for (const placed of writes) {
    if (await remove(tx, placed, () => flush(tx, rows))) continue;
    collect(placed, put);
    const { write, userId } = placed;
    const first = write.kind === 'one-time-keys' ? write.keys.find(({ isClaimed }) => !isClaimed) : undefined;
    if (first !== undefined) uploaded.set(JSON.stringify([userId, first.deviceId]), [userId, first.deviceId]);
  }
  await flush(tx, rows);
  for (const [userId, deviceId] of uploaded.values()) {
    await tx.run(`DELETE FROM one_time_keys WHERE user_id = ? AND device_id = ? AND claimed = 1 AND position <
      (SELECT position FROM one_time_keys WHERE user_id = ? AND device_id = ? AND claimed = 1 ORDER BY position DESC LIMIT 1 OFFSET ?)`, [userId, deviceId, userId, deviceId, CLAIMED_MAX]);
  }
}

type Put = (table: TableName, key: readonly string[], row: readonly SqlValue[]) => void;

function collect({ userId, place: { partition }, write }: PlacedKeyWrite, put: Put): void {
  switch (write.kind) {
    case 'device-keys':
      return put('device_keys', [userId, write.deviceId], [userId, write.deviceId, write.keys, write.displayName]);
    case 'one-time-keys':
      return write.keys.forEach((key) => put('one_time_keys', [key.name], [key.name, userId, key.deviceId, key.algorithm, key.keyId, key.key, key.position, key.isClaimed ? 1 : 0]));
    case 'fallback-key': {
      const { deviceId, algorithm, keyId, key, isUsed } = write.key;
      return put('fallback_keys', [userId, deviceId, algorithm], [userId, deviceId, algorithm, keyId, key, isUsed ? 1 : 0]);
    }
    case 'cross-signing':
      return put('cross_signing_keys', [userId, write.usage], [userId, write.usage, write.key]);
    case 'signatures':
      return write.signatures.forEach(({ targetUser, targetKey, signingKey, signature }) => {
        put('key_signatures', [targetUser, targetKey, userId, signingKey], [targetUser, targetKey, userId, signingKey, signature]);
      });
    case 'device-list':
      return put('device_lists', [userId], [userId, write.streamId, write.isFresh ? 1 : 0, partition, write.sequence]);
    case 'key-counts': {
      const { counts, unusedFallbacks } = write.counts;
      return put('device_key_counts', [userId, write.deviceId], [userId, write.deviceId, JSON.stringify(counts), JSON.stringify(unusedFallbacks), partition, write.sequence]);
    }
  }
}

async function flush(tx: Transaction, rows: Map<TableName, Rows>): Promise<void> {
  for (const [table, ofTable] of rows) await tx.insertMany({ ...TABLES[table], rows: [...ofTable.values()] });
  rows.clear();
}

/** Deletes what the write says is gone, after what was written before; false for other writes. */
async function remove(tx: Transaction, { userId, write }: PlacedKeyWrite, before: () => Promise<void>): Promise<boolean> {
  switch (write.kind) {
    case 'device-keys-gone':
      await before();
      for (const table of ['device_keys', 'one_time_keys', 'fallback_keys', 'device_key_counts']) await tx.run(`DELETE FROM ${table} WHERE user_id = ? AND device_id = ?`, [userId, write.deviceId]);
      await tx.run('DELETE FROM key_signatures WHERE target_user = ? AND target_key = ?', [userId, write.deviceId]);
      return true;
    case 'cross-signing':
      if (write.key !== '') return false;
      await before();
      await tx.run('DELETE FROM cross_signing_keys WHERE user_id = ? AND usage = ?', [userId, write.usage]);
      return true;
    case 'signatures-gone':
      await before();
      for (const key of write.targetKeys) await tx.run('DELETE FROM key_signatures WHERE target_user = ? AND target_key = ? AND user_id = ?', [userId, key, userId]);
      for (const key of write.signingKeys) await tx.run('DELETE FROM key_signatures WHERE user_id = ? AND signing_key = ?', [userId, key]);
      return true;
    case 'remote-keys-gone':
      await before();
      for (const table of write.withList ? ['device_keys', 'cross_signing_keys', 'device_lists'] : ['device_keys', 'cross_signing_keys']) await tx.run(`DELETE FROM ${table} WHERE user_id = ?`, [userId]);
      return true;
    default:
      return false;
  }
}
