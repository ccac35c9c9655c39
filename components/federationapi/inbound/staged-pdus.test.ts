import assert from 'node:assert/strict';
import { test } from 'node:test';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { buildEvent } from '../../../pkg/matrix/events/build-event.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { FederationError } from '../../../pkg/federation/transport.ts';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { LogUnavailable } from '../../../pkg/log/log.ts';
import { createKeyServers } from '../../../test/kit/key-servers.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { createKeyRing } from '../fetch/key-ring.ts';
import { federationapiMigrations } from '../storage/migrations.ts';
import { writeJoinedHosts } from '../storage/joined-hosts.ts';
import { stagePdus } from '../storage/staged-pdus.ts';
import { impatientKeys } from '../verify/impatient-keys.ts';
import { createFetchEvents } from './fetch-named.ts';
import { keepForLater } from './keep-pdus.ts';
import { createPduReceiver } from './receive-pdus.ts';
import { createStagedPdus } from './staged-pdus.ts';

const ROOM = '!room:a.test';
const HOUR_MS = 3_600_000;

async function scene() {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'federationapi', federationapiMigrations, runtime.clock.now());
  const servers = createKeyServers(runtime.clock);
  const remote = servers.add('a.test', 1);
  const keyRing = createKeyRing({ runtime, database, transport: servers.transport, trustedKeyServers: [] });
  const appended: string[] = [];
  const log = { away: false };
  const receiver = createPduReceiver({
    serverName: 'own.test', clock: runtime.clock, database, partitionMap: { version: 1, partitions: 4 }, keyRing: impatientKeys(keyRing, runtime.clock, 4000),
    roomQuery: { roomVersion: async () => '11', hasJoinedMember: async () => true, currentState: async () => [], outsideMembership: async () => undefined },
    driver: {
      append: async (_log, _partition, records) => {
        if (log.away) throw new LogUnavailable('away');
        appended.push(...records.map((record) => roomInputCodec.decode(record).inputId));
      },
    },
  });
  const [placed, asked] = [new Set<string>(), [] as string[]];
  /** By server and event ID. */
  const given = new Map<string, unknown>();
  const fetch = createFetchEvents({
    isDenied: () => false,
    transport: {
      async request({ destination, path }) {
        asked.push(`${destination} ${path}`);
        const value = given.get(`${destination} ${decodeURIComponent(path.split('/').at(-1)!)}`);
        if (value === undefined) throw new FederationError('timeout', 'no answer');
        return { status: 200, headers: {}, body: { pdus: [value] } } as never;
      },
    },
  });
  const staged = createStagedPdus({ runtime, database, receiver, fetch, roomQuery: { placedEventIds: async (ids) => new Set(ids.filter((id) => placed.has(id))) } });
  const event = (body: string) => buildEvent({
    version: roomVersion('11')!, draft: { type: 'm.room.message', sender: '@u:a.test', content: { body } }, roomId: ROOM, prevEvents: [], authEvents: [], depth: 1,
    originServerTs: runtime.clock.now(), serverName: 'a.test', signingKey: remote.key,
  });
  return {
    runtime, database, remote, appended, log, receiver, staged, event, placed, asked, given,
    rows: async () => (await database.query<{ event_id: string; attempts: number }>('SELECT event_id, attempts FROM staged_pdus ORDER BY event_id')),
    async close() {
      await staged.stop();
      await database.close();
    },
  };
}

test('what waits for keys is appended when they can be had, however often that is tried, and the log may be away meanwhile', async () => {
  const world = await scene();
  world.remote.away = true;
  const { pdu, eventId } = world.event('late');
  const { results, lacking } = await world.receiver.receive('sender.test', [pdu], '');
  assert.deepEqual([results.size, lacking.map((one) => one.eventId)], [0, [eventId]]);
  assert.deepEqual(await world.staged.add(lacking), new Set([eventId]));
  await world.staged.start();
  await world.runtime.advance(10 * 60_000);
  const [row] = await world.rows();
  assert.ok(row !== undefined && row.attempts >= 2, 'it was tried');
  world.remote.away = false;
  world.log.away = true;
  await world.runtime.advance(HOUR_MS);
  assert.equal((await world.rows()).length, 1);
  world.log.away = false;
  await world.runtime.advance(HOUR_MS);
  assert.deepEqual(world.appended, [`pdu:${eventId}`]);
  assert.deepEqual(await world.rows(), []);
  await world.close();
});

