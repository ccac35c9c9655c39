/** syncapi's routes over an in-memory read model and a clock that the test moves. Records are applied when the test says so. */
import { roomOutputApplier } from '../../components/syncapi/consumers/room-output.ts';
import { userOutputApplier } from '../../components/syncapi/consumers/user-output.ts';
import { createEventCache } from '../../components/syncapi/events/event-cache.ts';
import { createEventLoader } from '../../components/syncapi/events/load-events.ts';
import type { HistoryFetcher } from '../../components/syncapi/history/fetch-history.ts';
import type { NearestEvent } from '../../components/syncapi/history/nearest-event.ts';
import { createNotifier, type Notifier } from '../../components/syncapi/notifier/notifier.ts';
import { createTypingBoard, type TypingBoard } from '../../components/syncapi/notifier/typing-now.ts';
import { createPresenceReader, type PresenceReaderDeps } from '../../components/syncapi/presence/presence-reader.ts';
import { syncapiRoutes } from '../../components/syncapi/routes/routes.ts';
import { createSharedRows } from '../../components/syncapi/streams/shared-rows.ts';
import { createKnownMemberships } from '../../components/syncapi/sync/known-memberships.ts';
import { syncapiMigrations } from '../../components/syncapi/storage/migrations.ts';
import { Departure } from '../../pkg/http/departure.ts';
import { accessTokenHash } from '../../pkg/http/requester.ts';
import { createRouter, type Router } from '../../pkg/http/router.ts';
import type { Applier, SequencedRecord } from '../../pkg/log/applier.ts';
import { userOutputCodec } from '../../pkg/log/codec.ts';
import type { CommandClient } from '../../pkg/log/commands.ts';
import type { OutputLogName } from '../../pkg/log/log.ts';
import { partitionOf } from '../../pkg/log/partition-map.ts';
import type { Database, Reader } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { Applied } from '../../schemas/log/envelope.ts';
import type { UserOutput } from '../../schemas/log/user-output.ts';
import type { Appservices } from '../../schemas/ports/appservices.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import { createManualRuntime, type ManualRuntime } from './manual-runtime.ts';
import { HISTORY_SERVER, type HistoryLog } from './room-history.ts';

/** Members of an answer of /sync that says nothing. */
export const NOTHING_NEW = ['next_batch', 'device_one_time_keys_count', 'device_unused_fallback_key_types'];

export interface CallOptions {
  readonly departure?: Departure;
  readonly method?: string;
}

/** The owner of messages to devices. */
export interface ToDeviceSide {
  readonly query: UserQuery['toDevice'];
  readonly submit: CommandClient['submitUserInput'];
}

export interface SyncWorld {
  readonly runtime: ManualRuntime;
  readonly database: Database;
  readonly notifier: Notifier;
  readonly typing: TypingBoard;
  /** Queries that the routes have made. */
  queries: number;
  /** Applies all records of the history so far that are not applied yet, `batch` at a time; wakes who waits. */
  apply(batch?: number): Promise<void>;
  /** The same, but nobody hears of it until `announce`: the tables are ahead of what the process knows. */
  applyQuietly(): Promise<void>;
  announce(): void;
  /** Applies one user record. */
  applyUser(output: Omit<UserOutput, 'inputId' | 'traceId'>): Promise<void>;
  /** GET with the token of `who` (`@user:server` or `@user:server/DEVICE`); the parsed body, or `{ status, … }` of an error. */
  // Bodies of answers are looked into freely by tests.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  get(who: string, path: string, query?: Record<string, string>, options?: CallOptions): Promise<any>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  sync(who: string, query?: Record<string, string>, options?: CallOptions): Promise<any>;
  readonly filters: Map<string, object>;
  close(): Promise<void>;
}

