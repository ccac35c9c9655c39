/** The tables of what is sent to other servers, on every database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { federationapiMigrations } from '../../../components/federationapi/index.ts';
import { listDestinations, listRoomsOf, readDestination } from '../../../components/federationapi/storage/destination-list.ts';
import { countWaiting, dequeue, dequeueAll, enqueue, keepNewestOfRooms, readQueue, readWaitingDestinations } from '../../../components/federationapi/storage/destination-queue.ts';
import { beginResolving, markQueuedRooms, readMarked, readMarkedRooms, removeAllMarks, removeMarks } from '../../../components/federationapi/storage/destination-rooms.ts';
import { clearBackoff, clearPause, readBackoffs, readGone, writeBackoffs } from '../../../components/federationapi/storage/destinations.ts';
import { readJoinedHosts, writeJoinedHosts } from '../../../components/federationapi/storage/joined-hosts.ts';
import { ensureQueueStarts, readQueueStarts } from '../../../components/federationapi/storage/queue-starts.ts';
import { enqueueUnits, keepNewestOfSubjects, readUnitQueue } from '../../../components/federationapi/storage/unit-queue.ts';
import { logMigrations } from '../../../pkg/log/tables.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { onEachBackend } from './backends.ts';

onEachBackend('destination queues', (backend) => {
  async function tables(): Promise<Database> {
    const database = await backend.open();
    await migrate(database, 'log', logMigrations, 0);
    await migrate(database, 'federationapi', federationapiMigrations, 0);
    return database;
  }

  const queue = (database: Database, destination: string, places: readonly (readonly [partition: number, sequence: number, room?: string])[]) => database.transaction((tx) => enqueue(tx,
    places.map(([originPartition, originSequence, roomId = '!r']) => ({ destination, originPartition, originSequence, roomId, eventId: `$${originPartition}.${originSequence}` })),
    { nowMs: 5, partitionOfDestination: (name) => name.length % 4 }));
  const ids = async (database: Database, destination: string, fromPartition = 0, limit = 100) => (await readQueue(database, destination, { fromPartition, limit })).map(({ eventId }) => eventId);

  test('what is queued is read in the order of room-output, going round its partitions, and is there once', async () => {
    const database = await tables();
    await queue(database, 'b', [[2, 7], [2, 8], [0, 9], [1, 3]]);
    await queue(database, 'b', [[2, 8], [1, 3]]);
    await queue(database, 'c', [[2, 7]]);
    assert.deepEqual(await ids(database, 'b'), ['$0.9', '$1.3', '$2.7', '$2.8']);
    assert.deepEqual(await ids(database, 'b', 2), ['$2.7', '$2.8', '$0.9', '$1.3']);
    assert.deepEqual(await ids(database, 'b', 2, 3), ['$2.7', '$2.8', '$0.9']);
    assert.deepEqual(await ids(database, 'b', 3, 2), ['$0.9', '$1.3']);
    const count = (name: string, max: number) => countWaiting(database, 'destination_queue', { name, partition: 0 }, max);
    assert.deepEqual([await count('b', 10), await count('b', 2), await count('x', 2)], [{ count: 4, sinceMs: 5 }, { count: 3, sinceMs: 5 }, { count: 0, sinceMs: undefined }]);
  });

  test('what was sent is deleted, and nothing else', async () => {
    const database = await tables();
    await queue(database, 'b', [[1, 1], [1, 5], [1, 9], [2, 5]]);
    await queue(database, 'c', [[1, 1], [1, 5]]);
    const sent = await readQueue(database, 'b', { fromPartition: 0, limit: 2 });
    await database.transaction((tx) => dequeue(tx, sent));
    assert.deepEqual([await ids(database, 'b'), await ids(database, 'c')], [['$1.9', '$2.5'], ['$1.1', '$1.5']]);
    await database.transaction((tx) => dequeueAll(tx, 'c'));
    assert.deepEqual([await ids(database, 'b'), await ids(database, 'c')], [['$1.9', '$2.5'], []]);
  });

  test('the newest event of each room is kept', async () => {
    const database = await tables();
    await queue(database, 'b', [[1, 1, '!x'], [1, 2, '!y'], [1, 3, '!x'], [2, 1, '!z'], [2, 2, '!z']]);
    await queue(database, 'c', [[1, 1, '!x'], [1, 9, '!x']]);
    const { changes } = await database.transaction((tx) => keepNewestOfRooms(tx, 'b'));
    assert.deepEqual([changes, await ids(database, 'b'), await ids(database, 'c')], [2, ['$1.2', '$1.3', '$2.2'], ['$1.1', '$1.9']]);
  });

  test('what is queued of the rooms that the destination is in gives way to marks', async () => {
    const database = await tables();
    const [b, c] = [{ name: 'b', partition: 1 }, { name: 'c', partition: 1 }];
    await database.transaction((tx) => writeJoinedHosts(tx, new Map(['!x', '!y'].map((room) => [room, { reset: false, counts: new Map([['b', 2], ['c', 1]]) }]))));
    await queue(database, 'b', [[1, 1, '!x'], [1, 2, '!y'], [1, 3, '!x'], [2, 1, '!left']]);
    await queue(database, 'c', [[1, 1, '!x']]);
    const mark = (place: typeof b) => database.transaction((tx) => markQueuedRooms(tx, place, 7));
    assert.equal((await mark(b)).changes, 3);
    assert.deepEqual([await ids(database, 'b'), await ids(database, 'c')], [['$2.1'], ['$1.1']]);
    assert.deepEqual(await readMarked(database, ['!x', '!y', '!left']), new Map([['!x', new Set(['b'])], ['!y', new Set(['b'])]]));
    assert.deepEqual([await readMarkedRooms(database, b, 10), await readMarkedRooms(database, b, 1), await readMarkedRooms(database, c, 10)], [['!x', '!y'], ['!x'], []]);
    assert.deepEqual(await countWaiting(database, 'destination_rooms', b, 10), { count: 2, sinceMs: 5 });
    await database.transaction((tx) => beginResolving(tx, b, ['!x'], 'one'));
    assert.deepEqual(await readMarked(database, ['!x', '!y']), new Map([['!y', new Set(['b'])]]));
    assert.deepEqual(await readMarkedRooms(database, b, 10), ['!x', '!y'], 'it is still to be done');
    await mark(b);
    await database.transaction((tx) => removeMarks(tx, b, ['!x'], 'one'));
    assert.deepEqual(await readMarked(database, ['!x']), new Map([['!x', new Set(['b'])]]), 'what was marked again since stays');
    await database.transaction((tx) => beginResolving(tx, b, ['!x'], 'two'));
    await database.transaction((tx) => removeMarks(tx, b, ['!x'], 'two'));
    assert.deepEqual(await readMarkedRooms(database, b, 10), ['!y']);
    await database.transaction((tx) => writeJoinedHosts(tx, new Map([['!y', { reset: false, counts: new Map([['b', 0]]) }]])));
    await queue(database, 'b', [[3, 1, '!y']]);
    await mark(b);
    assert.deepEqual(await ids(database, 'b'), ['$2.1', '$3.1'], 'what tells it that it has left is not given up');
    await database.transaction((tx) => removeAllMarks(tx, b));
    assert.deepEqual(await readMarkedRooms(database, b, 10), []);
  });

  test('the newest unit of a subject stands for those before it; others stay', async () => {
    const database = await tables();
    const unit = (originSequence: number, subject: string | undefined, destination = 'b') => ({ destination, originPartition: 1, originSequence, number: 0, json: `"${originSequence}"`, ...(subject !== undefined && { subject }) });
    await database.transaction((tx) => enqueueUnits(tx, [unit(1, 'x'), unit(2, undefined), unit(3, 'y'), unit(4, 'x'), unit(5, undefined), unit(1, 'x', 'c')], { nowMs: 5, partitionOfDestination: () => 1 }));
    assert.equal((await database.transaction((tx) => keepNewestOfSubjects(tx, 'b'))).changes, 1);
    const left = async (name: string) => (await readUnitQueue(database, name, 10)).map(({ json }) => json);
    assert.deepEqual([await left('b'), await left('c')], [['"2"', '"3"', '"4"', '"5"'], ['"1"']]);
  });

  test('an owner finds the destinations of its partitions for which something waits', async () => {
    const database = await tables();
    assert.deepEqual(await readWaitingDestinations(database, 'sender', 'me'), { names: new Set(), marked: new Set() });
    await database.transaction((tx) => tx.insertMany({
      into: 'leases', columns: ['consumer', 'partition', 'owner', 'epoch', 'expires_at'],
      rows: [['sender', 0, 'me', 1, 0], ['sender', 1, 'other', 1, 0], ['sender', 2, 'me', 1, 0], ['sender', 3, '', 1, 0], ['another', 1, 'me', 1, 0]],
    }));
    for (const name of ['b', 'aa', 'cc', 'ddd', 'eeee']) await queue(database, name, [[1, 1], [1, 2], [5, 6]]);
    const found = async (owner: string) => Object.values(await readWaitingDestinations(database, 'sender', owner)).map((names) => [...names].sort());
    assert.deepEqual([await found('me'), await found('other')], [[['aa', 'cc', 'eeee'], []], [['b'], []]]);
    await database.transaction((tx) => writeJoinedHosts(tx, new Map([['!r', { reset: false, counts: new Map([['aa', 1]]) }]])));
    await database.transaction((tx) => markQueuedRooms(tx, { name: 'aa', partition: 2 }, 9));
    assert.deepEqual(await found('me'), [['aa', 'cc', 'eeee'], ['aa']]);
  });

  test('pauses are kept until the server answers', async () => {
    const database = await tables();
    const backoff = { failures: 1, pauseMs: 2000, pausedAtMs: 10, retryAtMs: 2010, failingSinceMs: 10 };
    await database.transaction((tx) => writeBackoffs(tx, [{ name: 'b', partition: 1, backoff }]));
    await database.transaction((tx) => writeBackoffs(tx, [{ name: 'b', partition: 1, backoff: { ...backoff, failures: 2, pauseMs: 4000 } }]));
    assert.deepEqual(await readBackoffs(database, ['a', 'b']), new Map([['b', { ...backoff, failures: 2, pauseMs: 4000 }]]));
    assert.deepEqual([await readGone(database, 10), await readGone(database, 9)], [new Set(['b']), new Set()]);
    const clear = () => database.transaction((tx) => clearPause(tx, 'b'));
    assert.deepEqual([await clear(), await clear(), await readGone(database, 10)], [true, false, new Set()]);
    await database.transaction((tx) => writeBackoffs(tx, [{ name: 'b', partition: 1, backoff }]));
    await database.transaction((tx) => clearBackoff(tx, 'b', 99));
    assert.deepEqual(await readBackoffs(database, ['b']), new Map());
    assert.deepEqual(await database.query('SELECT last_success_at FROM destinations', []), [{ last_success_at: 99 }]);
  });

  test('operators are listed the servers in rooms and those that have failed', async () => {
    const database = await tables();
    const counts = (names: readonly string[]) => ({ reset: false, counts: new Map(names.map((name) => [name, 1])) });
    await database.transaction((tx) => writeJoinedHosts(tx, new Map([['!x', counts(['b', 'd', 'e_e'])], ['!y', counts(['b'])], ['!z', counts(['b', 'd'])]])));
    const backoff = { failures: 1, pauseMs: 2000, pausedAtMs: 10, retryAtMs: 2010, failingSinceMs: 8 };
    await database.transaction((tx) => writeBackoffs(tx, [{ name: 'a', partition: 1, backoff }]));
    await database.transaction((tx) => writeBackoffs(tx, [{ name: 'd', partition: 1, backoff: { ...backoff, failingSinceMs: 5 } }]));
    await database.transaction((tx) => writeBackoffs(tx, [{ name: 'e_e', partition: 1, backoff }]));
    await database.transaction((tx) => clearBackoff(tx, 'e_e', 99));
    const page = { from: 0, limit: 10, backwards: false };
    const list = async (more: object) => {
      const { destinations, total } = await listDestinations(database, { ...page, orderBy: 'destination', containing: '', ...more });
      return [total, ...destinations.map(({ name }) => name)];
    };
    assert.deepEqual(await list({}), [4, 'a', 'b', 'd', 'e_e']);
    assert.deepEqual([await list({ backwards: true, limit: 2 }), await list({ from: 3 }), await list({ containing: '_' })], [[4, 'e_e', 'd'], [4, 'e_e'], [1, 'e_e']]);
    assert.deepEqual([await list({ orderBy: 'failure_ts', backwards: true, limit: 2 }), await list({ orderBy: 'last_successful_stream_ordering', backwards: true, limit: 1 })], [[4, 'a', 'd'], [4, 'e_e']]);
    for (const orderBy of ['retry_last_ts', 'retry_interval']) assert.deepEqual(await list({ orderBy }), [4, 'b', 'e_e', 'a', 'd']);
    assert.deepEqual(await readDestination(database, 'd'), { name: 'd', failures: 1, failingSinceMs: 5, lastTryMs: 10, nextTryMs: 2010, lastSuccessMs: null });
    assert.deepEqual(await readDestination(database, 'e_e'), { name: 'e_e', failures: 0, failingSinceMs: 0, lastTryMs: 0, nextTryMs: 0, lastSuccessMs: 99 });
    assert.equal(await readDestination(database, 'f'), undefined);
    assert.deepEqual(await listRoomsOf(database, 'b', { ...page, limit: 2, backwards: true }), { roomIds: ['!z', '!y'], total: 3 });
  });

  test('servers in rooms, and where queues start', async () => {
    const database = await tables();
    await database.transaction((tx) => writeJoinedHosts(tx, new Map([['!x', { reset: false, counts: new Map([['b', 2], ['c', 1]]) }], ['!y', { reset: true, counts: new Map([['b', 1], ['d', 0]]) }]])));
    await database.transaction((tx) => writeJoinedHosts(tx, new Map([['!x', { reset: false, counts: new Map([['b', 3], ['c', 0]]) }], ['!y', { reset: true, counts: new Map([['e', 1]]) }]])));
    assert.deepEqual(await readJoinedHosts(database, ['!x', '!y', '!z']), new Map([['!x', new Map([['b', 3]])], ['!y', new Map([['e', 1]])], ['!z', new Map()]]));
    for (const heads of [[4], [9, 9]]) await ensureQueueStarts(database, { heads: async () => heads }, 2);
    assert.deepEqual(await readQueueStarts(database), new Map([[0, 4], [1, 0]]));
  });
});