test('it is given up after some hours', async () => {
  const world = await scene();
  world.remote.away = true;
  const { lacking } = await world.receiver.receive('sender.test', [world.event('lost').pdu], '');
  await world.staged.add(lacking);
  await world.staged.start();
  await world.runtime.advance(8 * HOUR_MS);
  assert.deepEqual([await world.rows(), world.appended], [[], []]);
  await world.close();
});

test('there is room for so many of a server, and for so many in all', async () => {
  const world = await scene();
  const staged = (origin: string, ...ids: string[]) => stagePdus(
    world.database, ids.map((eventId) => ({ origin, eventId, roomId: ROOM, pdu: Buffer.from('{}') })), { nowMs: 1, retryAtMs: 2, originMax: 2, allMax: 3 });
  assert.deepEqual(await staged('a', '$1', '$1', '$2', '$3'), new Set(['$1', '$2']));
  assert.deepEqual(await staged('a', '$1', '$4'), new Set(['$1']), 'what is there is kept');
  assert.deepEqual(await staged('b', '$1', '$2'), new Set(['$1']));
  await world.close();
});

test('what was given up for want of an answer is fetched again, less and less often, until it has its place', async () => {
  const world = await scene();
  const { pdu, eventId } = world.event('given up');
  const later = () => keepForLater({ ...world.runtime, database: world.database }, [{ origin: 'a.test', roomId: ROOM, eventId }]);
  await later();
  await world.staged.start();
  await world.runtime.advance(5 * 60_000);
  assert.deepEqual([world.asked[0], world.appended], [`a.test /_matrix/federation/v1/event/${encodeURIComponent(eventId)}`, []]);
  assert.ok(world.asked.length >= 2 && world.asked.length <= 5, `asked ${world.asked.length} times`);
  world.given.set(`a.test ${eventId}`, pdu);
  await world.runtime.advance(HOUR_MS);
  assert.ok(world.appended.length > 0 && world.appended.every((inputId) => inputId === `pdu:${eventId}`), 'it is appended');
  // It had to be given up once more: that begins nothing anew.
  const before = world.asked.length;
  await later();
  await world.runtime.advance(10 * 60_000);
  assert.ok(world.asked.length <= before + 1);
  world.placed.add(eventId);
  await world.runtime.advance(HOUR_MS);
  assert.deepEqual([world.asked.length <= before + 1, await world.rows()], [true, []]);
  await world.close();
});

/** The same event by its ID, and nobody's. */
const spoiled = (pdu: Pdu): Pdu => ({ ...pdu, signatures: { 'a.test': Object.fromEntries(Object.keys(pdu.signatures['a.test']!).map((keyId) => [keyId, Buffer.alloc(64).toString('base64')])) } });

test('who has spoiled an event, or does not give it, is not the only one to be asked: every other time it is another server of the room', async () => {
  const world = await scene();
  const { pdu, eventId } = world.event('spoiled');
  await world.database.transaction((tx) => writeJoinedHosts(tx, new Map([[ROOM, { reset: false, counts: new Map([['liar.test', 1], ['a.test', 1]]) }]])));
  await keepForLater({ ...world.runtime, database: world.database }, [{ origin: 'liar.test', roomId: ROOM, eventId }]);
  world.given.set(`liar.test ${eventId}`, spoiled(pdu));
  await world.staged.start();
  await world.runtime.advance(60_000);
  assert.deepEqual([world.asked.map((line) => line.split(' ')[0]), world.appended, (await world.rows()).length], [['liar.test'], [], 1]);
  world.given.set(`a.test ${eventId}`, pdu);
  await world.runtime.advance(2 * 60_000);
  assert.deepEqual(world.asked.map((line) => line.split(' ')[0]), ['liar.test', 'a.test']);
  assert.deepEqual(world.appended, [`pdu:${eventId}`]);
  await world.close();
});

test('an event that is no good whoever gives it is forgotten', async () => {
  const world = await scene();
  const { pdu, eventId } = world.event('no good');
  await keepForLater({ ...world.runtime, database: world.database }, [{ origin: 'liar.test', roomId: ROOM, eventId }]);
  world.given.set(`liar.test ${eventId}`, spoiled(pdu));
  await world.staged.start();
  await world.runtime.advance(10 * 60_000);
  assert.deepEqual([world.asked.length, await world.rows(), world.appended], [2, [], []]);
  await world.close();
});
