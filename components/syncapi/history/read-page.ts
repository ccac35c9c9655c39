/** Pages of a room's timeline, forwards or backwards, of what their reader may see. */
import { passes, passesRoom, type EventFilter } from '../filters/filter.ts';
import { relatedBy } from '../relations/related-by.ts';
import { TIMELINE_COLUMNS, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { isIgnored, type IgnoredUsers } from '../visibility/ignored-users.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible, type MembershipInterval } from '../visibility/visibility.ts';
import type { Fetched } from './fetch-history.ts';

/** Most events of a page, whatever is asked for. */
export const PAGE_EVENTS_MAX = 500;
/** How long a page waits for other servers, and how often it asks them. */
const HISTORY_MS_MAX = 10_000;
const FETCHES_MAX = 6;
/** Rows that one page looks at, at most, when little of them may be shown. */
const SCANNED_ROWS_MAX = 5000;
/** Before the oldest event that can be. */
export const BEGINNING = Number.MIN_SAFE_INTEGER;

export interface PageQuestion {
  readonly roomId: string;
  readonly userId: string;
  /** All that the user ever was in the room, in order. */
  readonly intervals: readonly MembershipInterval[];
  readonly ignored: IgnoredUsers;
  readonly backwards: boolean;
  /** Page boundary to go from. */
  readonly from: number;
  /** Boundary to stop at. */
  readonly to: number | undefined;
  readonly limit: number;
  readonly filter: EventFilter;
  /** Other servers are asked for what lies before all that is here. */
  readonly asksOthers: boolean;
}

export interface Page {
  /** In the direction of reading. */
  readonly rows: readonly SeenRow[];
  /** Boundary to go on from. */
  readonly at: number;
  /** Nothing lies beyond. */
  readonly isLast: boolean;
}

type PageDeps = Pick<ReadDeps, 'runtime' | 'database' | 'roomHistoryQuery' | 'history'>;

export async function readPage(deps: PageDeps, question: PageQuestion): Promise<Page> {
  const rows: SeenRow[] = [];
  const endsAt = deps.runtime.clock.now() + HISTORY_MS_MAX;
  let at = question.from;
  let fetched = 0;
  for (let scanned = 0; scanned < SCANNED_ROWS_MAX; ) {
    const wanted = Math.min(Math.max(question.limit - rows.length, 20) * (scanned === 0 ? 1 : 4), 1000);
    const found = await readRows(deps, question, { at, count: wanted });
    scanned += found.length;
    const related = await relatedBy(deps.database, question.filter, found);
    for (const row of found) {
      if (rows.length >= question.limit) return { rows, at, isLast: false };
      if (isPast(question, row)) return { rows, at, isLast: true };
      at = question.backwards ? row.order_key - 1 : row.order_key;
      if (related?.has(row.event_id) !== false && isShown(question, row)) rows.push(row);
    }
    if (found.length >= wanted) continue;
    const beyond = await beyondOldest(deps, question, { at, fetched, endsAt });
    // A page that is not empty may be continued, where others do not answer now.
    if (beyond !== 'more') return { rows, at, isLast: beyond === 'complete' || rows.length === 0 };
    fetched += 1;
  }
  return { rows, at, isLast: false };
}

/** Goes on to what other servers know of the room's past. */
async function beyondOldest(deps: PageDeps, question: PageQuestion, { at, fetched, endsAt }: { at: number; fetched: number; endsAt: number }): Promise<Fetched> {
  const { asksOthers, backwards, intervals, roomId, to } = question;
  if (!backwards || !asksOthers || intervals.length === 0 || (to !== undefined && to >= at)) return 'complete';
  const leftMs = endsAt - deps.runtime.clock.now();
  return fetched >= FETCHES_MAX || leftMs <= 0 ? 'nothing' : deps.history.more(roomId, leftMs);
}

async function readRows(deps: PageDeps, { roomId, userId, backwards }: PageQuestion, range: { at: number; count: number }): Promise<readonly SeenRow[]> {
  const sql = backwards
    ? `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.room_id = ? AND t.order_key <= ? ORDER BY t.order_key DESC LIMIT ?`
    : `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.room_id = ? AND t.order_key > ? ORDER BY t.order_key LIMIT ?`;
  return withMembershipBefore(deps.roomHistoryQuery, await deps.database.query<TimelineRow>(sql, [roomId, range.at, range.count]), userId);
}

function isPast({ backwards, to }: PageQuestion, row: SeenRow): boolean {
  if (to === undefined) return false;
  return backwards ? row.order_key <= to : row.order_key > to;
}

function isShown({ filter, ignored, intervals, userId }: PageQuestion, row: SeenRow): boolean {
  if (!passesRoom(filter, row.room_id) || isIgnored(row, ignored)) return false;
  if (!passes(filter, { type: row.type, sender: row.sender, hasUrl: row.has_url === 1 })) return false;
  return isVisible(row, userId, intervals);
}
