/** GET /_matrix/federation/v1/query/directory */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isRoomAlias } from '../../../pkg/matrix/ids/room-id.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import type { FederationapiDeps } from '../deps.ts';

const SERVERS_MAX = 20;

export function queryDirectoryRoute({ serverName, roomQuery }: Pick<FederationapiDeps, 'serverName' | 'roomQuery'>, auth: AuthDeps): Route {
  return {
    operationId: 'queryRoomDirectory',
    method: 'GET',
    path: '/_matrix/federation/v1/query/directory',
    role: 'federationapi',
    idempotent: true,
    raw: true,
    handle: authenticated(auth, async ({ query }) => {
      const alias = query.get('room_alias');
      if (alias === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'room_alias is missing');
      if (!isRoomAlias(alias) || domainOf(alias) !== serverName) throw new MatrixError(400, 'M_INVALID_PARAM', 'room_alias is no alias of this server');
      const found = await roomQuery.alias(alias);
      if (found === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such room alias');
      const servers = await roomQuery.someServers(found.roomId, SERVERS_MAX);
      return { status: 200, body: { room_id: found.roomId, servers: [...new Set([serverName, ...servers])] } };
    }),
  };
}
