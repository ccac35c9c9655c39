/** What works without being asked over HTTP: following room-output, what is sent to other servers, what the roomserver needs of them. */
import { createOutputConsumer } from '../../pkg/log/output-consumer.ts';
import { roomOutputApplier } from './consumers/room-output.ts';
import { userOutputApplier } from './consumers/user-output.ts';
import { createDeviceListResync } from './device-lists/resync.ts';
import type { FederationapiDeps } from './deps.ts';
import type { KeyRing } from './fetch/key-ring.ts';
import { createNeedRunner } from './needs/need-runner.ts';
import type { Pauses } from './needs/pauses.ts';
import { takeNeeds } from './needs/take-needs.ts';
import { ephemeralSender } from './ephemeral/ephemeral-sender.ts';
import { CATCH_UP_DEFAULT } from './sender/catch-up.ts';
import { destinationPartition } from './sender/destination.ts';
import type { Sender } from './sender/sender-api.ts';
import { ensureQueueStarts } from './storage/queue-starts.ts';
import { impatientKeys } from './verify/impatient-keys.ts';
import { verifyPdus } from './verify/verify-pdus.ts';

/** Names this component's leases and positions. */
export const FEDERATIONAPI_CONSUMER = 'federationapi';

/** How long the events of a big room wait for the keys of servers that may be gone for good. */
const NEEDED_KEYS_WAIT_MS = 20_000;

export interface Background {
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
}

export interface Shared {
  readonly sender: Sender;
  readonly keyRing: KeyRing;
  readonly pauses: Pauses;
  readonly isDenied: (serverName: string) => boolean;
}

/** The parts, in the order in which they start. */
export function backgroundParts(deps: FederationapiDeps, { sender, keyRing, pauses, isDenied }: Shared): Background[] {
  const { runtime, database, driver, partitionMap: { partitions }, exclusive, serverName, roomOutbox } = deps;
  const resync = createDeviceListResync({ ...deps, isDenied, owned: () => users.owned() });
  const consumer = createOutputConsumer({
    consumer: FEDERATIONAPI_CONSUMER, log: 'room-output', database, driver, runtime, exclusive, partitions, outbox: roomOutbox, snapshot: deps.roomSnapshot,
    applier: roomOutputApplier({
      serverName, database, clock: runtime.clock, isDenied, takeNeeds, goneMs: (deps.settings.catchUp ?? CATCH_UP_DEFAULT).goneMs,
      partitionOfDestination: (destination) => destinationPartition(destination, partitions),
      onQueued: (destinations) => sender.queued(destinations),
      onEphemeral: (units) => sender.ephemeral(units, false),
      onNeeds: () => needs.nudge(),
      onDeparted: (userIds) => resync.departed(userIds),
    }),
  });
  const users = createOutputConsumer({
    consumer: FEDERATIONAPI_CONSUMER, log: 'user-output', database, driver, runtime, exclusive, partitions, outbox: deps.userOutbox,
    // What the outbox no longer keeps was sent long ago.
    snapshot: () => Promise.resolve([]),
    applier: userOutputApplier({ ...deps, onRemoteDevices: () => resync.changed(), clock: runtime.clock, isDenied, partitionOfDestination: (destination) => destinationPartition(destination, partitions), onQueued: (destinations) => sender.queued(destinations) }),
  });
  const boundedKeys = impatientKeys(keyRing, runtime.clock, NEEDED_KEYS_WAIT_MS);
  const needs = createNeedRunner({
    ...deps, keyRing, isDenied, pauses, partitions: () => consumer.owned(), verify: (events) => verifyPdus({ keyRing: boundedKeys, clock: runtime.clock, offload: runtime.offload }, events),
  });
  return [
    sender,
    needs,
    ephemeralSender(deps, sender),
    resync,
    { start: () => users.start(), stop: () => users.stop(), health: () => users.health() },
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
