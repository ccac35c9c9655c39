/** Servers that fail, and how long they are left alone, in the tables. */
import type { Backoff } from '../../../pkg/federation/backoff.ts';
import type { Reader, SqlRow, Transaction } from '../../../pkg/storage/database.ts';

interface DestinationRow extends SqlRow {
  readonly server_name: string;
  readonly failures: number;
  readonly pause_ms: number;
  readonly paused_at: number;
  readonly retry_at: number;
  readonly failing_since: number;
}

/** Of those among these servers that fail, by name. */
export async function readBackoffs(reader: Reader, serverNames: readonly string[]): Promise<Map<string, Backoff>> {
  const rows = await reader.queryIn<DestinationRow>(
    'SELECT server_name, failures, pause_ms, paused_at, retry_at, failing_since FROM destinations WHERE failures > 0 AND server_name IN (??)', [], serverNames);
  return new Map(rows.map((row) => [row.server_name, {
    failures: row.failures, pauseMs: row.pause_ms, pausedAtMs: row.paused_at, retryAtMs: row.retry_at, failingSinceMs: row.failing_since,
  }]));
}

export interface FailingRow {
  readonly name: string;
  /** Of the destination, for operators' eyes. */
  readonly partition: number;
  readonly backoff: Backoff;
}

export async function writeBackoffs(tx: Transaction, failing: readonly FailingRow[]): Promise<void> {
  if (failing.length === 0) return;
  await tx.insertMany({
    into: 'destinations', columns: ['server_name', 'partition', 'failures', 'pause_ms', 'paused_at', 'retry_at', 'failing_since', 'last_success_at'],
    rows: failing.map(({ name, partition, backoff }) => [name, partition, backoff.failures, backoff.pauseMs, backoff.pausedAtMs, backoff.retryAtMs, backoff.failingSinceMs, null]),
    onConflict: `ON CONFLICT (server_name) DO UPDATE SET partition = excluded.partition, failures = excluded.failures, pause_ms = excluded.pause_ms,
      paused_at = excluded.paused_at, retry_at = excluded.retry_at, failing_since = excluded.failing_since`,
  });
}

/** The server answers again. */
export async function clearBackoff(tx: Transaction, serverName: string, nowMs: number): Promise<void> {
  await tx.run('UPDATE destinations SET failures = 0, last_success_at = ? WHERE server_name = ?', [nowMs, serverName]);
}

/** Servers that have failed since before `beforeMs` without a break. */
export async function readGone(reader: Pick<Reader, 'query'>, beforeMs: number): Promise<Set<string>> {
  const rows = await reader.query<SqlRow & { server_name: string }>('SELECT server_name FROM destinations WHERE failures > 0 AND failing_since <= ?', [beforeMs]);
  return new Set(rows.map((row) => row.server_name));
}

/** Forgets that the server has failed, whether or not it is there. False: it had not. */
export async function clearPause(tx: Transaction, serverName: string): Promise<boolean> {
  return (await tx.run('UPDATE destinations SET failures = 0 WHERE server_name = ? AND failures > 0', [serverName])).changes > 0;
}
