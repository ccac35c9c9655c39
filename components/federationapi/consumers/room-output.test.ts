/** What the applier makes of room-output: servers in rooms, and queues. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { deniedServers } from '../../../pkg/federation/denied-servers.ts';
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';
import { CATCH_UP_DEFAULT } from '../sender/catch-up.ts';
import { beginResolving, markQueuedRooms } from '../storage/destination-rooms.ts';
import { writeBackoffs } from '../storage/destinations.ts';
import { federationapiMigrations } from '../storage/migrations.ts';
import { ensureQueueStarts } from '../storage/queue-starts.ts';
import { roomOutputApplier } from './room-output.ts';

const ROOM = '!room:a.example';
const NONE = new Uint8Array();

interface Stand {
  readonly database: Database;
  /** Applies the records as one batch; their sequence numbers go on from the last one. */
  apply(...records: readonly Partial<RoomOutput>[]): Promise<void>;
  hosts(roomId?: string): Promise<Record<string, number>>;
  /** `<destination> <event ID>`, in order. */
  queue(): Promise<string[]>;
  readonly woken: string[][];
  readonly needs: string[];
  /** `<destination> <content>` of ephemeral units. */
  readonly units: string[];
  /** Users of other servers who have left. */
  readonly departed: string[];
  /** Batches for which nothing was written. */
  idle: number;
  readonly clock: { nowMs: number };
  /** Drops what is in memory, as after a failed commit or a new owner. */
  forget(): void;
}

async function stand(t: TestContext, options: { head?: number; denied?: string[] } = {}): Promise<Stand> {
  const database = await openSqlite({ path: ':memory:' });
  t.after(() => database.close());
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  await ensureQueueStarts(database, { heads: async () => [options.head ?? 0] }, 2);
  const clock = { nowMs: 7 };
  const woken: string[][] = [];
  const needs: string[] = [];
  const units: string[] = [];
  const departed: string[] = [];
  const applier = roomOutputApplier({
    serverName: 'a.example', database, clock: { now: () => clock.nowMs }, isDenied: deniedServers(options.denied ?? []), partitionOfDestination: () => 3, goneMs: CATCH_UP_DEFAULT.goneMs,
    takeNeeds: async (_tx, records) => void needs.push(...records.map(({ output }) => output.need!.needId)),
    onQueued: (destinations) => void woken.push([...destinations].sort()), onNeeds: () => void woken.push(['needs']), onDeparted: (users) => void departed.push(...users),
    onEphemeral: (sent) => void units.push(...sent.map(({ destination, edu }) => `${destination} ${JSON.stringify(edu.content)}`)),
  });
  let sequence = 0;
  const self: Stand = {
    database, woken, needs, units, departed, clock, idle: 0,
    async apply(...records) {
      const batch: SequencedRecord<RoomOutput>[] = records.map((record) => ({
        partition: 0, sequence: (sequence += 1), output: applier.decode(roomOutputCodec.encode({ roomId: ROOM, roomVersion: '12', inputId: '', traceId: '', ...record })),
      }));
      await applier.load!(batch);
      if (applier.isIdle!(batch)) {
        self.idle += 1;
        return;
      }
      await database.transaction((tx) => applier.apply(tx, batch));
      applier.committed!(batch);
    },
    async hosts(roomId = ROOM) {
      const rows = await database.query<{ server_name: string; members: number }>('SELECT server_name, members FROM joined_hosts WHERE room_id = ? ORDER BY server_name', [roomId]);
      return Object.fromEntries(rows.map((row) => [row.server_name, row.members]));
    },
    async queue() {
      const rows = await database.query<{ destination: string; event_id: string }>('SELECT destination, event_id FROM destination_queue ORDER BY origin_sequence, destination');
      return rows.map((row) => `${row.destination} ${row.event_id}`);
    },
    forget: () => applier.forget!(0),
  };
  return self;
}

function change(userId: string, membership: string, replacedMembership = ''): StateChange {
  return { type: 'm.room.member', stateKey: userId, eventId: membership === '' ? '' : `$${userId}`, replaces: '', membership, replacedMembership };
}

function event(eventId: string, sender: string, stateDelta: StateChange[] = [], relayOf = ''): Partial<RoomOutput> {
  return {
    event: {
      eventId, pdu: Buffer.from(JSON.stringify({ content: { sender: '@not:this.one' }, sender })), orderKey: 1, stateDelta, historyVisibility: 'shared', deviceId: '', txnId: '',
      softFailedAccepted: false, stateBeforeDiffers: false, redacts: '', relayOf,
    },
  };
}

