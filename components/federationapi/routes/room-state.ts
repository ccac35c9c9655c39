/** States at events and auth chains: GET /state, /state_ids and /event_auth (spec: server-server, "Retrieving events", "Auth chain"). */
import type { Semaphore } from '../../../pkg/assert/semaphore.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, Route } from '../../../pkg/http/route.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { requireRoomAccess, type RoomPorts } from '../auth/room-access.ts';
import { collectWithAuthChain, jsonBytes, type Collected } from './collect-events.ts';

/** `turns`: see `createCollectionTurns`. */
export function roomStateRoutes(ports: RoomPorts, auth: AuthDeps, turns: Semaphore): Route[] {
  const { roomQuery, roomHistoryQuery } = ports;
  const { clock } = auth;

  /** Throws `MatrixError`: 403 when the server may not ask, 404 when the room has no such event. */
  async function requireEvent(origin: string, roomId: string, eventId: string): Promise<void> {
    await requireRoomAccess(ports, origin, { roomId, eventIds: [eventId] });
    const [event] = await roomQuery.eventsById([eventId]);
    if (event?.roomId !== roomId) throw new MatrixError(404, 'M_NOT_FOUND', 'The room has no such event here');
  }

  /** The state before the event, with its auth chain. */
  async function stateBefore(origin: string, { params, query }: ApiRequest): Promise<Collected> {
    const eventId = query.get('event_id');
    if (eventId === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'event_id is missing');
    await requireEvent(origin, params['roomId'] ?? '', eventId);
    const state = (await roomHistoryQuery.stateIdsAt([eventId], 'before')).get(eventId);
    if (state === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'The state at this event is not known here');
    return collectWithAuthChain({ roomQuery, clock }, state);
  }

  const common = { role: 'federationapi', method: 'GET', idempotent: true, raw: true } as const;
  return [
    {
      ...common, operationId: 'getRoomState', path: '/_matrix/federation/v1/state/{roomId}',
      handle: authenticated(auth, (request, origin) => turns.run(async () => {
        const { pdus, eventIds, authChain } = await stateBefore(origin, request);
        return { status: 200, json: await jsonBytes(clock, ['{"auth_chain":[', { eventIds: authChain, pdus }, '],"pdus":[', { eventIds, pdus }, ']}']) };
      })),
    },
    {
      ...common, operationId: 'getRoomStateIds', path: '/_matrix/federation/v1/state_ids/{roomId}',
      handle: authenticated(auth, (request, origin) => turns.run(async () => {
        const { eventIds, authChain } = await stateBefore(origin, request);
        return { status: 200, body: { auth_chain_ids: authChain, pdu_ids: eventIds } };
      })),
    },
    {
      ...common, operationId: 'getEventAuth', path: '/_matrix/federation/v1/event_auth/{roomId}/{eventId}',
      handle: authenticated(auth, ({ params }, origin) => turns.run(async () => {
        const { roomId = '', eventId = '' } = params;
        await requireEvent(origin, roomId, eventId);
        const { pdus, authChain } = await collectWithAuthChain({ roomQuery, clock }, [eventId]);
        return { status: 200, json: await jsonBytes(clock, ['{"auth_chain":[', { eventIds: authChain, pdus }, ']}']) };
      })),
    },
  ];
}
