/** GET /_matrix/federation/v1/openid/userinfo: whose token it is, for whoever was shown one. Nobody has to be authenticated. */
import { accessTokenHash } from '../../../pkg/http/access-token.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import type { FederationapiDeps } from '../deps.ts';

export function openidRoute({ runtime, userQuery }: Pick<FederationapiDeps, 'runtime' | 'userQuery'>): Route {
  return {
    operationId: 'exchangeOpenIdToken',
    method: 'GET',
    path: '/_matrix/federation/v1/openid/userinfo',
    role: 'federationapi',
    idempotent: true,
    async handle({ query }) {
      const token = query.get('access_token');
      if (token === null || token === '') throw new MatrixError(401, 'M_MISSING_TOKEN', 'access_token is missing');
      const issued = await userQuery.issuedToken('openid', accessTokenHash(token));
      if (issued === undefined || issued.expiresMs <= runtime.clock.now()) throw new MatrixError(401, 'M_UNKNOWN_TOKEN', 'The token is not known, or has expired');
      return { status: 200, body: { sub: issued.userId } };
    },
  };
}
