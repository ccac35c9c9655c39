/** Which other servers fail, for the operator's status. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

export interface FailingDestination {
  readonly name: string;
  /** In a row. */
  readonly failures: number;
  readonly sinceMs: number;
  /** Not before this time; in the past: as soon as there is something to send. */
  readonly nextTryMs: number;
}

/** How many fail, and those that have failed for the shortest time, at most `limit`: news first. */
export async function failingDestinations(reader: Pick<Reader, 'query'>, limit: number): Promise<{ count: number; newest: FailingDestination[] }> {
  const counted = await reader.query<SqlRow & { n: number }>('SELECT COUNT(*) AS n FROM destinations WHERE failures > 0');
  const rows = await reader.query<SqlRow & { server_name: string; failures: number; failing_since: number; retry_at: number }>(
    'SELECT server_name, failures, failing_since, retry_at FROM destinations WHERE failures > 0 ORDER BY failing_since DESC, server_name LIMIT ?', [limit]);
  return { count: counted[0]?.n ?? 0, newest: rows.map((row) => ({ name: row.server_name, failures: row.failures, sinceMs: row.failing_since, nextTryMs: row.retry_at })) };
}
