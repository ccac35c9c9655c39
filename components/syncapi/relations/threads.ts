/** The threads of a room, those with the newest events first. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { TIMELINE_COLUMNS, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible, type MembershipInterval } from '../visibility/visibility.ts';

export interface ThreadsQuestion {
  readonly roomId: string;
  readonly userId: string;
  /** All that the user ever was in the room, in order. */
  readonly intervals: readonly MembershipInterval[];
  /** Only threads that the user has begun, or taken part in. */
  readonly onlyOwn: boolean;
  /** Greatest order key of a thread's newest event. */
  readonly from: number;
  readonly limit: number;
}

type RootRow = TimelineRow & { latest_key: number; own_rel_type: string | null; has_taken_part: number | null };

/** Threads that one page looks at, at most, when few of them may be shown. */
const SCANNED_MAX = 1000;

/** Roots of threads that the user may see, and where to go on; `next` undefined: there are no others. */
export async function readThreads(deps: Pick<ReadDeps, 'database' | 'roomHistoryQuery'>, question: ThreadsQuestion): Promise<{ rows: SeenRow[]; next: number | undefined }> {
  const rows: SeenRow[] = [];
  const count = question.limit + 1;
  let at = question.from;
  for (let scanned = 0; scanned < SCANNED_MAX; scanned += count) {
    const found = await readRoots(deps.database, question, { at, count });
    const seen = new Map((await withMembershipBefore(deps.roomHistoryQuery, found, question.userId)).map((row) => [row.event_id, row]));
    for (const root of found) {
      if (rows.length >= question.limit) return { rows, next: at };
      at = root.latest_key - 1;
      const row = seen.get(root.event_id)!;
      if (isWanted(question, root) && isVisible(row, question.userId, question.intervals)) rows.push(row);
    }
    if (found.length < count) return { rows, next: undefined };
  }
  return { rows, next: at };
}

function readRoots(reader: Reader, { roomId, userId }: ThreadsQuestion, { at, count }: { at: number; count: number }): Promise<RootRow[]> {
  return reader.query<RootRow>(
    `SELECT ${TIMELINE_COLUMNS}, h.latest_key, (SELECT o.rel_type FROM relations o WHERE o.child_id = h.root_id) AS own_rel_type,
       (SELECT 1 FROM relations m WHERE m.parent_id = h.root_id AND m.room_id = h.room_id AND m.sender = ? AND m.rel_type = 'm.thread' LIMIT 1) AS has_taken_part
     FROM threads h JOIN timeline t ON t.event_id = h.root_id AND t.room_id = h.room_id
     WHERE h.room_id = ? AND h.latest_key <= ? ORDER BY h.latest_key DESC LIMIT ?`,
    [userId, roomId, at, count]);
}

/** An event that relates to another one is no root, whatever names it as one. */
function isWanted({ onlyOwn, userId }: ThreadsQuestion, root: RootRow): boolean {
  return root.own_rel_type === null && (!onlyOwn || root.sender === userId || root.has_taken_part === 1);
}
