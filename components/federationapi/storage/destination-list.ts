/** Which other servers there are, for operators: those in rooms with members here, and those that have failed once. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

export interface KnownDestination {
  readonly name: string;
  /** In a row; 0: it is well, as far as is known. */
  readonly failures: number;
  /** Of the row; 0 without one. */
  readonly failingSinceMs: number;
  readonly lastTryMs: number;
  readonly nextTryMs: number;
  /** When it was reached again after it had failed; null: it never failed, or still does. */
  readonly lastSuccessMs: number | null;
}

export const ORDERS = ['destination', 'retry_last_ts', 'retry_interval', 'failure_ts', 'last_successful_stream_ordering'] as const;
export type DestinationOrder = (typeof ORDERS)[number];

export interface Page {
  readonly from: number;
  readonly limit: number;
  readonly backwards: boolean;
}

interface KnownRow extends SqlRow {
  readonly name: string;
  readonly failures: number;
  readonly failing_since: number;
  readonly paused_at: number;
  readonly retry_at: number;
  readonly last_success_at: number | null;
}

/** Touches a row a server, however many rooms it is in. */
const KNOWN = `WITH RECURSIVE hosts(name) AS (
    SELECT MIN(server_name) FROM joined_hosts
    UNION ALL
    SELECT (SELECT MIN(j.server_name) FROM joined_hosts j WHERE j.server_name > h.name) FROM hosts h WHERE h.name IS NOT NULL
  ), names(name) AS (SELECT name FROM hosts WHERE name IS NOT NULL UNION SELECT server_name FROM destinations)`;

const ROW = `n.name AS name, COALESCE(d.failures, 0) AS failures, COALESCE(d.failing_since, 0) AS failing_since, COALESCE(d.paused_at, 0) AS paused_at, COALESCE(d.retry_at, 0) AS retry_at,
  r.last_success_at AS last_success_at`;
const JOINED = 'LEFT JOIN destinations d ON d.server_name = n.name AND d.failures > 0 LEFT JOIN destinations r ON r.server_name = n.name';

const COLUMNS: Readonly<Record<DestinationOrder, string>> = {
  destination: 'n.name', retry_last_ts: 'COALESCE(d.paused_at, 0)', retry_interval: 'COALESCE(d.retry_at - d.paused_at, 0)', failure_ts: 'COALESCE(d.failing_since, 0)',
  last_successful_stream_ordering: 'COALESCE(r.last_success_at, 0)',
};

/** `containing`: only names with this text in them. */
export async function listDestinations(reader: Pick<Reader, 'query'>, page: Page & { readonly orderBy: DestinationOrder; readonly containing: string }): Promise<{ destinations: KnownDestination[]; total: number }> {
  const direction = page.backwards ? 'DESC' : 'ASC';
  const rows = await reader.query<KnownRow>(
    `${KNOWN} SELECT ${ROW} FROM names n ${JOINED} WHERE n.name LIKE ? ESCAPE '!' ORDER BY ${COLUMNS[page.orderBy]} ${direction}, n.name ${direction} LIMIT ? OFFSET ?`,
    [patternOf(page.containing), page.limit, page.from]);
  const counted = await reader.query<SqlRow & { n: number }>(`${KNOWN} SELECT COUNT(*) AS n FROM names n WHERE n.name LIKE ? ESCAPE '!'`, [patternOf(page.containing)]);
  return { destinations: rows.map(knownDestination), total: counted[0]?.n ?? 0 };
}

function patternOf(containing: string): string {
  return `%${containing.replace(/[!%_]/g, '!$&')}%`;
}

/** undefined for a server that nothing is known of. */
export async function readDestination(reader: Pick<Reader, 'query'>, name: string): Promise<KnownDestination | undefined> {
  const [row] = await reader.query<KnownRow>(
    `SELECT ${ROW} FROM (SELECT server_name AS name FROM destinations WHERE server_name = ? UNION SELECT server_name FROM joined_hosts WHERE server_name = ?) AS n ${JOINED}`, [name, name]);
  return row && knownDestination(row);
}

function knownDestination(row: KnownRow): KnownDestination {
  return { name: row.name, failures: row.failures, failingSinceMs: row.failing_since, lastTryMs: row.paused_at, nextTryMs: row.retry_at, lastSuccessMs: row.last_success_at };
}

/** Rooms that the server is in, by ID. */
export async function listRoomsOf(reader: Pick<Reader, 'query'>, name: string, page: Page): Promise<{ roomIds: string[]; total: number }> {
  const direction = page.backwards ? 'DESC' : 'ASC';
  const rows = await reader.query<SqlRow & { room_id: string }>(`SELECT room_id FROM joined_hosts WHERE server_name = ? ORDER BY room_id ${direction} LIMIT ? OFFSET ?`, [name, page.limit, page.from]);
  const counted = await reader.query<SqlRow & { n: number }>('SELECT COUNT(*) AS n FROM joined_hosts WHERE server_name = ?', [name]);
  return { roomIds: rows.map((row) => row.room_id), total: counted[0]?.n ?? 0 };
}
