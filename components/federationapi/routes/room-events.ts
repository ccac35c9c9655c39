/** Events of rooms: GET /event and /backfill, POST /get_missing_events (spec: server-server, "Retrieving events", "Backfilling and retrieving missing events"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiResponse, Route } from '../../../pkg/http/route.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { requireRoomAccess, textsFor, type RoomPorts } from '../auth/room-access.ts';

const BACKFILL_MAX = 100;
const MISSING_MAX = 100;
const MISSING_DEFAULT = 10;
/** Event IDs in one question. */
const IDS_MAX = 100;

export function roomEventRoutes(ports: RoomPorts, auth: AuthDeps): Route[] {
  const { roomQuery, roomHistoryQuery } = ports;

  function transaction(texts: readonly string[]): ApiResponse {
    return { status: 200, json: `{"origin":${JSON.stringify(auth.serverName)},"origin_server_ts":${auth.clock.now()},"pdus":[${texts.join(',')}]}` };
  }

  const common = { role: 'federationapi', idempotent: true, raw: true } as const;
  return [
    {
      ...common, operationId: 'getEvent', method: 'GET', path: '/_matrix/federation/v1/event/{eventId}',
      handle: authenticated(auth, async ({ params }, origin) => {
        const { eventId = '' } = params;
        const [event] = await roomQuery.eventsById([eventId]);
        if (event === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such event here');
        await requireRoomAccess(ports, origin, { roomId: event.roomId, eventIds: [eventId] });
        return transaction(await textsFor(ports, origin, [event]));
      }),
    },
    {
      ...common, operationId: 'backfillRoom', method: 'GET', path: '/_matrix/federation/v1/backfill/{roomId}',
      handle: authenticated(auth, async ({ params, query }, origin) => {
        const { roomId = '' } = params;
        const from = query.getAll('v');
        const limitText = query.get('limit');
        if (from.length === 0 || limitText === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'v or limit is missing');
        if (!/^\d{1,9}$/.test(limitText) || from.length > IDS_MAX) throw new MatrixError(400, 'M_INVALID_PARAM', `limit must be a number, and v stand there at most ${IDS_MAX} times`);
        await requireRoomAccess(ports, origin, { roomId, eventIds: from });
        return transaction(await textsFor(ports, origin, await roomHistoryQuery.backfill({ roomId, from, limit: Math.min(Number(limitText), BACKFILL_MAX) })));
      }),
    },
    {
      ...common, operationId: 'getMissingPreviousEvents', method: 'POST', path: '/_matrix/federation/v1/get_missing_events/{roomId}',
      handle: authenticated(auth, async ({ params, body }, origin) => {
        const { roomId = '' } = params;
        const wish = missingEventsWish(body as Record<string, unknown>);
        await requireRoomAccess(ports, origin, { roomId, eventIds: wish.latest });
        const texts = await textsFor(ports, origin, await roomHistoryQuery.missingEvents({ roomId, ...wish }));
        return { status: 200, json: `{"events":[${texts.join(',')}]}` };
      }),
    },
  ];
}

function missingEventsWish(body: Readonly<Record<string, unknown>>): { latest: string[]; earliest: string[]; limit: number; minDepth: number } {
  const { latest_events: latest, earliest_events: earliest, limit = MISSING_DEFAULT, min_depth: minDepth = 0 } = body;
  if (!isIdList(latest) || !isIdList(earliest)) throw new MatrixError(400, 'M_BAD_JSON', `earliest_events and latest_events must be lists of at most ${IDS_MAX} event IDs`);
  if (!isCount(limit) || !isCount(minDepth)) throw new MatrixError(400, 'M_BAD_JSON', 'limit and min_depth must be whole numbers, not below 0');
  return { latest, earliest, limit: Math.min(limit, MISSING_MAX), minDepth: Math.min(minDepth, Number.MAX_SAFE_INTEGER) };
}

function isIdList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= IDS_MAX && value.every((id) => typeof id === 'string');
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
