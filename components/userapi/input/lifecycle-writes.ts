/** What inputs about the life of an account change, and how it is written. Rare: a statement or a few each. */
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';

const FLAGS = ['locked', 'suspended', 'admin'] as const;
export type AccountFlag = (typeof FLAGS)[number];

export type LifecycleWrite =
  /** Of the account and all that belongs to it; the rooms are still to be left. */
  | { readonly kind: 'deactivated'; readonly erase: boolean; readonly roomSequences: readonly number[]; readonly sequence: number }
  | { readonly kind: 'deactivation-finished' }
  | { readonly kind: 'flag'; readonly flag: AccountFlag; readonly isSet: boolean }
  /** JSON object: policy ID to accepted version, all of them. */
  | { readonly kind: 'terms'; readonly versions: string }
  | { readonly kind: 'guest-upgraded'; readonly passwordHash: string }
  | { readonly kind: 'registration-token'; readonly token: string; readonly removed: boolean; readonly usesAllowed: number; readonly expiresMs: number }
  | { readonly kind: 'registration-token-use'; readonly token: string; readonly userId: string; readonly insteadOf: string; readonly reservedUntilMs: number };

export interface PlacedWrite {
  readonly userId: string;
  readonly ts: number;
  readonly place: InputPlace;
  readonly write: LifecycleWrite;
}

const KINDS: ReadonlySet<string> = new Set<LifecycleWrite['kind']>([
  'deactivated', 'deactivation-finished', 'flag', 'terms', 'guest-upgraded', 'registration-token', 'registration-token-use',
]);

export function isLifecycleWrite(write: { readonly kind: string }): write is LifecycleWrite {
  return KINDS.has(write.kind);
}

export function isFlag(name: string): name is AccountFlag {
  return (FLAGS as readonly string[]).includes(name);
}

/** In order, after the rest of the batch: nothing of an account is written after its end. */
export async function writeLifecycles(tx: Transaction, writes: readonly PlacedWrite[]): Promise<void> {
  for (const placed of writes) await writeOne(tx, placed);
}

async function writeOne(tx: Transaction, { userId, ts, place, write }: PlacedWrite): Promise<void> {
  switch (write.kind) {
    case 'deactivated':
      return endAccount(tx, { userId, ts, place, write });
    case 'deactivation-finished':
      return void (await tx.run('UPDATE deactivations SET finished_at = ? WHERE user_id = ?', [Math.max(1, ts), userId]));
    case 'flag':
      // The name is one of three that stand above.
      return void (await tx.run(`UPDATE accounts SET ${write.flag} = ? WHERE user_id = ?`, [write.isSet ? 1 : 0, userId]));
    case 'terms':
      return void (await tx.run('UPDATE accounts SET accepted_terms = ? WHERE user_id = ?', [write.versions, userId]));
    case 'guest-upgraded':
      return void (await tx.run(`UPDATE accounts SET kind = 'user', password_hash = ? WHERE user_id = ?`, [write.passwordHash, userId]));
    case 'registration-token':
      return putToken(tx, write, ts);
    case 'registration-token-use':
      return useToken(tx, write, ts);
  }
}

/** All that only the account had. */
const TABLES_OF_USER = [
  'access_tokens', 'issued_tokens', 'account_data', 'filters', 'notice_rooms', 'presence_status', 'to_device', 'key_backups', 'key_backup_keys',
  'device_keys', 'one_time_keys', 'fallback_keys', 'cross_signing_keys', 'key_signatures', 'device_key_counts',
] as const;

async function endAccount(tx: Transaction, { userId, ts, place, write }: PlacedWrite & { write: Extract<LifecycleWrite, { kind: 'deactivated' }> }): Promise<void> {
  await tx.run(`UPDATE accounts SET deactivated = 1, admin = 0, locked = 0, suspended = 0, password_hash = '', accepted_terms = '' WHERE user_id = ?`, [userId]);
  for (const table of TABLES_OF_USER) await tx.run(`DELETE FROM ${table} WHERE user_id = ?`, [userId]);
  const row: SqlValue[] = [userId, place.partition, write.sequence, write.erase ? 1 : 0, JSON.stringify(write.roomSequences), ts, 0];
  await tx.insertMany({
    into: 'deactivations', columns: ['user_id', 'partition', 'sequence', 'erased', 'room_sequences', 'created_at', 'finished_at'], rows: [row],
    onConflict: `ON CONFLICT (user_id) DO UPDATE SET partition = excluded.partition, sequence = excluded.sequence, erased = excluded.erased, room_sequences = excluded.room_sequences`,
  });
}

async function putToken(tx: Transaction, write: Extract<LifecycleWrite, { kind: 'registration-token' }>, ts: number): Promise<void> {
  if (write.removed) return void (await tx.run('DELETE FROM registration_tokens WHERE token = ?', [write.token]));
  await tx.insertMany({
    into: 'registration_tokens', columns: ['token', 'uses_allowed', 'expires_at', 'created_at'], rows: [[write.token, write.usesAllowed, write.expiresMs, ts]],
    onConflict: 'ON CONFLICT (token) DO UPDATE SET uses_allowed = excluded.uses_allowed, expires_at = excluded.expires_at',
  });
}

async function useToken(tx: Transaction, write: Extract<LifecycleWrite, { kind: 'registration-token-use' }>, ts: number): Promise<void> {
  await tx.run('DELETE FROM registration_token_uses WHERE token = ? AND reserved_until <= ? AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.user_id = registration_token_uses.user_id)', [write.token, ts]);
  if (write.insteadOf !== '') await tx.run('DELETE FROM registration_token_uses WHERE token = ? AND user_id = ?', [write.token, write.insteadOf]);
  if (write.userId === '') return;
  await tx.insertMany({
    into: 'registration_token_uses', columns: ['token', 'user_id', 'reserved_until'], rows: [[write.token, write.userId, write.reservedUntilMs]],
    onConflict: 'ON CONFLICT (token, user_id) DO UPDATE SET reserved_until = excluded.reserved_until',
  });
}
