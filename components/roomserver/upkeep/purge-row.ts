import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

/** A purge of a room's history: events up to `toOrderKey` go, those up to `orderKey` have gone. */
export interface PurgeRow {
  readonly roomId: string;
  readonly purgeId: string;
  readonly partition: number;
  readonly toOrderKey: number;
  readonly orderKey: number;
  readonly eventsGone: number;
  /** Events that clients see no more, and that the room's state still needs. */
  readonly eventsKept: number;
  /** Wall-clock ms. */
  readonly startedAt: number;
  /** 0: it is under way. */
  readonly finishedAt: number;
}

interface PurgeSql extends SqlRow {
  room_id: string; purge_id: string; partition: number; to_order_key: number; order_key: number; events_gone: number; events_kept: number; started_at: number; finished_at: number;
}

const COLUMNS = 'room_id, purge_id, partition, to_order_key, order_key, events_gone, events_kept, started_at, finished_at';

/** The newest purge of the room. */
export async function readPurge(reader: Pick<Reader, 'query'>, roomId: string): Promise<PurgeRow | undefined> {
  return (await reader.query<PurgeSql>(`SELECT ${COLUMNS} FROM purges WHERE room_id = ?`, [roomId])).map(purgeRow)[0];
}

export async function readPurgesUnderWay(reader: Reader, partitions: readonly number[]): Promise<PurgeRow[]> {
  return (await reader.queryIn<PurgeSql>(`SELECT ${COLUMNS} FROM purges WHERE finished_at = 0 AND partition IN (??)`, [], partitions)).map(purgeRow);
}

function purgeRow(row: PurgeSql): PurgeRow {
  return {
    roomId: row.room_id, purgeId: row.purge_id, partition: row.partition, toOrderKey: row.to_order_key, orderKey: row.order_key, eventsGone: row.events_gone, eventsKept: row.events_kept,
    startedAt: row.started_at, finishedAt: row.finished_at,
  };
}
