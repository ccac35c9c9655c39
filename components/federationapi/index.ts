/**
 * The federationapi: what other servers see of this one, their keys, what the roomserver needs of them (`needs/`), and what they are sent (`consumers/`, `sender/`).
 */
import { BACKOFF_DEFAULT } from '../../pkg/federation/backoff.ts';
import { deniedServers } from '../../pkg/federation/denied-servers.ts';
import type { Route } from '../../pkg/http/route.ts';
import { backgroundParts } from './background.ts';
import type { FederationapiDeps } from './deps.ts';
import { createKeyRing } from './fetch/key-ring.ts';
import { createInbound } from './inbound/inbound.ts';
import { adminDestinationRoutes } from './routes/admin-destinations.ts';
import { discoveryRoutes } from './routes/discovery.ts';
import { keyRoutes } from './routes/keys.ts';
import { createPauses } from './needs/pauses.ts';
import { publicRoomsRoutes } from './routes/public-rooms.ts';
import { spaceHierarchyRoute } from './routes/space-hierarchy.ts';
import { queryDirectoryRoute } from './routes/query-directory.ts';
import { openidRoute } from './routes/openid.ts';
import { queryProfileRoute } from './routes/query-profile.ts';
import { userDevicesRoute } from './routes/user-devices.ts';
import { userKeysRoutes } from './routes/user-keys.ts';
import { createSender } from './sender/sender.ts';

export { FEDERATIONAPI_CONSUMER } from './background.ts';
export { failingDestinations } from './query/failing-destinations.ts';
export { stagedState } from './query/staged-state.ts';
export { SENDER_CONSUMER } from './sender/sender.ts';
export { federationapiMigrations } from './storage/migrations.ts';
export type { FederationapiDeps } from './deps.ts';

export interface Federationapi {
  readonly routes: readonly Route[];
  start(): Promise<void>;
  /** Finishes what is under way, within a bound, and gives the partitions back. */
  stop(): Promise<void>;
  /** One sentence when this process does not do its work; other servers that fail are no reason. */
  health(): string | undefined;
}

export function createFederationapi(deps: FederationapiDeps): Federationapi {
  const { runtime, database, transport, serverName, settings } = deps;
  const keyRing = createKeyRing({ runtime, database, transport, trustedKeyServers: settings.trustedKeyServers, trustedKeyServersFirst: settings.trustedKeyServersFirst, own: deps });
  const isDenied = deniedServers(settings.deniedServers, settings.allowedServers);
  const sender = createSender({ ...deps, partitions: deps.partitionMap.partitions, transport: deps.signedTransport, unsigned: transport, isDenied, retry: { ...BACKOFF_DEFAULT, ...settings.retry }, catchUp: settings.catchUp });
  const pauses = createPauses(runtime);
  const contacted = (origin: string): void => {
    sender.contacted(origin);
    pauses.contacted(origin);
  };
  const auth = { serverName, clock: runtime.clock, keyRing, isDenied, contacted };
  const inbound = createInbound(deps, { auth, keyRing });
  const parts = [...backgroundParts(deps, { sender, keyRing, pauses, isDenied }), inbound.stagedPdus];
  return {
    routes: [
      ...publicRoomsRoutes(deps, auth), spaceHierarchyRoute(deps, auth),
      ...keyRoutes(deps, keyRing), ...discoveryRoutes(deps), queryProfileRoute(deps, auth), openidRoute(deps), ...adminDestinationRoutes({ ...deps, sender }), queryDirectoryRoute(deps, auth), ...userKeysRoutes(deps, auth), userDevicesRoute(deps, auth), ...inbound.routes,
    ],
    start: async () => {
      for (const part of parts) await part.start();
    },
    stop: async () => {
      for (const part of [...parts].reverse()) await part.stop();
    },
    health: () => parts.map((part) => part.health()).find((sentence) => sentence !== undefined),
  };
}
