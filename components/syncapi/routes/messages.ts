/** GET /rooms/{roomId}/messages: a page of a room's timeline, forwards or backwards, of what the user may see. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { parseEventFilter, type EventFilter } from '../filters/filter.ts';
import { BEGINNING, PAGE_EVENTS_MAX, readPage, type Page, type PageQuestion } from '../history/read-page.ts';
import { memberIdsOf, renderPage, renderStateEvents, stateSequenceOf, type PageReader } from '../history/render-page.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { boundaryAt, boundaryOfToken } from '../sync/page-place.ts';
import { encodePageToken } from '../token/page-token.ts';
import { ignoredUsers } from '../visibility/ignored-users.ts';
import { notInRoom, readingRights, type ReadingRights } from '../visibility/reading-rights.ts';
import { jsonParam, numberParam, param, requesterOf } from './route-parts.ts';

const LIMIT_DEFAULT = 10;

export function messagesRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getRoomEvents',
    method: 'GET',
    path: '/_matrix/client/v3/rooms/{roomId}/messages',
    role: 'syncapi',
    idempotent: true,
    guests: true,
    handle: (request) => getMessages(deps, request),
  };
}

async function getMessages(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const question = await questionOf(deps, request);
  const page = await readPage(deps, question);
  const parts = [`"start":${JSON.stringify(request.query.get('from') || encodePageToken(question.from))}`];
  if (!page.isLast) parts.push(`"end":${JSON.stringify(encodePageToken(page.at))}`);
  parts.push(`"chunk":[${(await renderPage(deps, question, page.rows)).join(',')}]`);
  if (question.filter.lazyLoadMembers) parts.push(`"state":[${(await membersOf(deps, page)).join(',')}]`);
  return { status: 200, json: `{${parts.join(',')}}` };
}

async function questionOf(deps: ReadDeps, request: ApiRequest): Promise<PageQuestion & PageReader> {
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
  return {
    ...{ userId, deviceId, backwards, roomId: rights.room.room_id, intervals: rights.intervals, asksOthers: true },
    from: (await token('from')) ?? (backwards ? await newestBoundary(deps, rights) : BEGINNING),
    to: await token('to'),
    limit: Math.min(numberParam(query, 'limit') ?? LIMIT_DEFAULT, PAGE_EVENTS_MAX),
    filter: eventFilterOf(query),
    ignored: await ignoredUsers(deps.database, userId),
  };
}

/** The query parameter `filter`, a RoomEventFilter. Throws 400. */
export function eventFilterOf(query: URLSearchParams): EventFilter {
  const filter = query.get('filter');
  return parseEventFilter(filter === null || filter === '' ? {} : jsonParam(filter, 'filter'));
}

/** Of a left room: that of the leave, so that no pages of what came after it are looked through in vain. */
export function newestBoundary(deps: Pick<ReadDeps, 'database'>, rights: ReadingRights): Promise<number> {
  return boundaryAt(deps.database, rights.room.room_id, rights.stateAt);
}

/** Member events of the page's senders, as they were at its first event. */
async function membersOf(deps: ReadDeps, { rows }: Page): Promise<string[]> {
  const [first] = rows;
  return first === undefined ? [] : renderStateEvents(deps, await memberIdsOf(deps, rows, stateSequenceOf(first)));
}
