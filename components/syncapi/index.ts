/** syncapi: the read side. Applies room-output and user-output to its read model and serves what clients read of rooms: /sync, /messages, events, state, members. */
import type { Route } from '../../pkg/http/route.ts';
import { typingCodec } from '../../pkg/log/codec.ts';
import type { Subscription } from '../../pkg/log/log.ts';
import { createOutputConsumer, type OutputConsumer } from '../../pkg/log/output-consumer.ts';
import { roomOutputApplier } from './consumers/room-output.ts';
import { userOutputApplier } from './consumers/user-output.ts';
import type { SyncapiDeps } from './deps.ts';
import { createEventCache } from './events/event-cache.ts';
import { createEventLoader } from './events/load-events.ts';
import { createHistoryFetcher } from './history/fetch-history.ts';
import { createNearestEvent } from './history/nearest-event.ts';
import { createNotifier } from './notifier/notifier.ts';
import { createTypingBoard } from './notifier/typing-now.ts';
import { createPresenceReader } from './presence/presence-reader.ts';
import { syncapiRoutes } from './routes/routes.ts';
import { createSharedRows } from './streams/shared-rows.ts';
import { createKnownMemberships, MANY_ROOMS } from './sync/known-memberships.ts';

export type { SyncapiDeps } from './deps.ts';
export { syncQuery } from './query/sync-query.ts';
export { syncapiMigrations } from './storage/migrations.ts';

/** Names this component's leases, positions and signals. */
export const SYNCAPI_CONSUMER = 'syncapi';

const EVENT_CACHE_BYTES = 32 * 1024 * 1024;
const SHARED_ROWS_BYTES = 16 * 1024 * 1024;
/** 20 MB at most. */
const REMEMBERED_MEMBERSHIPS = { roomsMin: MANY_ROOMS, roomsMax: 50_000 };

export interface Syncapi {
  readonly routes: readonly Route[];
  start(): Promise<void>;
  /** Ends waiting syncs' wake-ups and the consumers; requests under way go on reading. */
  stop(): Promise<void>;
  /** One sentence when something is wrong. */
  health(): string | undefined;
}

export function createSyncapi(deps: SyncapiDeps): Syncapi {
  const { runtime, database, driver, appliedPositions } = deps;
  const cache = createEventCache(deps.eventCacheBytes ?? EVENT_CACHE_BYTES);
  const notifier = createNotifier({ clock: runtime.clock });
  const typing = createTypingBoard({ clock: runtime.clock, wake: (roomId) => notifier.wakeRoom(roomId) });
  const presence = deps.presence && createPresenceReader({ ...deps, ...deps.presence, notifier });
  const events = createEventLoader({ database, roomQuery: deps.roomQuery, cache });
  const memberships = createKnownMemberships(database, REMEMBERED_MEMBERSHIPS);
  const consumers = createConsumers(deps, cache);
  let listening: { typing: Subscription; unsubscribe: () => void } | undefined;
  return {
    routes: syncapiRoutes({ ...deps, events, shared: createSharedRows(SHARED_ROWS_BYTES), memberships, typing, presence, notifier, history: createHistoryFetcher(deps), nearestEvent: createNearestEvent(deps) }),
    start: async () => {
      const unsubscribe = appliedPositions.onApplied((applied) => {
        memberships.forget(applied.users);
        notifier.applied(applied);
      });
      listening = { unsubscribe, typing: await driver.listen('typing', (value) => typing.receive(typingCodec.decode(value))) };
      await presence?.start();
      for (const consumer of consumers) await consumer.start();
    },
    stop: async () => {
      for (const consumer of consumers) await consumer.stop();
      listening?.unsubscribe();
      await listening?.typing.close();
      await presence?.stop();
      typing.close();
    },
    health: () => consumers.map((consumer) => consumer.health()).find((sentence) => sentence !== undefined),
  };
}

function createConsumers(deps: SyncapiDeps, cache: ReturnType<typeof createEventCache>): OutputConsumer[] {
  const { database, driver, runtime, exclusive, onApplied } = deps;
  const common = { consumer: SYNCAPI_CONSUMER, database, driver, runtime, exclusive, partitions: deps.partitionMap.partitions, onApplied };
  // Where this process applies all records, it knows of the last one.
  const rulesAsOf = exclusive ? () => deps.appliedPositions.vector('user-output') : undefined;
  const roomApplier = roomOutputApplier({ ...deps, cache, rulesAsOf });
  return [
    createOutputConsumer({ ...common, log: 'room-output', applier: roomApplier, outbox: deps.roomOutbox, snapshot: deps.roomSnapshot }),
    createOutputConsumer({ ...common, log: 'user-output', applier: userOutputApplier(), outbox: deps.userOutbox, snapshot: deps.userSnapshot }),
  ];
}
