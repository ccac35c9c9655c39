/** The federationapi: what other servers see of this one, and their keys. */
import { deniedServers } from '../../pkg/federation/denied-servers.ts';
import type { Route } from '../../pkg/http/route.ts';
import type { FederationapiDeps } from './deps.ts';
import { createKeyRing } from './fetch/key-ring.ts';
import { discoveryRoutes } from './routes/discovery.ts';
import { keyRoutes } from './routes/keys.ts';
import { queryProfileRoute } from './routes/query-profile.ts';

export { federationapiMigrations } from './storage/migrations.ts';
export type { FederationapiDeps } from './deps.ts';

export interface Federationapi {
  readonly routes: readonly Route[];
}

export function createFederationapi(deps: FederationapiDeps): Federationapi {
  const { runtime, database, transport, serverName, settings } = deps;
  const keyRing = createKeyRing({ runtime, database, transport, trustedKeyServers: settings.trustedKeyServers });
  const auth = { serverName, clock: runtime.clock, keyRing, isDenied: deniedServers(settings.deniedServers) };
  return { routes: [...keyRoutes(deps, keyRing), ...discoveryRoutes(deps), queryProfileRoute(deps, auth)] };
}
