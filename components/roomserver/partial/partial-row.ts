/** Rooms that this server has joined without hearing who is in them: one row a room, of its newest such join. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

/** 0: the members are being fetched. 1: all is known. 2: given up, because nobody here is in the room any more. */
export const COMPLETING = 0;
export const WHOLE = 1;
export const ABANDONED = 2;

export interface PartialRow {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly partition: number;
  /** The join. */
  readonly eventId: string;
  /** The state before it, as far as it is known. */
  readonly stateId: number;
  /** Server that let this one in. */
  readonly origin: string;
  /** Servers in the room, by what that one says. */
  readonly servers: readonly string[];
  /** Of the record that tells of the join's lack, and of that which tells of its end; 0: none yet. */
  readonly sequence: number;
  readonly endSequence: number;
  readonly state: number;
  /** How often the members were asked for in vain, and from when on (wall-clock ms) they are asked for again. */
  readonly tries: number;
  readonly retryAt: number;
  readonly begunAt: number;
}

/** What an input does to the row of its room. */
export type PartialChange =
  | { readonly kind: 'begins'; readonly row: PartialRow }
  | { readonly kind: 'asked'; readonly tries: number; readonly retryAt: number }
  | { readonly kind: 'ends'; readonly state: typeof WHOLE | typeof ABANDONED; readonly stateId: number; readonly sequence: number };

interface PartialSql extends SqlRow {
  room_id: string; room_version: string; partition: number; event_id: string; state_id: number; origin: string; servers: string; sequence: number; end_sequence: number; state: number;
  tries: number; retry_at: number; begun_at: number;
}

const COLUMNS = 'room_id, room_version, partition, event_id, state_id, origin, servers, sequence, end_sequence, state, tries, retry_at, begun_at';

export async function readPartial(reader: Pick<Reader, 'query'>, roomId: string): Promise<PartialRow | undefined> {
  const [row] = await reader.query<PartialSql>(`SELECT ${COLUMNS} FROM partial_rooms WHERE room_id = ?`, [roomId]);
  return row && rowOf(row);
}

/** Those of these partitions that are being completed, the eldest first. */
export async function readCompleting(reader: Pick<Reader, 'queryIn'>, partitions: readonly number[], limit: number): Promise<PartialRow[]> {
  if (partitions.length === 0) return [];
  return (await reader.queryIn<PartialSql>(`SELECT ${COLUMNS} FROM partial_rooms WHERE state = ${COMPLETING} AND partition IN (??) ORDER BY begun_at, room_id LIMIT ${limit}`, [], partitions)).map(rowOf);
}

/** What records tell of these rows with sequences after `after` up to `upTo`, in order. */
export async function readPartialRecords(reader: Pick<Reader, 'query'>, range: { partition: number; after: number; upTo: number; limit: number }): Promise<{ sequence: number; row: PartialRow; ended: boolean }[]> {
  const { partition, after, upTo, limit } = range;
  const rows = await reader.query<PartialSql & { told: number; ended: number }>(
    `SELECT ${COLUMNS}, sequence AS told, 0 AS ended FROM partial_rooms WHERE partition = ? AND sequence > ? AND sequence <= ?
     UNION ALL SELECT ${COLUMNS}, end_sequence AS told, 1 AS ended FROM partial_rooms WHERE partition = ? AND end_sequence > ? AND end_sequence <= ? ORDER BY told LIMIT ?`,
    [partition, after, upTo, partition, after, upTo, limit]);
  return rows.map((row) => ({ sequence: row.told, row: rowOf(row), ended: row.ended === 1 }));
}

function rowOf(row: PartialSql): PartialRow {
  return {
    roomId: row.room_id, roomVersion: row.room_version, partition: row.partition, eventId: row.event_id, stateId: row.state_id, origin: row.origin, servers: JSON.parse(row.servers) as string[],
    sequence: row.sequence, endSequence: row.end_sequence, state: row.state, tries: row.tries, retryAt: row.retry_at, begunAt: row.begun_at,
  };
}
