/** What others can still claim of the reader's device (Client-Server API, "Extensions to /sync"). */
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';

export interface KeyCounts {
  /** JSON object: algorithm to number. */
  readonly counts: string;
  /** JSON list of algorithms. */
  readonly unusedFallbacks: string;
  /** Of user-output, at which they last changed. */
  readonly sequence: number;
}

/** Of this algorithm all clients need keys. Some of them take no notice of a number that is missing, although it stands for 0 then. */
const NEEDED = '"signed_curve25519"';

const NONE: KeyCounts = { counts: '{}', unusedFallbacks: '[]', sequence: 0 };

type CountsRow = { user_id: string; device_id: string; counts: string; unused_fallbacks: string; sequence: number };

/** Of all devices of the users: they are few, and so many users are asked for at once. */
const OF_USERS = { sql: 'SELECT user_id, device_id, counts, unused_fallbacks, sequence FROM device_key_counts WHERE user_id IN (??)', by: 'user_id' };

export async function loadKeyCounts(reader: Reader, { userId, deviceId }: { readonly userId: string; readonly deviceId: string }): Promise<KeyCounts> {
  const row = (await gatherIn<CountsRow>(reader, OF_USERS, [userId])).find((one) => one.device_id === deviceId);
  return row === undefined ? NONE : { counts: withZero(row.counts), unusedFallbacks: row.unused_fallbacks, sequence: row.sequence };
}

function withZero(counts: string): string {
  if (counts.includes(`${NEEDED}:`)) return counts;
  return counts === '{}' ? `{${NEEDED}:0}` : `{${NEEDED}:0,${counts.slice(1)}`;
}
