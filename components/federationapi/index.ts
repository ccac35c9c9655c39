/**
 * The federationapi: what other servers see of this one, their keys, what the roomserver needs of them (`needs/`), and what they are sent (`consumers/`, `sender/`).
 */
import { BACKOFF_DEFAULT } from '../../pkg/federation/backoff.ts';
import { deniedServers } from '../../pkg/federation/denied-servers.ts';
import type { Route } from '../../pkg/http/route.ts';
import { createOutputConsumer } from '../../pkg/log/output-consumer.ts';
import { roomOutputApplier } from './consumers/room-output.ts';
import type { FederationapiDeps } from './deps.ts';
import { createKeyRing, type KeyRing } from './fetch/key-ring.ts';
import { createInbound } from './inbound/inbound.ts';
import { discoveryRoutes } from './routes/discovery.ts';
import { keyRoutes } from './routes/keys.ts';
import { createNeedRunner } from './needs/need-runner.ts';
import { createPauses, type Pauses } from './needs/pauses.ts';
import { takeNeeds } from './needs/take-needs.ts';
import { queryProfileRoute } from './routes/query-profile.ts';
import { createSender, destinationPartition, type Sender } from './sender/sender.ts';
import { ensureQueueStarts } from './storage/queue-starts.ts';
import { impatientKeys } from './verify/impatient-keys.ts';
import { verifyPdus } from './verify/verify-pdus.ts';

export { stagedState } from './query/staged-state.ts';
export { SENDER_CONSUMER } from './sender/sender.ts';
export { federationapiMigrations } from './storage/migrations.ts';
export type { FederationapiDeps } from './deps.ts';

/** Names this component's leases and positions. */
export const FEDERATIONAPI_CONSUMER = 'federationapi';

/** How long the events of a big room wait for the keys of servers that may be gone for good. */
const NEEDED_KEYS_WAIT_MS = 20_000;

export interface Federationapi {
  readonly routes: readonly Route[];
  start(): Promise<void>;
  /** Finishes what is under way, within a bound, and gives the partitions back. */
  stop(): Promise<void>;
  /** One sentence when this process does not do its work; other servers that fail are no reason. */
  health(): string | undefined;
}

type Background = Pick<Federationapi, 'start' | 'stop' | 'health'>;

export function createFederationapi(deps: FederationapiDeps): Federationapi {
  const { runtime, database, transport, serverName, settings } = deps;
  const keyRing = createKeyRing({ runtime, database, transport, trustedKeyServers: settings.trustedKeyServers, own: deps });
  const isDenied = deniedServers(settings.deniedServers);
  const sender = createSender({ ...deps, partitions: deps.partitionMap.partitions, transport: deps.signedTransport, isDenied, retry: { ...BACKOFF_DEFAULT, ...settings.retry } });
  const pauses = createPauses(runtime);
  const contacted = (origin: string): void => {
    sender.contacted(origin);
    pauses.answered(origin);
  };
  const auth = { serverName, clock: runtime.clock, keyRing, isDenied, contacted };
  const inbound = createInbound(deps, { auth, keyRing });
  const parts = [...backgroundParts(deps, { sender, keyRing, pauses, isDenied }), inbound.stagedPdus];
  return {
    routes: [...keyRoutes(deps, keyRing), ...discoveryRoutes(deps), queryProfileRoute(deps, auth), ...inbound.routes],
    start: async () => {
      for (const part of parts) await part.start();
    },
    stop: async () => {
      for (const part of [...parts].reverse()) await part.stop();
    },
    health: () => parts.map((part) => part.health()).find((sentence) => sentence !== undefined),
  };
}

interface Shared {
  readonly sender: Sender;
  readonly keyRing: KeyRing;
  readonly pauses: Pauses;
  readonly isDenied: (serverName: string) => boolean;
}

/** What works without being asked over HTTP, in the order in which it starts. */
function backgroundParts(deps: FederationapiDeps, { sender, keyRing, pauses, isDenied }: Shared): Background[] {
  const { runtime, database, driver, partitionMap: { partitions }, exclusive, serverName, roomOutbox } = deps;
  const consumer = createOutputConsumer({
    consumer: FEDERATIONAPI_CONSUMER, log: 'room-output', database, driver, runtime, exclusive, partitions, outbox: roomOutbox, snapshot: deps.roomSnapshot,
    applier: roomOutputApplier({
      serverName, database, clock: runtime.clock, isDenied, takeNeeds,
      partitionOfDestination: (destination) => destinationPartition(destination, partitions),
      onQueued: (destinations) => sender.queued(destinations),
      onNeeds: () => needs.nudge(),
    }),
  });
  const boundedKeys = impatientKeys(keyRing, runtime.clock, NEEDED_KEYS_WAIT_MS);
  const needs = createNeedRunner({
    ...deps, keyRing, isDenied, pauses, partitions: () => consumer.owned(), verify: (events) => verifyPdus({ keyRing: boundedKeys, clock: runtime.clock }, events),
  });
  return [
    sender,
    needs,
    {
      start: async () => {
        await ensureQueueStarts(database, roomOutbox, partitions);
        await consumer.start();
      },
      stop: () => consumer.stop(),
      health: () => consumer.health(),
    },
  ];
}
