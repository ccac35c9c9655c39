/** GET /rooms/{roomId}/messages: a page of a room's timeline, forwards or backwards, of what the user may see. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { renderEvent } from '../events/client-event.ts';
import { renderTimelineRow } from '../events/render-row.ts';
import { visibleReplaced } from '../events/replaced.ts';
import type { Fetched } from '../history/fetch-history.ts';
import { parseEventFilter, passes, passesRoom, type EventFilter } from '../filters/filter.ts';
import { slotOf, TIMELINE_COLUMNS, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { boundaryAt, boundaryOfToken } from '../sync/page-place.ts';
import { encodePageToken } from '../token/page-token.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible } from '../visibility/visibility.ts';
import { notInRoom, readingRights, type ReadingRights } from '../visibility/reading-rights.ts';
import { jsonParam, numberParam, param, requesterOf } from './route-parts.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 500;
/** How long a page waits for other servers, and how often it asks them. */
const HISTORY_MS_MAX = 10_000;
const FETCHES_MAX = 6;
/** Rows that one page looks at, at most, when little of them may be shown. */
const SCANNED_ROWS_MAX = 5000;

interface PageQuestion {
  readonly userId: string;
  readonly deviceId: string;
  readonly rights: ReadingRights;
  readonly backwards: boolean;
  /** Page boundary to go from. */
  readonly from: number;
  /** Boundary to stop at. */
  readonly to: number | undefined;
  readonly limit: number;
  readonly filter: EventFilter;
}

export function messagesRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getRoomEvents',
    method: 'GET',
    path: '/_matrix/client/v3/rooms/{roomId}/messages',
    role: 'syncapi',
    idempotent: true,
    handle: (request) => getMessages(deps, request),
  };
}

async function getMessages(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const question = await questionOf(deps, request);
  const page = await readPage(deps, question);
  const parts = [`"start":${JSON.stringify(request.query.get('from') || encodePageToken(question.from))}`];
  if (page.end !== undefined) parts.push(`"end":${JSON.stringify(encodePageToken(page.end))}`);
  parts.push(`"chunk":[${(await renderRows(deps, question, page.rows)).join(',')}]`);
  if (question.filter.lazyLoadMembers) parts.push(`"state":[${(await renderMembers(deps, question, page.rows)).join(',')}]`);
  return { status: 200, json: `{${parts.join(',')}}` };
}

async function questionOf(deps: ReadDeps, request: ApiRequest): Promise<PageQuestion> {
  const { query } = request;
  const { userId, deviceId } = await requesterOf(deps, request);
  const dir = query.get('dir');
  if (dir !== 'b' && dir !== 'f') throw new MatrixError(400, dir === null ? 'M_MISSING_PARAM' : 'M_INVALID_PARAM', 'dir must be b or f');
  const rights = await readingRights(deps.database, param(request, 'roomId'), userId);
  if (rights.room.history_visibility !== 'world_readable' && rights.intervals.length === 0) throw notInRoom();
  const backwards = dir === 'b';
  const token = (name: string): Promise<number> | undefined => {
    const text = query.get(name);
    return text === null || text === '' ? undefined : boundaryOfToken(deps, rights.room, text);
  };
  const filter = query.get('filter');
  return {
    ...{ userId, deviceId, rights, backwards },
    from: (await token('from')) ?? (backwards ? await newestBoundary(deps, rights) : Number.MIN_SAFE_INTEGER),
    to: await token('to'),
    limit: Math.min(numberParam(query, 'limit') ?? LIMIT_DEFAULT, LIMIT_MAX),
    filter: parseEventFilter(filter === null || filter === '' ? {} : jsonParam(filter, 'filter')),
  };
}

/** Of a left room: that of the leave, so that no pages of what came after it are looked through in vain. */
function newestBoundary(deps: ReadDeps, rights: ReadingRights): Promise<number> {
  return boundaryAt(deps.database, rights.room.room_id, rights.stateAt);
}

