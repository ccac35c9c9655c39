/** GET /joined_rooms */
import type { Route } from '../../../pkg/http/route.ts';
import { syncQuery } from '../query/sync-query.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { requesterOf } from './route-parts.ts';

export function joinedRoomsRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getJoinedRooms',
    method: 'GET',
    path: '/_matrix/client/v3/joined_rooms',
    role: 'syncapi',
    idempotent: true,
    handle: async (request) => {
      const { userId } = await requesterOf(deps, request);
      return { status: 200, body: { joined_rooms: await syncQuery(deps.database).joinedRooms(userId) } };
    },
  };
}
