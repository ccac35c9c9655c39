/** GET /rooms/{roomId}/relations/{eventId}, also with a relation type and an event type: the events that relate to another one (Client-Server API v1.3). */
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { BEGINNING } from '../history/read-page.ts';
import { renderPage } from '../history/render-page.ts';
import { collect } from '../relations/collect.ts';
import { directSource, RECURSION_DEPTH, recursiveSource, type RelatedQuestion } from '../relations/related-events.ts';
import { membershipsInRoom } from '../storage/memberships.ts';
import { TIMELINE_COLUMNS, type MembershipRow, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { boundaryOfToken } from '../sync/page-place.ts';
import { encodePageToken } from '../token/page-token.ts';
import { ignoredUsers } from '../visibility/ignored-users.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible } from '../visibility/visibility.ts';
import { noSuchEvent } from './events.ts';
import { booleanParam, enumParam, numberParam, param, requesterOf } from './route-parts.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
const PATH = '/_matrix/client/v1/rooms/{roomId}/relations/{eventId}';

export function relationRoutes(deps: ReadDeps): Route[] {
  const route = (operationId: string, path: string): Route => ({ operationId, method: 'GET', path, role: 'syncapi', idempotent: true, handle: (request) => getRelations(deps, request) });
  return [route('getRelatingEvents', PATH), route('getRelatingEventsWithRelType', `${PATH}/{relType}`), route('getRelatingEventsWithRelTypeAndEventType', `${PATH}/{relType}/{eventType}`)];
}

async function getRelations(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { query, params } = request;
  const requester = await requesterOf(deps, request);
  const { userId } = requester;
  const options = { backwards: enumParam(query, 'dir', ['b', 'f']) !== 'f', limit: limitParam(query, LIMIT_DEFAULT, LIMIT_MAX), recurse: booleanParam(query, 'recurse') };
  const { parent, intervals } = await readableParent(deps, userId, { roomId: param(request, 'roomId'), eventId: param(request, 'eventId') });
  const boundary = (name: string): Promise<number> | undefined => {
    const token = query.get(name);
    return token === null || token === '' ? undefined : boundaryOfToken(deps, parent, token);
  };
  const question: RelatedQuestion = {
    ...{ userId, intervals, ...options, roomId: parent.room_id, parentId: parent.event_id, relType: params['relType'], eventType: params['eventType'] },
    from: (await boundary('from')) ?? (options.backwards ? Number.MAX_SAFE_INTEGER : BEGINNING),
    to: await boundary('to'),
    ignored: await ignoredUsers(deps.database, userId),
  };
  const source = options.recurse ? await recursiveSource(deps.database, question) : directSource(deps.database, question);
  const { rows, next } = await collect(deps, question, source);
  const parts = [`"chunk":[${(await renderPage(deps, { ...requester, intervals, ignored: question.ignored }, rows)).join(',')}]`];
  if (next !== undefined) parts.push(`"next_batch":${JSON.stringify(encodePageToken(next))}`);
  if (query.get('from')) parts.push(`"prev_batch":${JSON.stringify(encodePageToken(question.from))}`);
  // How far is gone where the relations lead on, whether or not they do.
  if (query.has('recurse')) parts.push(`"recursion_depth":${options.recurse ? RECURSION_DEPTH : 0}`);
  return { status: 200, json: `{${parts.join(',')}}` };
}

/** The event, if the user may see it: also one of somebody whom they ignore, for what others say to it. Throws 404 M_NOT_FOUND. */
async function readableParent(deps: ReadDeps, userId: string, { roomId, eventId }: { roomId: string; eventId: string }): Promise<{ parent: SeenRow; intervals: MembershipRow[] }> {
  const rows = await deps.database.query<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id = ? AND t.room_id = ?`, [eventId, roomId]);
  const [parent] = await withMembershipBefore(deps.roomHistoryQuery, rows, userId);
  const intervals = parent === undefined ? [] : await membershipsInRoom(deps.database, userId, roomId);
  if (parent === undefined || !isVisible(parent, userId, intervals)) throw noSuchEvent();
  return { parent, intervals };
}

/** The query parameter `limit`, a whole number above 0. Throws 400 M_INVALID_PARAM. */
export function limitParam(query: URLSearchParams, byDefault: number, most: number): number {
  const limit = numberParam(query, 'limit') ?? byDefault;
  if (limit === 0) throw new MatrixError(400, 'M_INVALID_PARAM', 'limit must be above 0');
  return Math.min(limit, most);
}
