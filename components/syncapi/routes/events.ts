/** GET /rooms/{roomId}/event/{eventId}: one event, if the user may see it. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { renderTimelineRow } from '../events/render-row.ts';
import { visibleReplaced } from '../events/replaced.ts';
import { membershipsInRoom } from '../storage/memberships.ts';
import { TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible } from '../visibility/visibility.ts';
import { param, requesterOf } from './route-parts.ts';

export function eventRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getOneRoomEvent',
    method: 'GET',
    path: '/_matrix/client/v3/rooms/{roomId}/event/{eventId}',
    role: 'syncapi',
    idempotent: true,
    handle: (request) => getEvent(deps, request),
  };
}

async function getEvent(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId, deviceId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  const rows = await deps.database.query<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id = ? AND t.room_id = ?`, [param(request, 'eventId'), roomId]);
  const [row] = await withMembershipBefore(deps.roomHistoryQuery, rows, userId);
  const intervals = row === undefined ? [] : await membershipsInRoom(deps.database, userId, roomId);
  if (row === undefined || !isVisible(row, userId, intervals)) throw notFound();
  const replaced = await visibleReplaced(deps.database, [row], { userId, past: deps.roomHistoryQuery, intervals: () => intervals });
  const events = await deps.events.load([row.event_id, ...replaced]);
  const event = events.get(row.event_id);
  if (event === undefined) throw notFound();
  return { status: 200, json: renderTimelineRow(row, event, { events, userId, deviceId, intervals, nowMs: deps.runtime.clock.now(), withRoomId: true }) };
}

function notFound(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such event, or you may not see it');
}
