/** GET /_matrix/federation/v1/timestamp_to_event/{roomId}: the event nearest to a time, of those that the asking server may see. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import type { RoomHistoryQuery } from '../../../schemas/ports/room-query.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { requireLetIn, requireRoomAccess, type RoomPorts } from '../auth/room-access.ts';

/** Events that the server may not see are passed over, so many. */
const PASSED_OVER_MAX = 50;

export function timestampToEventRoute(ports: RoomPorts & { readonly roomHistoryQuery: Pick<RoomHistoryQuery, 'timestampToEvent'> }, auth: AuthDeps): Route {
  const { roomHistoryQuery } = ports;
  return {
    operationId: 'getEventByTimestamp',
    method: 'GET',
    path: '/_matrix/federation/v1/timestamp_to_event/{roomId}',
    role: 'federationapi',
    idempotent: true,
    raw: true,
    handle: authenticated(auth, async ({ params, query }, origin) => {
      const { roomId = '' } = params;
      const [text, direction] = [query.get('ts'), query.get('dir')];
      if (text === null || direction === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'ts or dir is missing');
      if (!/^-?\d{1,15}$/.test(text) || (direction !== 'f' && direction !== 'b')) throw new MatrixError(400, 'M_INVALID_PARAM', 'ts must be a whole number, dir f or b');
      await requireLetIn(ports, origin, roomId);
      for (let passed = 0, ts = Number(text); passed < PASSED_OVER_MAX; passed += 1) {
        const found = await roomHistoryQuery.timestampToEvent(roomId, ts, direction);
        if (found === undefined) break;
        const { eventId, originServerTs } = found;
        if ((await roomHistoryQuery.visibleToServer(origin, [eventId])).has(eventId)) return { status: 200, body: { event_id: eventId, origin_server_ts: originServerTs } };
        ts = originServerTs + (direction === 'f' ? 1 : -1);
      }
      await requireRoomAccess(ports, origin, { roomId, eventIds: [] });
      throw new MatrixError(404, 'M_NOT_FOUND', 'There is no event of that room in that direction');
    }),
  };
}
