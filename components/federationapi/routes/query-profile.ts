/** GET /_matrix/federation/v1/query/profile */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import type { FederationapiDeps } from '../deps.ts';

export function queryProfileRoute({ serverName, userQuery }: FederationapiDeps, auth: AuthDeps): Route {
  return {
    operationId: 'queryProfile',
    method: 'GET',
    path: '/_matrix/federation/v1/query/profile',
    role: 'federationapi',
    idempotent: true,
    raw: true,
    handle: authenticated(auth, async ({ query }) => {
      const userId = query.get('user_id');
      if (userId === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'user_id is missing');
      if (!isUserId(userId) || !isLocalUser(userId, serverName)) throw new MatrixError(400, 'M_INVALID_PARAM', 'user_id is no user of this server');
      const profile = await userQuery.profile(userId);
      if (profile === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user');
      const field = query.get('field');
      if (field === null) return { status: 200, body: profile };
      return { status: 200, body: Object.hasOwn(profile, field) ? { [field]: profile[field] } : {} };
    }),
  };
}