const slice = (reset: boolean, ...changes: StateChange[]): Partial<RoomOutput> => ({ stateSlice: { reset, changes, pdus: changes.map(() => NONE) } });

test('public receipts of users here go to the other servers of the room, and nothing is written for them', async (t) => {
  const world = await stand(t, { denied: ['no.example'] });
  await world.apply(event('$1', '@a:a.example', [change('@a:a.example', 'join'), change('@b:b.example', 'join'), change('@n:no.example', 'join')]));
  world.forget();
  const idle = world.idle;
  const receipt = (userId: string, receiptType: string, threadId?: string) => ({ receipt: { userId, receiptType, eventId: '$1', ts: 5, ...(threadId !== undefined && { threadId }) } });
  await world.apply(receipt('@a:a.example', 'm.read'), receipt('@a:a.example', 'm.read.private'), receipt('@b:b.example', 'm.read'), receipt('@a:a.example', 'm.read', 'main'));
  assert.deepEqual(world.units, [
    `b.example {"${ROOM}":{"m.read":{"@a:a.example":{"event_ids":["$1"],"data":{"ts":5}}}}}`,
    `b.example {"${ROOM}":{"m.read":{"@a:a.example":{"event_ids":["$1"],"data":{"ts":5,"thread_id":"main"}}}}}`,
  ]);
  assert.equal(world.idle, idle + 1);
});

test('a room of this server alone costs no transaction', async (t) => {
  const world = await stand(t);
  const { apply, queue, hosts, woken } = world;
  await apply(event('$create', '@a:a.example', [change('@a:a.example', 'join')]), event('$1', '@a:a.example'));
  await apply({ receipt: { userId: '@a:a.example', receiptType: 'm.read', eventId: '$1', ts: 1 } });
  assert.deepEqual([world.idle, await queue(), await hosts(), woken], [2, [], {}, []]);
});

test('who is in the room before or after an event is sent it, once each', async (t) => {
  const { apply, queue, hosts, woken } = await stand(t);
  await apply(event('$create', '@a:a.example'), event('$invite', '@a:a.example', [change('@b:b.example', 'invite')]), event('$1', '@a:a.example'));
  assert.deepEqual(await queue(), [], 'who is only invited is not in the room');
  await apply(event('$joinB', '@b:b.example', [change('@b:b.example', 'join', 'invite')]), event('$joinC', '@c:c.example', [change('@c:c.example', 'join')], 'c.example'));
  assert.deepEqual([await hosts(), await queue()], [{ 'b.example': 1, 'c.example': 1 }, ['b.example $joinC']], 'the join of another is passed on, not to where it comes from; others are not');
  await apply(event('$2', '@a:a.example'), event('$b', '@b:b.example'), event('$kick', '@a:a.example', [change('@b:b.example', 'leave', 'join')]), event('$3', '@a:a.example'));
  assert.deepEqual((await queue()).slice(1), ['b.example $2', 'c.example $2', 'b.example $kick', 'c.example $kick', 'c.example $3']);
  assert.deepEqual(await hosts(), { 'c.example': 1 });
  assert.deepEqual(woken, [['b.example'], ['b.example', 'c.example']]);
});

test('members are counted: a server is in the room until the last of them has left', async (t) => {
  const { apply, hosts, forget, departed } = await stand(t);
  await apply(event('$1', '@1:b.example', [change('@1:b.example', 'join')]), event('$2', '@2:b.example', [change('@2:b.example', 'join')]), event('$3', '@2:b.example', [change('@2:b.example', 'join', 'join')]));
  assert.deepEqual(await hosts(), { 'b.example': 2 });
  forget();
  await apply(event('$4', '@1:b.example', [change('@1:b.example', 'leave', 'join'), change('@2:b.example', '', 'join'), change('@3:b.example', 'join')]));
  assert.deepEqual(await hosts(), { 'b.example': 1 }, 'a state resolution changes several at once, and removes keys');
  await apply(event('$5', '@a:a.example', [change('@3:b.example', 'ban', 'join'), change('@a:a.example', 'leave', 'join'), change('@4:b.example', 'leave', 'invite')]));
  assert.deepEqual(await hosts(), {});
  assert.deepEqual(departed, ['@1:b.example', '@2:b.example', '@3:b.example'], 'those of other servers, once they are gone');
});

