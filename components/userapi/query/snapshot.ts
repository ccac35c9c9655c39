/** The userapi's output records remade from its tables, for read models that are rebuilt. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';

export interface UserSnapshotRecord {
  /** Sequence number of the record that last said so. */
  readonly sequence: number;
  readonly output: UserOutput;
}

type DeviceRow = { sequence: number; user_id: string; device_id: string; removed: number };
type ProfileRow = { sequence: number; user_id: string; field: string; value: Uint8Array };
type AccountDataRow = { sequence: number; user_id: string; room_id: string; type: string; content: Uint8Array };

/**
 * Up to `limit` records of the partition with a sequence number > `afterSequence`, in order: the newest record about each device, profile field and piece of
 * account data; what was overwritten since is left out. Fewer than `limit`: there are no more. Applied in order from 0 on, and then followed by the log from the last
 * sequence number on, they leave a read model equal to one that saw every record. Input and trace IDs are not kept: they are empty.
 */
export async function userSnapshot(database: Reader, partition: number, afterSequence: number, limit: number): Promise<UserSnapshotRecord[]> {
  const range = [partition, afterSequence, limit];
  const tail = 'WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?';
  const [devices, profiles, accountData] = await Promise.all([
    database.query<DeviceRow>(`SELECT sequence, user_id, device_id, removed FROM devices ${tail}`, range),
    database.query<ProfileRow>(`SELECT sequence, user_id, field, value FROM profiles ${tail}`, range),
    database.query<AccountDataRow>(`SELECT sequence, user_id, room_id, type, content FROM account_data ${tail}`, range),
  ]);
  const records = [
    ...devices.map((row) => record(row, { device: { deviceId: row.device_id, removed: row.removed !== 0 } })),
    ...profiles.map((row) => record(row, { profileField: { key: row.field, value: row.value } })),
    ...accountData.map((row) => record(row, { accountData: { roomId: row.room_id, type: row.type, content: row.content } })),
  ];
  return records.sort((a, b) => a.sequence - b.sequence).slice(0, limit);
}

function record(row: { sequence: number; user_id: string }, change: Partial<UserOutput>): UserSnapshotRecord {
  return { sequence: row.sequence, output: { userId: row.user_id, inputId: '', traceId: '', ...change } };
}
