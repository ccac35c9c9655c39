/** The status over real tables in memory, its table for people, and who may ask a server for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { createRouter } from '../../../pkg/http/router.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { Database, SqlValue } from '../../../pkg/storage/database.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { migrateAll } from '../migrate-all.ts';
import { collectStatus, LAG_MAX, type CollectOptions } from './collect.ts';
import { renderStatus } from './render.ts';
import { statusRoute } from './route.ts';

const NOW = 1_000_000;
const LOG = { source: 'server', serverName: 'a.example', nowMs: NOW, partitions: 2, embedded: undefined } as const;

interface Tables {
  readonly roomserver: Database;
  readonly userapi: Database;
  readonly syncapi: Database;
  readonly federationapi: Database;
}

async function inTables(work: (tables: Tables) => Promise<void>): Promise<void> {
  const tables = { roomserver: await openSqlite({ path: ':memory:' }), userapi: await openSqlite({ path: ':memory:' }), syncapi: await openSqlite({ path: ':memory:' }), federationapi: await openSqlite({ path: ':memory:' }) };
  try {
    await migrateAll(tables, 0);
    await insert(tables.roomserver, 'leases', ['consumer', 'partition', 'owner', 'epoch', 'expires_at'], [['roomserver', 0, 'one', 3, NOW + 2000], ['roomserver', 1, 'two', 5, NOW + 2500]]);
    await insert(tables.userapi, 'leases', ['consumer', 'partition', 'owner', 'epoch', 'expires_at'], [['userapi', 0, 'one', 1, NOW + 2000], ['userapi', 1, 'one', 4, NOW + 2000]]);
    const leases = ['syncapi.room-output', 'syncapi.user-output'].flatMap((name) => [0, 1].map((partition) => [name, partition, 'two', 1, NOW + 1]));
    await insert(tables.syncapi, 'leases', ['consumer', 'partition', 'owner', 'epoch', 'expires_at'], leases);
    await work(tables);
  } finally {
    for (const database of Object.values(tables) as Database[]) await database.close();
  }
}

async function insert(database: Database, into: string, columns: string[], rows: SqlValue[][]): Promise<void> {
  await database.transaction((tx) => tx.insertMany({ into, columns, rows }));
}

const positions = (database: Database, rows: SqlValue[][]) => insert(database, 'positions', ['consumer', 'partition', 'epoch', 'transport', 'position', 'sequence', 'relayed'], rows);
const collect = (readers: Tables, more: Partial<CollectOptions> = {}) => collectStatus({ ...LOG, readers, ...more });

test('owners, epochs, lag, and what waits or was given up are counted', () => inTables(async (tables) => {
  await positions(tables.roomserver, [['roomserver', 0, 3, 'nats x', 7, 40, 40], ['roomserver', 1, 5, 'old', 7, 10, 10]]);
  await positions(tables.syncapi, [['syncapi.room-output', 0, 1, 'nats x', 9, 38, 0], ['syncapi.room-output', 1, 1, 'nats x', 9, 10, 0]]);
  await insert(tables.roomserver, 'outbox', ['log', 'partition', 'sequence', 'epoch', 'record'], [['room-output', 0, 39, 3, new Uint8Array(1)], ['room-output', 0, 40, 3, new Uint8Array(1)]]);
  await insert(tables.roomserver, 'parked_inputs', ['consumer', 'partition', 'number', 'key', 'until_ms', 'reason', 'record'], [['roomserver', 0, 1, '!r:x', 0, 'waits', new Uint8Array(1)]]);
  await insert(tables.syncapi, 'dead_letters', ['consumer', 'id', 'partition', 'position', 'reason', 'record', 'dead_at'], [['syncapi.room-output', 'a', 0, 1, 'bad', new Uint8Array(1), 0]]);
  const status = await collect(tables, { inputs: { transport: 'nats x', head: async () => 12 } });
  assert.deepEqual([status.healthy, status.problems], [true, []]);
  const [roomserver, userapi, roomReader, userReader] = status.consumers;
  assert.deepEqual(roomserver?.owners, [
    { instance: 'one', alive: true, expiresAtMs: NOW + 2000, partitions: 1, epochMin: 3, epochMax: 3 },
    { instance: 'two', alive: true, expiresAtMs: NOW + 2500, partitions: 1, epochMin: 5, epochMax: 5 },
  ]);
  assert.deepEqual([roomserver.lag, roomserver.parked, roomserver.outbox, roomserver.deadLetters], [5, 1, 2, 0], 'the place in another transport counts for nothing');
  assert.deepEqual(userapi?.owners.map((owner) => [owner.partitions, owner.epochMin, owner.epochMax]), [[2, 1, 4]]);
  assert.deepEqual([roomReader?.name, roomReader?.lag, roomReader?.deadLetters, roomReader?.outbox], ['syncapi.room-output', 2, 1, null]);
  assert.equal(userReader?.lag, 0);
}));

test('partitions without a living owner, and a reader far behind, are problems', () => inTables(async (tables) => {
  await insert(tables.roomserver, 'instances', ['consumer', 'instance', 'expires_at'], [['roomserver', 'one', NOW + 2000], ['roomserver', 'three', NOW - 4000]]);
  await positions(tables.userapi, [['userapi', 0, 1, '', 0, LAG_MAX + 1, 0]]);
  const status = await collect(tables, { nowMs: NOW + 2200 });
  assert.deepEqual(status.problems, [
    '1 of 2 partitions of roomserver have no living owner', '2 of 2 partitions of userapi have no living owner',
    '2 of 2 partitions of syncapi.room-output have no living owner', '2 of 2 partitions of syncapi.user-output have no living owner', `syncapi.user-output is ${LAG_MAX + 1} behind`,
  ]);
  assert.equal(status.consumers[0]?.lag, null, 'tables do not say what waits in a broker');
  const text = renderStatus(status);
  assert.match(text, /^roomserver +2 +1 +- +0 +0 +0$/m);
  assert.match(text, /^one +roomserver +1 +3 +expired 0\.2 s ago$/m);
  assert.match(text, /^two +roomserver +1 +5 +alive, lease ends in 0\.3 s$/m);
  assert.match(text, /^three +roomserver +expired 6\.2 s ago$/m);
  assert.match(text, /UNHEALTHY:\n {2}1 of 2 partitions of roomserver have no living owner\n/);
}));

test('a role that never ran is not missed; one that did is', () => inTables(async (tables) => {
  const names = async (): Promise<string[]> => (await collect(tables)).consumers.map(({ name }) => name).filter((name) => name.startsWith('federationapi'));
  assert.deepEqual(await names(), []);
  await insert(tables.federationapi, 'leases', ['consumer', 'partition', 'owner', 'epoch', 'expires_at'],
    ['federationapi.room-output', 'federationapi-sender'].flatMap((name) => [0, 1].map((partition) => [name, partition, partition === 0 ? 'gone' : 'two', 1, NOW + partition])));
  await positions(tables.roomserver, [['roomserver', 0, 3, 'nats x', 7, 40, 40]]);
  await positions(tables.federationapi, [['federationapi.room-output', 0, 1, 'nats x', 9, 33, 0]]);
  assert.deepEqual(await names(), ['federationapi.room-output', 'federationapi-sender']);
  const status = await collect(tables, { nowMs: NOW + 1 });
  assert.deepEqual(status.problems.filter((problem) => problem.includes('federationapi')), [
    '1 of 2 partitions of federationapi.room-output have no living owner', '1 of 2 partitions of federationapi-sender have no living owner',
  ]);
  assert.deepEqual(status.consumers.slice(-2).map(({ lag }) => lag), [7, null]);
}));

test('servers that fail are named, and no reason to be unhealthy', () => inTables(async (tables) => {
  const healthy = (await collect(tables)).healthy;
  assert.equal(renderStatus(await collect(tables)).includes('SERVER'), false);
  const columns = ['server_name', 'partition', 'failures', 'pause_ms', 'paused_at', 'retry_at', 'failing_since'];
  const many = Array.from({ length: 20 }, (_, index) => [`old${index}.example`, 0, 30, 1, 1, NOW + 600_000, NOW - 900_000]);
  await insert(tables.federationapi, 'destinations', columns, [['well.example', 0, 0, 1, 1, 1, 1], ['bad.example', 0, 3, 1, 1, NOW + 4500, NOW - 60_000], ['due.example', 0, 1, 1, 1, NOW - 1, NOW - 61_000], ...many]);
  const status = await collect(tables);
  assert.deepEqual([status.healthy, status.failingServers.count, status.failingServers.newest.length], [healthy, 22, 20]);
  const text = renderStatus(status);
  assert.match(text, /^bad\.example +1970-01-01T00:15:40\.000Z +3 +in 5 s\ndue\.example +1970-01-01T00:15:39\.000Z +1 +now\nold0\.example +\S+ +30 +in 10 min$/m);
  assert.match(text, /^and 2 more$/m);
}));

test('with the embedded log the process that answers is the one that lives, whatever the leases say', () => inTables(async (tables) => {
  for (const database of [tables.roomserver, tables.userapi, tables.syncapi]) await database.transaction((tx) => tx.run("UPDATE leases SET owner = 'one', expires_at = 0"));
  const running = await collect(tables, { embedded: { running: 'one' } });
  assert.equal(running.healthy, true);
  assert.match(renderStatus(running), /^one +roomserver +2 +3-5 +alive$/m);
  const dead = await collect(tables, { embedded: { running: undefined } });
  assert.equal(dead.consumers.every((consumer) => consumer.unowned === 2), true);
  assert.match(renderStatus(dead), /^one +userapi +2 +1-4 +not running$/m);
}));

test('only this machine may ask, and not through a proxy', () => inTables(async (tables) => {
  const router = createRouter([statusRoute({ host: '10.0.0.5', status: () => collect(tables) })], { runtime: createManualRuntime() });
  const ask = async (remoteAddress: string, headers: Record<string, string> = {}) =>
    (await router.dispatch({ method: 'GET', path: '/_myelin/status', queryString: '', headers, remoteAddress, departure: new Departure() })).status;
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.0.0.5']) assert.equal(await ask(address), 200, address);
  for (const address of ['10.0.0.6', '198.51.100.7', '::ffff:10.0.0.6', '']) assert.equal(await ask(address), 404, address);
  for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'via']) assert.equal(await ask('127.0.0.1', { [name]: '127.0.0.1' }), 404, name);
}));

test('rooms that wait for their members are counted', () => inTables(async (tables) => {
  assert.equal((await collect(tables)).roomsCompleting, 0);
  const columns = ['room_id', 'room_version', 'partition', 'event_id', 'state_id', 'origin', 'servers', 'sequence', 'end_sequence', 'state', 'tries', 'retry_at', 'begun_at'];
  const row = (roomId: string, state: number): SqlValue[] => [roomId, '12', 0, '$join', 1, 'b.example', '[]', 1, state * 2, state, 0, 0, 0];
  await insert(tables.roomserver, 'partial_rooms', columns, [row('!a', 0), row('!b', 1), row('!c', 2), row('!d', 0)]);
  const status = await collect(tables);
  assert.equal(status.roomsCompleting, 2);
  assert.match(renderStatus(status), /2 rooms were joined and wait for their members/);
}));
