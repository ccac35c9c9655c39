/** What this server is and where: nobody has to be authenticated. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import type { FederationapiDeps } from '../deps.ts';

export function discoveryRoutes({ version, settings }: FederationapiDeps): Route[] {
  const common = { role: 'federationapi', method: 'GET', idempotent: true } as const;
  return [
    { ...common, operationId: 'getVersion', path: '/_matrix/federation/v1/version', handle: async () => ({ status: 200, body: { server: { name: 'Myelin', version } } }) },
    {
      ...common, operationId: 'getWellKnown', path: '/.well-known/matrix/server',
      handle: async () => {
        if (settings.wellKnownServer === '') throw new MatrixError(404, 'M_NOT_FOUND', 'This server delegates to nobody');
        return { status: 200, body: { 'm.server': settings.wellKnownServer } };
      },
    },
  ];
}
