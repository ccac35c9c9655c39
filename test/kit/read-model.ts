/** The syncapi's read model of what a roomserver in memory has told, brought up to date whenever it is asked. For tests of those who ask it. */
import { roomOutputApplier } from '../../components/syncapi/consumers/room-output.ts';
import { createEventCache } from '../../components/syncapi/events/event-cache.ts';
import { syncQuery } from '../../components/syncapi/query/sync-query.ts';
import { syncapiMigrations } from '../../components/syncapi/storage/migrations.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { RoomQuery } from '../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../schemas/ports/sync-query.ts';

export interface ReadModelOptions {
  readonly roomQuery: RoomQuery;
  /** All that was told so far, in order. */
  readonly outputs: readonly { readonly partition: number; readonly sequence: number; readonly record: Uint8Array }[];
  readonly serverName: string;
  /** In memory by default. */
  readonly database?: Database;
}

export interface ReadModel {
  readonly database: Database;
  readonly syncQuery: SyncQuery;
  close(): Promise<void>;
}

export async function createReadModel({ roomQuery, outputs, serverName, database: given }: ReadModelOptions): Promise<ReadModel> {
  const database = given ?? (await openSqlite({ path: ':memory:' }));
  await migrate(database, 'syncapi', syncapiMigrations, 0);
  const applier = roomOutputApplier({ roomQuery, database, serverName, cache: createEventCache(1024 * 1024) });
  const query = syncQuery(database);
  let applied = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function applyNext(): Promise<void> {
    const records = outputs.slice(applied).map(({ partition, sequence, record }) => ({ partition, sequence, output: applier.decode(record) }));
    if (records.length === 0) return;
    await applier.load?.(records);
    await database.transaction((tx) => applier.apply(tx, records));
    applier.committed?.(records);
    applied += records.length;
  }

  function caughtUp(): Promise<unknown> {
    last = last.then(applyNext);
    return last;
  }

  return {
    database,
    syncQuery: {
      membership: (roomId, userId) => caughtUp().then(() => query.membership(roomId, userId)),
      joinedRooms: (userId) => caughtUp().then(() => query.joinedRooms(userId)),
      joinedRoomsOf: (userIds, membersMax) => caughtUp().then(() => query.joinedRoomsOf(userIds, membersMax)),
      standing: (userId) => caughtUp().then(() => query.standing(userId)),
      presences: (userId, limit) => caughtUp().then(() => query.presences(userId, limit)),
      pendingInvites: (userId) => caughtUp().then(() => query.pendingInvites(userId)),
      joinedCounts: (roomIds) => caughtUp().then(() => query.joinedCounts(roomIds)),
      mutualRooms: (users, page) => caughtUp().then(() => query.mutualRooms(users, page)),
      publicRooms: (wish) => caughtUp().then(() => query.publicRooms(wish)),
    },
    close: () => database.close(),
  };
}
