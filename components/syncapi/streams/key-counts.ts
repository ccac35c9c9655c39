/** What others can still claim of the reader's device (Client-Server API, "Extensions to /sync"). */
import type { Reader } from '../../../pkg/storage/database.ts';

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

type CountsRow = { counts: string; unused_fallbacks: string; sequence: number };

export async function loadKeyCounts(reader: Reader, { userId, deviceId }: { readonly userId: string; readonly deviceId: string }): Promise<KeyCounts> {
  const [row] = await reader.query<CountsRow>('SELECT counts, unused_fallbacks, sequence FROM device_key_counts WHERE user_id = ? AND device_id = ?', [userId, deviceId]);
  return row === undefined ? NONE : { counts: withZero(row.counts), unusedFallbacks: row.unused_fallbacks, sequence: row.sequence };
}

function withZero(counts: string): string {
  if (counts.includes(`${NEEDED}:`)) return counts;
  return counts === '{}' ? `{${NEEDED}:0}` : `{${NEEDED}:0,${counts.slice(1)}`;
}