/** Rows in the direction of reading, and the boundary to go on from; no `end`: nothing lies beyond. */
async function readPage(deps: ReadDeps, question: PageQuestion): Promise<{ rows: SeenRow[]; end: number | undefined }> {
  const rows: SeenRow[] = [];
  const endsAt = deps.runtime.clock.now() + HISTORY_MS_MAX;
  let at = question.from;
  let fetched = 0;
  for (let scanned = 0; scanned < SCANNED_ROWS_MAX; ) {
    const wanted = Math.min(Math.max(question.limit - rows.length, 20) * (scanned === 0 ? 1 : 4), 1000);
    const found = await readRows(deps, question, { at, count: wanted });
    scanned += found.length;
    for (const row of found) {
      if (rows.length >= question.limit) return { rows, end: at };
      if (isPast(question, row)) return { rows, end: undefined };
      at = question.backwards ? row.order_key - 1 : row.order_key;
      if (isShown(question, row)) rows.push(row);
    }
    if (found.length >= wanted) continue;
    const beyond = question.backwards ? await beyondOldest(deps, question, { at, fetched, endsAt }) : 'complete';
    if (beyond !== 'more') return { rows, end: beyond === 'nothing' && rows.length > 0 ? at : undefined };
    fetched += 1;
  }
  return { rows, end: at };
}

/** Goes on to what other servers know of the room's past. A page that is not empty may be continued, where they do not answer now. */
async function beyondOldest(deps: ReadDeps, { rights, to }: PageQuestion, { at, fetched, endsAt }: { at: number; fetched: number; endsAt: number }): Promise<Fetched> {
  if (rights.intervals.length === 0 || (to !== undefined && to >= at)) return 'complete';
  const leftMs = endsAt - deps.runtime.clock.now();
  return fetched >= FETCHES_MAX || leftMs <= 0 ? 'nothing' : deps.history.more(rights.room.room_id, leftMs);
}

async function readRows(deps: ReadDeps, question: PageQuestion, range: { at: number; count: number }): Promise<readonly SeenRow[]> {
  const roomId = question.rights.room.room_id;
  const sql = question.backwards
    ? `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.room_id = ? AND t.order_key <= ? ORDER BY t.order_key DESC LIMIT ?`
    : `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.room_id = ? AND t.order_key > ? ORDER BY t.order_key LIMIT ?`;
  return withMembershipBefore(deps.roomHistoryQuery, await deps.database.query<TimelineRow>(sql, [roomId, range.at, range.count]), question.userId);
}

function isPast(question: PageQuestion, row: SeenRow): boolean {
  if (question.to === undefined) return false;
  return question.backwards ? row.order_key <= question.to : row.order_key > question.to;
}

function isShown({ filter, userId, rights }: PageQuestion, row: SeenRow): boolean {
  if (!passesRoom(filter, row.room_id)) return false;
  if (!passes(filter, { type: row.type, sender: row.sender, hasUrl: row.has_url === 1 })) return false;
  return isVisible(row, userId, rights.intervals);
}

async function renderRows(deps: ReadDeps, question: PageQuestion, rows: readonly SeenRow[]): Promise<string[]> {
  const replaced = await visibleReplaced(deps.database, rows, { userId: question.userId, past: deps.roomHistoryQuery, intervals: () => question.rights.intervals });
  const events = await deps.events.load([...rows.map((row) => row.event_id), ...replaced]);
  return rows.flatMap((row) => {
    const event = events.get(row.event_id);
    return event === undefined ? [] : [renderTimelineRow(row, event, { events, ...question, intervals: question.rights.intervals, nowMs: deps.runtime.clock.now(), withRoomId: true })];
  });
}

/** Member events of the page's senders, as they were at its first event. */
async function renderMembers(deps: ReadDeps, question: PageQuestion, rows: readonly SeenRow[]): Promise<string[]> {
  const first = rows[0];
  if (first === undefined) return [];
  const slots = [...new Set(rows.map((row) => slotOf(row.room_id, 'm.room.member', row.sender)))];
  const intervals = await deps.database.queryIn<{ event_id: string; slot: string; from_sequence: number }>(
    'SELECT event_id, slot, from_sequence FROM state_intervals WHERE from_sequence <= ? AND to_sequence > ? AND slot IN (??)',
    [first.sequence, first.sequence],
    slots,
  );
  const nowMs = deps.runtime.clock.now();
  const events = await deps.events.load(intervals.map((row) => row.event_id));
  return [...events.values()].filter((event) => event.type === 'm.room.member').map((event) => renderEvent(event, { nowMs }, true));
}
