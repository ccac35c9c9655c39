/** Rows of upgrades: where the replacement of a room stands. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

/** The newest upgrade of a room. */
export interface UpgradeRow {
  readonly roomId: string;
  /** Of the UpgradeRoom that began it: its name. */
  readonly inputId: string;
  readonly sender: string;
  /** Of the new room. */
  readonly roomVersion: string;
  readonly newRoomId: string;
  /** The CreateRoom input, encoded. */
  readonly newRoom: Uint8Array;
  /** What inputs that wait for it wait under. */
  readonly parkedKey: string;
  /** JSON: what the client is answered, or the refusal; empty while it is under way. */
  readonly result: string;
  readonly createdAtMs: number;
}

interface UpgradeSql extends SqlRow {
  room_id: string; input_id: string; sender: string; room_version: string; new_room_id: string; new_room: Uint8Array; parked_key: string; result: string; created_at: number;
}

const COLUMNS = 'room_id, input_id, sender, room_version, new_room_id, new_room, parked_key, result, created_at';

export async function readUpgrade(reader: Reader, roomId: string): Promise<UpgradeRow | undefined> {
  const rows = await reader.query<UpgradeSql>(`SELECT ${COLUMNS} FROM upgrades WHERE room_id = ?`, [roomId]);
  return rows.map(rowOf)[0];
}

/** Those under way in these partitions, the oldest first, at most `limit`. */
export async function readUnfinished(reader: Reader, partitions: readonly number[], limit: number): Promise<UpgradeRow[]> {
  if (partitions.length === 0) return [];
  const rows = await reader.queryIn<UpgradeSql>(`SELECT ${COLUMNS} FROM upgrades WHERE result = '' AND partition IN (??)`, [], partitions);
  return rows.map(rowOf).sort((left, right) => left.createdAtMs - right.createdAtMs).slice(0, limit);
}

function rowOf(row: UpgradeSql): UpgradeRow {
  return {
    roomId: row.room_id, inputId: row.input_id, sender: row.sender, roomVersion: row.room_version, newRoomId: row.new_room_id, newRoom: row.new_room, parkedKey: row.parked_key,
    result: row.result, createdAtMs: row.created_at,
  };
}
