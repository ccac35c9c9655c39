/** The userapi's output records remade from its tables, for read models that are rebuilt. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';

type SnapshotRow = { kind: string; sequence: number; user_id: string; room_id: string; name: string; value: Uint8Array | null; removed: number };

// One statement, so that all tables are seen at one moment: a page never holds a record and misses an older one.
const SNAPSHOT = `
  SELECT kind, sequence, user_id, room_id, name, value, removed FROM (
    SELECT * FROM (SELECT 'account-data' AS kind, sequence, user_id, room_id, type AS name, content AS value, 0 AS removed
      FROM account_data WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS a
    UNION ALL SELECT * FROM (SELECT 'profile' AS kind, sequence, user_id, '' AS room_id, field AS name, value, 0 AS removed
      FROM profiles WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS p
    UNION ALL SELECT * FROM (SELECT 'device' AS kind, sequence, user_id, '' AS room_id, device_id AS name, CAST(NULL AS BLOB) AS value, removed
      FROM devices WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS d
    UNION ALL SELECT * FROM (SELECT 'deactivated' AS kind, sequence, user_id, '' AS room_id, room_sequences AS name, CAST(NULL AS BLOB) AS value, erased AS removed
      FROM deactivations WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS e
    UNION ALL SELECT * FROM (SELECT 'device-list' AS kind, sequence, user_id, '' AS room_id, '' AS name, CAST(NULL AS BLOB) AS value, 0 AS removed
      FROM device_lists WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS l
    UNION ALL SELECT * FROM (SELECT 'key-counts' AS kind, sequence, user_id, device_id AS room_id, counts || '\n' || unused_fallbacks AS name, CAST(NULL AS BLOB) AS value, 0 AS removed
      FROM device_key_counts WHERE partition = ? AND sequence > ? ORDER BY sequence LIMIT ?) AS c
  ) AS records ORDER BY sequence LIMIT ?`;

/**
 * Up to `limit` records of the partition with a sequence number > `afterSequence`, in order: the newest record about each device, profile field and piece of
 * account data, of each account that is over, of each user's keys and of what is left to claim of each device; what was overwritten since is left out. Fewer than `limit`: there are no more. Applied in order from 0 on, and then followed by the log from the last
 * sequence number on, they leave a read model equal to one that saw every record. Input and trace IDs are not kept: they are empty.
 */
export async function userSnapshot(database: Reader, partition: number, afterSequence: number, limit: number): Promise<SequencedRecord<UserOutput>[]> {
  const range = [partition, afterSequence, limit];
  const rows = await database.query<SnapshotRow>(SNAPSHOT, [...range, ...range, ...range, ...range, ...range, ...range, limit]);
  return rows.map((row) => ({ partition, sequence: row.sequence, output: { userId: row.user_id, inputId: '', traceId: '', ...changeOf(row) } }));
}

function changeOf(row: SnapshotRow): Pick<UserOutput, 'accountData' | 'profileField' | 'device' | 'deactivated' | 'deviceList' | 'keyCounts'> {
  if (row.kind === 'device') return { device: { deviceId: row.name, removed: row.removed !== 0 } };
  if (row.kind === 'deactivated') return { deactivated: { erased: row.removed !== 0, roomSequences: JSON.parse(row.name) as number[] } };
  const value = row.value ?? new Uint8Array(0);
  if (row.kind === 'device-list') return { deviceList: { deviceId: '', deleted: false, displayName: '', keys: value, crossSigning: value, previous: 0 } };
  if (row.kind === 'key-counts') {
    const [counts = '{}', unusedFallbacks = '[]'] = row.name.split('\n');
    return { keyCounts: { deviceId: row.room_id, counts, unusedFallbacks } };
  }
  if (row.kind === 'profile') return { profileField: { key: row.name, value } };
  return { accountData: { roomId: row.room_id, type: row.name, content: value } };
}
