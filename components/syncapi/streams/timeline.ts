/**
 * The timelines of an answer: for each room the newest events that the client does not have, that it may see, and that its filter lets through. All rooms are read
 * together, in a few rounds that reach further back only for rooms that still lack events.
 */
import type { Reader } from '../../../pkg/storage/database.ts';
import { passes, passesRoom, type EventFilter } from '../filters/filter.ts';
import { relatedBy } from '../relations/related-by.ts';
import { isForgotten } from '../storage/memberships.ts';
import { TIMELINE_COLUMNS, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { RoomView } from '../sync/scope.ts';
import type { ReadDeps } from '../sync/deps.ts';
import type { KnownView } from './room-facts.ts';
import { isIgnored, type IgnoredUsers } from '../visibility/ignored-users.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible, membershipAt } from '../visibility/visibility.ts';

export interface RoomTimeline {
  /** Oldest first. */
  readonly shown: readonly SeenRow[];
  /** There is more between what the client has and `shown`. */
  readonly limited: boolean;
  /** Page boundary from which going back leads to what is not shown. */
  readonly prevBatch: number;
  /** The state at the start is the state just before this sequence. */
  readonly startSequence: number;
  /** An event at or before the start, or the newest one: where to look for state from. undefined: the room has no event yet at this position. */
  readonly anchor: TimelineRow | undefined;
  /** Everything that happened is shown, so no state change is missing. */
  readonly complete: boolean;
  /** What the room's summary is made of changed (a membership, the name), or it is not known whether. */
  readonly summaryChanged: boolean;
}

export const TIMELINE_LIMIT_DEFAULT = 10;
export const TIMELINE_LIMIT_MAX = 250;
/** Rows that one answer looks at, at most, when filters let little through. */
const SCANNED_ROWS_MAX = 20_000;
const ROUND_GROWTH = 4;
/** What a user is who is neither in the room nor out of it. */
const ASKED: ReadonlySet<string> = new Set(['invite', 'knock']);
/** Types of the events that summaries are made of. */
const SUMMARISED: ReadonlySet<string> = new Set(['m.room.member', 'm.room.name', 'm.room.canonical_alias']);

interface Scan {
  readonly view: KnownView;
  /** Newest first. */
  readonly matched: SeenRow[];
  newest: TimelineRow | undefined;
  oldest: TimelineRow | undefined;
  /** The event of the view's departure. */
  departed: TimelineRow | undefined;
  lowestKey: number;
  exhausted: boolean;
  more: boolean;
  skipped: boolean;
  summaryChanged: boolean;
}

type TimelineDeps = Pick<ReadDeps, 'database' | 'roomHistoryQuery' | 'shared'>;

interface TimelineRequest {
  readonly filter: EventFilter;
  readonly userId: string;
  readonly ignored: IgnoredUsers;
}

interface ScanRequest extends TimelineRequest {
  readonly limit: number;
  /** Those of the rows that the filter's `related_by_…` let through; undefined: all. */
  readonly related: ReadonlySet<string> | undefined;
}

/** Timelines of `views`, by room. */
export async function loadTimelines(deps: TimelineDeps, views: readonly KnownView[], request: TimelineRequest): Promise<Map<string, RoomTimeline>> {
  const limit = Math.min(Math.max(0, request.filter.limit ?? TIMELINE_LIMIT_DEFAULT), TIMELINE_LIMIT_MAX);
  const scans = new Map<string, Scan>(
    views.map((view) => [
      view.roomId,
      { view, matched: [], newest: undefined, oldest: undefined, departed: undefined, lowestKey: Infinity, exhausted: false, more: false, skipped: view.hidden, summaryChanged: view.hidden },
    ]),
  );
  let [from, count, scanned] = [0, Math.min(limit + 1, newRowsMax(views)) + 1, 0];
  let hungry = [...scans.values()];
  while (hungry.length > 0 && scanned < SCANNED_ROWS_MAX) {
    const rows = await withMembershipBefore(deps.roomHistoryQuery, await readBack(deps, hungry, { from, count }), request.userId);
    scanned += Math.min(rows.length, hungry.length * count);
    const seen = scanRows(scans, rows, { ...request, limit, related: await relatedBy(deps.database, request.filter, rows) });
    for (const scan of hungry) if (!seen.has(scan.view.roomId)) scan.exhausted = true;
    hungry = hungry.filter((scan) => !scan.exhausted && !scan.more);
    from += count;
    count *= ROUND_GROWTH;
  }
  return new Map([...scans].map(([roomId, scan]) => [roomId, timelineOf(scan)]));
}

/** No room can have more new events than its partition has new records. */
function newRowsMax(views: readonly RoomView[]): number {
  return views.reduce((most, view) => Math.max(most, view.upper - view.lower), 0);
}

/**
 * The `count` rows of each room that lie `from` places before its end. Live order keys are dense, so a place is a difference of keys. Rooms that were left are counted from the departure; what their
 * users are now is read beside it.
 */
async function readBack(deps: TimelineDeps, scans: readonly Scan[], range: { from: number; count: number }): Promise<readonly TimelineRow[]> {
  const left = scans.filter((scan) => scan.view.section === 'leave').map((scan) => scan.view);
  const live = scans.filter((scan) => scan.view.section !== 'leave').map((scan) => scan.view);
  const rows = range.from === 0 ? await readTails(deps, live, range.count) : await readPart(deps.database, live.map((view) => view.roomId), range);
  return left.length === 0 ? rows : [...rows, ...(await readLeft(deps.database, left, range))];
}

async function readLeft(reader: Reader, views: readonly KnownView[], { from, count }: { from: number; count: number }): Promise<TimelineRow[]> {
  const departures = views.flatMap(({ departure }) => departure?.event_id ?? []);
  const rows = departures.length === 0 ? [] : await reader.queryIn<TimelineRow>(
    `SELECT ${TIMELINE_COLUMNS} FROM timeline a JOIN timeline t ON t.room_id = a.room_id AND t.order_key <= a.order_key - ?
       AND t.order_key > a.order_key - ? AND t.order_key > 0
     WHERE a.event_id IN (??)`,
    [from, from + count],
    departures,
  );
  const since = views.flatMap(({ current, departure }) => (from > 0 || current.event_id === departure?.event_id ? [] : current.event_id));
  return since.length === 0 ? rows : [...(await reader.queryIn<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id IN (??)`, [], since)), ...rows];
}

/** The first round, in which most answers find all: the ends of timelines are shared. A few more rows than asked for, so that clients with different limits share them too. */
function readTails({ database, shared }: TimelineDeps, views: readonly KnownView[], count: number): Promise<readonly TimelineRow[]> {
  const bound = 2 ** Math.ceil(Math.log2(count));
  return shared.get('tail', views.map(({ roomId, lastSequence }) => ({ roomId, lastSequence, bound })), (missing) => readPart(database, missing.map(({ roomId }) => roomId), { from: 0, count: bound }));
}

async function readPart(reader: Reader, roomIds: readonly string[], { from, count }: { from: number; count: number }): Promise<TimelineRow[]> {
  return roomIds.length === 0
    ? []
    : reader.queryIn<TimelineRow>(
        `SELECT ${TIMELINE_COLUMNS} FROM rooms r JOIN timeline t ON t.room_id = r.room_id AND t.order_key <= r.last_order_key - ?
           AND t.order_key > r.last_order_key - ? AND t.order_key > 0
         WHERE r.room_id IN (??)`,
        [from, from + count],
        roomIds,
      );
}

/** Takes rows into their rooms' scans; says which rooms had any. */
function scanRows(scans: ReadonlyMap<string, Scan>, rows: readonly SeenRow[], request: ScanRequest): Set<string> {
  const seen = new Set<string>();
  for (const row of rows.toSorted((a, b) => b.order_key - a.order_key)) {
    const scan = scans.get(row.room_id);
    if (scan === undefined) continue;
    seen.add(row.room_id);
    // New events may have come since the last round: then the rounds overlap.
    if (row.order_key < scan.lowestKey) scanRow(scan, row, request);
  }
  return seen;
}

function scanRow(scan: Scan, row: SeenRow, request: ScanRequest): void {
  if (scan.exhausted || scan.more) return;
  scan.lowestKey = row.order_key;
  if (row.sequence > scan.view.upper) return;
  scan.newest ??= row;
  if (row.event_id === scan.view.departure?.event_id) scan.departed = row;
  if (row.sequence <= scan.view.lower) {
    scan.exhausted = true;
    return;
  }
  if (isBeforeReset(row, scan)) {
    scan.more = true;
    return;
  }
  takeRow(scan, row, request);
}

/** A row that is new to the client. */
function takeRow(scan: Scan, row: SeenRow, request: ScanRequest): void {
  scan.summaryChanged ||= SUMMARISED.has(row.type) || row.others_changed === 1;
  // Such changes are in no timeline.
  scan.skipped ||= row.others_changed === 1;
  if (!isWanted(row, request)) {
    scan.skipped = true;
  } else if (!isVisible(row, request.userId, scan.view.intervals)) {
    scan.skipped = true;
    // The state at the start of the timeline has to tell what came of it: were the start before it, an older value that is shown would undo the state's.
    if (row.state_key !== null) {
      scan.more = true;
      return;
    }
  } else if (scan.matched.length === request.limit) {
    scan.more = true;
    return;
  } else {
    scan.matched.push(row);
  }
  scan.oldest = row;
  if (row.order_key <= 1) scan.exhausted = true;
}

/**
 * Whether the room's state began anew between the row and what is shown. No timeline reaches across: the values that it would show from before are older than those which came with the new state, and
 * would undo them.
 */
function isBeforeReset(row: TimelineRow, { newest, view }: Scan): boolean {
  return row.sequence < view.resetSequence && newest !== undefined && newest.sequence > view.resetSequence;
}

function isWanted(row: SeenRow, { filter, ignored, related }: ScanRequest): boolean {
  if (!passesRoom(filter, row.room_id) || isIgnored(row, ignored) || related?.has(row.event_id) === false) return false;
  return passes(filter, { type: row.type, sender: row.sender, hasUrl: row.has_url === 1 });
}

/**
 * Who enters a room again (and perhaps leaves it again) may have begun to sync while outside: nobody knows whether the client has what was before. Nor does anybody know it of who was asked in again
 * and refuses: left and asked in between two syncs, the room was shown as an invite alone, and what was before the leave is found by paging back from here.
 */
function isReturn({ section, entered, intervals, current, lower, upper, stateAfter }: KnownView): boolean {
  if (lower === 0) return false;
  if (section === 'join') return entered;
  if (upper <= lower) return false;
  const before = membershipAt(intervals, lower);
  return before !== 'join' && (stateAfter === 0 || (ASKED.has(before ?? '') && !isForgotten(current) && intervals.some(({ membership }) => membership === 'join')));
}

function timelineOf(scan: Scan): RoomTimeline {
  const shown = scan.matched.toReversed();
  const limited = [scan.more, !scan.exhausted, isReturn(scan.view), scan.view.purged].some(Boolean);
  return {
    shown,
    limited,
    ...startOf(scan, shown[0], limited),
    complete: !limited && !scan.skipped,
    summaryChanged: scan.summaryChanged || limited,
  };
}

function startOf({ view, newest, oldest, departed }: Scan, first: SeenRow | undefined, limited: boolean): Pick<RoomTimeline, 'prevBatch' | 'startSequence' | 'anchor'> {
  const edge = limited ? first : (oldest ?? first);
  const prevBatch = edge === undefined ? (newest?.order_key ?? 0) : edge.order_key - 1;
  const anchor = first ?? newest;
  // Where nothing is shown but what the user is now, all else begins at the departure.
  if (departed !== undefined && anchor !== undefined && anchor.sequence > departed.sequence) return { prevBatch: Math.min(prevBatch, departed.order_key), startSequence: departed.sequence + 1, anchor: departed };
  return { prevBatch, startSequence: first?.sequence ?? view.upper + 1, anchor };
}