test('a state that comes whole replaces what was there', async (t) => {
  const { apply, hosts, queue } = await stand(t);
  await apply(event('$1', '@1:old.example', [change('@1:old.example', 'join')]));
  await apply(slice(true, change('@1:b.example', 'join'), change('@2:b.example', 'join'), change('@x:x.example', 'invite')), slice(false, change('@1:c.example', 'join')));
  await apply(slice(false, change('@2:c.example', 'join')), event('$join', '@a:a.example', [change('@a:a.example', 'join')]));
  assert.deepEqual([await hosts(), await queue()], [{ 'b.example': 2, 'c.example': 2 }, ['b.example $join', 'c.example $join']]);
});

test('denied servers are sent nothing', async (t) => {
  const { apply, hosts, queue } = await stand(t, { denied: ['*.evil.example'] });
  await apply(slice(true, change('@1:b.example', 'join'), change('@1:very.evil.example', 'join')), event('$1', '@a:a.example'));
  assert.deepEqual([Object.keys(await hosts()), await queue()], [['b.example', 'very.evil.example'], ['b.example $1']]);
});

test('a federationapi that is built anew learns who is where, and sends nothing that is older', async (t) => {
  const { apply, hosts, queue, database } = await stand(t, { head: 2 });
  await ensureQueueStarts(database, { heads: async () => [50] }, 2);
  await apply(event('$1', '@b:b.example', [change('@b:b.example', 'join')]), event('$2', '@a:a.example'), event('$3', '@a:a.example'));
  assert.deepEqual([await hosts(), await queue()], [{ 'b.example': 1 }, ['b.example $3']], 'the start that was noted first counts');
});

test('a batch that was not committed leaves nothing in memory', async (t) => {
  const { apply, hosts, forget, database } = await stand(t);
  await apply(slice(true, change('@1:b.example', 'join')));
  const failing = event('$kick', '@a:a.example', [change('@1:b.example', 'leave', 'join')]);
  const transaction = database.transaction;
  Object.assign(database, { transaction: () => Promise.reject(new Error('disk')) });
  await assert.rejects(apply(failing));
  Object.assign(database, { transaction });
  forget();
  await apply(failing);
  assert.deepEqual(await hosts(), {});
});

test('needs are kept with the position, and their runner is told', async (t) => {
  const { apply, needs, woken } = await stand(t);
  await apply({ need: { needId: 'n1', deadlineMs: 1, eventAuth: { origin: 'b.example', eventId: '$1' } } });
  assert.deepEqual([needs, woken], [['n1'], [['needs']]]);
});

test('for a server that is gone for long nothing more is queued of rooms that it will catch up with, but for how it leaves them', async (t) => {
  const world = await stand(t);
  const join = (name: string) => change(`@u:${name}`, 'join');
  await world.apply(event('$1', '@u:a.example', [join('dead.example'), join('b.example')]));
  await world.database.transaction((tx) => writeBackoffs(tx, [{ name: 'dead.example', partition: 3, backoff: { failures: 9, pauseMs: 1, pausedAtMs: 0, retryAtMs: 0, failingSinceMs: 7 - CATCH_UP_DEFAULT.goneMs } }]));
  await world.database.transaction((tx) => markQueuedRooms(tx, { name: 'dead.example', partition: 3 }, 7));
  const before = (await world.queue()).length;
  world.forget();
  world.clock.nowMs += 60_000;
  await world.apply(event('$2', '@u:a.example'));
  assert.deepEqual((await world.queue()).slice(before), ['b.example $2']);
  await world.database.transaction((tx) => beginResolving(tx, { name: 'dead.example', partition: 3 }, [ROOM], 'now'));
  await world.apply(event('$3', '@u:a.example'));
  assert.deepEqual((await world.queue()).slice(before + 1), ['b.example $3', 'dead.example $3'], 'the ends may have been read already');
  await world.database.transaction((tx) => markQueuedRooms(tx, { name: 'dead.example', partition: 3 }, 7));
  await world.apply(event('$4', '@u:a.example', [change('@u:dead.example', 'leave', 'join')]));
  await world.apply(event('$5', '@u:a.example'));
  assert.deepEqual((await world.queue()).filter((row) => !row.startsWith('b.example')), ['dead.example $4']);
});
