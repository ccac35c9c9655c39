/** What inputs change of sessions: tokens of devices, tokens that are good for a short while, when devices were used, user-interactive authentication. */
import type { InputPlace } from '../../../pkg/log/processor.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { keyOfHash, type DeviceToken, type IssuedToken, type SessionFacts } from './session-facts.ts';

export type SessionWrite =
  /** All tokens that the device has from now on. */
  | { readonly kind: 'tokens'; readonly deviceId: string; readonly tokens: readonly DeviceToken[] }
  | { readonly kind: 'device-seen'; readonly deviceId: string; readonly ip: string }
  | ({ readonly kind: 'issued-token' } & IssuedToken)
  | { readonly kind: 'issued-token-gone'; readonly tokenHash: Uint8Array }
  | { readonly kind: 'password'; readonly passwordHash: string }
  | { readonly kind: 'uia-session'; readonly stages: readonly string[]; readonly isUsedUp: boolean; readonly expiresMs: number };

const KINDS: ReadonlySet<string> = new Set<SessionWrite['kind']>(['tokens', 'device-seen', 'issued-token', 'issued-token-gone', 'password', 'uia-session']);

export function isSessionWrite(write: { readonly kind: string }): write is SessionWrite {
  return KINDS.has(write.kind);
}

/** Carries the facts forward: later inputs of the batch stand on them. */
export function advanceSession(facts: SessionFacts, write: SessionWrite): void {
  if (write.kind === 'tokens') facts.tokens.set(write.deviceId, write.tokens);
  else if (write.kind === 'issued-token') facts.issued.set(keyOfHash(write.tokenHash), write);
  else if (write.kind === 'issued-token-gone') facts.issued.delete(keyOfHash(write.tokenHash));
  else if (write.kind === 'uia-session') facts.uia = write;
}

export interface PlacedSessionWrite {
  readonly userId: string;
  readonly ts: number;
  readonly place: InputPlace;
  readonly write: SessionWrite;
}

type Row = readonly SqlValue[];

/** Rows by primary key; of several writes to one row the last one stands. null: the row goes. */
interface Fold {
  readonly tokens: Map<string, { userId: string; deviceId: string; rows: readonly Row[] }>;
  readonly issued: Map<string, { hash: Uint8Array; row: Row | null }>;
  readonly uia: Map<string, Row>;
  readonly seen: Map<string, Row>;
  readonly passwords: Map<string, string>;
  /** Partitions in whose tables of short-lived things something is written, with the time of the last input. */
  readonly swept: Map<number, number>;
}

/** One statement per table, and one per device whose tokens change. Has to come after the rows of the devices. */
export async function writeSessions(tx: Transaction, placed: readonly PlacedSessionWrite[]): Promise<void> {
  if (placed.length === 0) return;
  const fold: Fold = { tokens: new Map(), issued: new Map(), uia: new Map(), seen: new Map(), passwords: new Map(), swept: new Map() };
  for (const one of placed) foldOne(fold, one);
  await writeTokens(tx, fold);
  for (const [userId, passwordHash] of fold.passwords) await tx.run('UPDATE accounts SET password_hash = ? WHERE user_id = ?', [passwordHash, userId]);
  for (const row of fold.seen.values()) {
    await tx.run('UPDATE devices SET seen_at = ?, seen_ip = ? WHERE user_id = ? AND device_id = ? AND removed = 0 AND seen_at < ?', row);
  }
  await writeShortLived(tx, fold);
}

function foldOne(fold: Fold, { userId, ts, place, write }: PlacedSessionWrite): void {
  switch (write.kind) {
    case 'tokens':
      fold.tokens.set(`${userId}\0${write.deviceId}`, { userId, deviceId: write.deviceId, rows: write.tokens.map((token) => rowOf(userId, write.deviceId, token)) });
      return;
    case 'device-seen':
      fold.seen.set(`${userId}\0${write.deviceId}`, [ts, write.ip, userId, write.deviceId, ts]);
      return;
    case 'password':
      fold.passwords.set(userId, write.passwordHash);
      return;
    case 'issued-token':
      fold.swept.set(place.partition, ts);
      fold.issued.set(keyOfHash(write.tokenHash), { hash: write.tokenHash, row: [write.tokenHash, userId, write.purpose, write.expiresMs, place.partition] });
      return;
    case 'issued-token-gone':
      fold.issued.set(keyOfHash(write.tokenHash), { hash: write.tokenHash, row: null });
      return;
    case 'uia-session':
      fold.swept.set(place.partition, ts);
      fold.uia.set(userId, [userId, JSON.stringify(write.stages), write.isUsedUp ? 1 : 0, write.expiresMs, place.partition]);
      return;
  }
}

function rowOf(userId: string, deviceId: string, token: DeviceToken): Row {
  return [token.tokenHash, userId, deviceId, token.createdAt, token.expiresMs, token.isNew ? 1 : 0, token.familyHash, token.refreshHash, token.refreshExpiresMs];
}

/** The old tokens of a device go first. */
async function writeTokens(tx: Transaction, { tokens }: Fold): Promise<void> {
  for (const { userId, deviceId } of tokens.values()) await tx.run('DELETE FROM access_tokens WHERE user_id = ? AND device_id = ?', [userId, deviceId]);
  const rows = [...tokens.values()].flatMap((one) => one.rows);
  if (rows.length === 0) return;
  await tx.insertMany({
    into: 'access_tokens',
    columns: ['token_hash', 'user_id', 'device_id', 'created_at', 'expires_at', 'is_new', 'family_hash', 'refresh_hash', 'refresh_expires_at'],
    rows,
  });
}

/** What is over in the partition goes with each write, so that neither table grows for ever. */
async function writeShortLived(tx: Transaction, { issued, uia, swept }: Fold): Promise<void> {
  for (const [partition, ts] of swept) {
    await tx.run('DELETE FROM issued_tokens WHERE partition = ? AND expires_at <= ?', [partition, ts]);
    await tx.run('DELETE FROM uia_sessions WHERE partition = ? AND expires_at <= ?', [partition, ts]);
  }
  for (const { hash, row } of issued.values()) if (row === null) await tx.run('DELETE FROM issued_tokens WHERE token_hash = ?', [hash]);
  const fresh = [...issued.values()].flatMap(({ row }) => (row === null ? [] : [row]));
  if (fresh.length > 0) await tx.insertMany({ into: 'issued_tokens', columns: ['token_hash', 'user_id', 'purpose', 'expires_at', 'partition'], rows: fresh });
  if (uia.size > 0) {
    await tx.insertMany({
      into: 'uia_sessions', columns: ['session', 'stages', 'used_up', 'expires_at', 'partition'], rows: [...uia.values()],
      onConflict: 'ON CONFLICT (session) DO UPDATE SET stages = excluded.stages, used_up = excluded.used_up, expires_at = excluded.expires_at',
    });
  }
}