export async function createSyncWorld(log: Pick<HistoryLog, 'records' | 'partitionMap' | 'roomQuery' | 'roomHistoryQuery'>, options: { cacheBytes?: number; database?: Database; history?: HistoryFetcher; nearestEvent?: NearestEvent; appservices?: Appservices; presence?: PresenceReaderDeps['driver']; toDevice?: ToDeviceSide; signedUsers?: UserQuery['signedUsers'] } = {}): Promise<SyncWorld> {
  const runtime = createManualRuntime();
  const database = options.database ?? (await openSqlite({ path: ':memory:' }));
  await migrate(database, 'syncapi', syncapiMigrations, runtime.clock.now());
  const cache = createEventCache(options.cacheBytes ?? 1_000_000);
  const notifier = createNotifier({ clock: runtime.clock });
  const typing = createTypingBoard({ clock: runtime.clock, wake: (roomId) => notifier.wakeRoom(roomId) });
  const filters = new Map<string, object>();
  const vectors = { 'room-output': [] as number[], 'user-output': [] as number[] };
  const sessions = new Map<string, string>();
  const counted = countQueries(database, () => void (world.queries += 1));
  const listeners = new Set<(applied: Applied) => void>();
  const presence = options.presence && createPresenceReader({
    runtime, database: counted, driver: options.presence, notifier, roomMembersMax: 5,
    appliedPositions: { onApplied: (listener) => (listeners.add(listener), () => listeners.delete(listener)) },
  });
  await presence?.start();
  const routes = syncapiRoutes({
    nearestEvent: options.nearestEvent ?? { here: () => Promise.resolve(undefined), mayLack: () => Promise.resolve(false), elsewhere: () => Promise.resolve(undefined) },
    limits: { take: () => undefined },
    commands: { submitUserInput: options.toDevice?.submit ?? (() => Promise.reject(new Error('nobody acknowledges'))) },
    history: options.history ?? { more: () => Promise.resolve('complete') },
    ...{ serverName: HISTORY_SERVER, presence, runtime, database: counted, partitionMap: log.partitionMap, notifier, typing, roomHistoryQuery: log.roomHistoryQuery },
    roomQuery: { isPublished: () => Promise.resolve(false) },
    shared: createSharedRows(options.cacheBytes ?? 1_000_000),
    memberships: createKnownMemberships(counted, { roomsMin: 1, roomsMax: 1000 }),
    events: createEventLoader({ database: counted, roomQuery: log.roomQuery, cache }),
    appliedPositions: { vector: (name: OutputLogName) => [...vectors[name]], refresh: async () => undefined },
    userQuery: {
      ...(options.appservices && { appservices: options.appservices }),
      requesterByToken: (hash) => {
        const who = sessions.get(Buffer.from(hash).toString('hex'));
        const [userId, deviceId] = who?.split('/') ?? [];
        return Promise.resolve(userId === undefined ? undefined : { userId, deviceId: deviceId ?? 'DEVICE', isGuest: false, isAdmin: false });
      },
      filter: (_, filterId) => {
        const definition = filters.get(filterId);
        return Promise.resolve(definition && { filterId, definition: Buffer.from(JSON.stringify(definition)) });
      },
      accountData: () => Promise.resolve(undefined),
      toDevice: options.toDevice?.query ?? (() => Promise.resolve([])),
      signedUsers: options.signedUsers ?? (() => Promise.resolve([])),
      userExists: () => Promise.resolve(true),
      presenceStatus: () => Promise.resolve(''),
    },
  });
  const router = createRouter(routes, { runtime });
  const roomApplier = roomOutputApplier({ roomQuery: { ...log.roomQuery, currentStates: () => Promise.resolve([]) }, database, cache, serverName: HISTORY_SERVER });
  const userApplier = userOutputApplier();
  const advance = (name: OutputLogName, records: readonly SequencedRecord<unknown>[], woken: { rooms: string[]; users: string[] }): void => {
    for (const { partition, sequence } of records) vectors[name][partition] = sequence;
    notifier.applied(woken);
    for (const listener of listeners) listener({ log: name, partition: 0, sequence: 0, after: 0, ...woken });
  };
  let [applied, userSequence] = [0, 0];
  const unannounced: (() => void)[] = [];
  const applyNext = async (batch = Infinity): Promise<void> => {
    const next = log.records.slice(applied, applied + batch);
    const records = next.map(({ partition, sequence, bytes }) => ({ partition, sequence, output: roomApplier.decode(bytes) }));
    const woken = await applyBatch(database, roomApplier, records);
    applied += next.length;
    unannounced.push(() => advance('room-output', records, woken));
  };
  const world: SyncWorld = {
    ...{ runtime, database, notifier, typing, filters, queries: 0 },
    apply: async (batch) => {
      while (applied < log.records.length) {
        await applyNext(batch);
        world.announce();
      }
    },
    applyQuietly: () => applyNext(),
    announce: () => {
      for (const announcement of unannounced.splice(0)) announcement();
    },
    applyUser: async (output) => {
      const partition = partitionOf(log.partitionMap, output.userId);
      userSequence += 1;
      const bytes = userOutputCodec.encode({ ...output, inputId: '', traceId: '' });
      const records = [{ partition, sequence: userSequence, output: userApplier.decode(bytes) }];
      advance('user-output', records, await applyBatch(database, userApplier, records));
    },
    get: async (who, path, query = {}, call = {}) => {
      sessions.set(Buffer.from(accessTokenHash(who)).toString('hex'), who);
      return ask(router, { who, path, query, call });
    },
    sync: (who, query, call) => world.get(who, '/sync', query, call),
    close: async () => {
      await presence?.stop();
      await database.close();
    },
  };
  return world;
}

async function applyBatch<Output>(database: Database, applier: Applier<Output>, records: readonly SequencedRecord<Output>[]): Promise<{ rooms: string[]; users: string[] }> {
  await applier.load?.(records);
  const woken = await database.transaction((tx) => applier.apply(tx, records));
  applier.committed?.(records);
  return woken;
}

async function ask(router: Router, request: { who: string; path: string; query: Record<string, string>; call: CallOptions }): Promise<unknown> {
  const response = await router.dispatch({
    method: request.call.method ?? 'GET',
    path: request.path.startsWith('/_matrix/') ? request.path : `/_matrix/client/v3${request.path}`,
    queryString: new URLSearchParams(request.query).toString(),
    headers: { authorization: `Bearer ${request.who}` },
    remoteAddress: '127.0.0.1',
    departure: request.call.departure ?? new Departure(),
  });
  const body: unknown = response.json === undefined ? response.body : JSON.parse(Buffer.from(response.json).toString('utf8'));
  return response.status === 200 ? body : { ...(body as object), status: response.status };
}

function countQueries(database: Reader, count: () => void): Reader {
  return {
    query: (sql, params) => {
      count();
      return database.query(sql, params);
    },
    queryIn: (sql, params, values) => {
      count();
      return database.queryIn(sql, params, values);
    },
  };
}
