/** GET /notifications: what the user was notified of. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { renderTimelineRow } from '../events/render-row.ts';
import { membershipsOfUser } from '../storage/memberships.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { listNotices, type NoticeCursor } from '../unread/list-notices.ts';
import { numberParam, requesterOf } from './route-parts.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 100;

export function notificationsRoute(deps: ReadDeps): Route {
  return { operationId: 'getNotifications', method: 'GET', path: '/_matrix/client/v3/notifications', role: 'syncapi', idempotent: true, handle: (request) => getNotifications(deps, request) };
}

/** GET /_matrix/client/v3/notifications — r0 */
async function getNotifications(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requesterOf(deps, request);
  const { userId } = requester;
  const limit = Math.max(1, Math.min(numberParam(request.query, 'limit') ?? LIMIT_DEFAULT, LIMIT_MAX));
  const from = request.query.get('from');
  const after = from === null || from === '' ? undefined : decodeCursor(from);
  const memberships = await membershipsOfUser(deps.database, userId);
  const { notices, next } = await listNotices(deps.database, { userId, memberships, after, limit, highlightOnly: request.query.get('only') === 'highlight' });
  const events = await deps.events.load(notices.map(({ row }) => row.event_id));
  const nowMs = deps.runtime.clock.now();
  const texts = notices.flatMap(({ row, sentAt, actions, isRead }) => {
    const event = events.get(row.event_id);
    if (event === undefined) return [];
    const text = renderTimelineRow(row, event, { ...requester, events, intervals: memberships.get(row.room_id) ?? [], nowMs, withRoomId: false });
    return [`{"actions":${actions},"event":${text},"read":${isRead},"room_id":${JSON.stringify(row.room_id)},"ts":${sentAt}}`];
  });
  const token = next === undefined ? '' : `,"next_token":${JSON.stringify(encodeCursor(next))}`;
  return { status: 200, json: `{"notifications":[${texts.join(',')}]${token}}` };
}

function encodeCursor({ sentAt, roomId, orderKey }: NoticeCursor): string {
  return Buffer.from(JSON.stringify([sentAt, orderKey, roomId])).toString('base64url');
}

/** Throws 400 M_INVALID_PARAM for what is no token. */
function decodeCursor(token: string): NoticeCursor {
  const parsed = parsedOrNothing(Buffer.from(token, 'base64url').toString());
  const [sentAt, orderKey, roomId] = Array.isArray(parsed) ? (parsed as unknown[]) : [];
  if (!Number.isSafeInteger(sentAt) || !Number.isSafeInteger(orderKey) || typeof roomId !== 'string' || roomId.includes('\0')) throw new MatrixError(400, 'M_INVALID_PARAM', 'from is not a token of this endpoint');
  return { sentAt: sentAt as number, orderKey: orderKey as number, roomId };
}

function parsedOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
