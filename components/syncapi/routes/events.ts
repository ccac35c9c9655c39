/** GET /rooms/{roomId}/event/{eventId}: one event, if the user may see it. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { renderPage } from '../history/render-page.ts';
import { membershipsInRoom } from '../storage/memberships.ts';
import { TIMELINE_COLUMNS, type MembershipRow, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { ignoredUsers, isIgnored } from '../visibility/ignored-users.ts';
import { isVisible } from '../visibility/visibility.ts';
import { param, requesterOf } from './route-parts.ts';

export function eventRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getOneRoomEvent',
    method: 'GET',
    path: '/_matrix/client/v3/rooms/{roomId}/event/{eventId}',
    role: 'syncapi',
    idempotent: true,
    guests: true,
    handle: (request) => getEvent(deps, request),
  };
}

async function getEvent(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requesterOf(deps, request);
  const { row, intervals } = await visibleEvent(deps, requester.userId, { eventId: param(request, 'eventId'), roomId: param(request, 'roomId') });
  const [text] = row === undefined ? [] : await renderPage(deps, { ...requester, intervals }, [row]);
  if (text === undefined) throw noSuchEvent();
  return { status: 200, json: text };
}

/** The event's row, where the user may see it, and all that the user ever was in its room. Without `roomId`: in whatever room it is. */
export async function visibleEvent(deps: ReadDeps, userId: string, { eventId, roomId }: { eventId: string; roomId?: string }): Promise<{ row: SeenRow | undefined; intervals: MembershipRow[] }> {
  const rows = await deps.database.query<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id = ?`, [eventId]);
  const [row] = await withMembershipBefore(deps.roomHistoryQuery, roomId === undefined ? rows : rows.filter((one) => one.room_id === roomId), userId);
  const intervals = row === undefined ? [] : await membershipsInRoom(deps.database, userId, row.room_id);
  const isHidden = row === undefined || !isVisible(row, userId, intervals) || isIgnored(row, await ignoredUsers(deps.database, userId));
  return { row: isHidden ? undefined : row, intervals };
}

export function noSuchEvent(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such event, or you may not see it');
}
