/** What becomes of the queue of a destination that is gone for long: marks, and the ends of rooms when it is back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodies, down, minutes, numbered, ok, RETRY, SENDER_PARTITIONS, senderStand, type SenderStand, type Sent } from '../../../test/kit/sender-stand.ts';
import { markQueuedRooms } from '../storage/destination-rooms.ts';
import { clearPause, writeBackoffs } from '../storage/destinations.ts';
import { writeJoinedHosts } from '../storage/joined-hosts.ts';
import { CATCH_UP_DEFAULT } from './catch-up.ts';
import { destinationPartition } from './destination.ts';

const joinRooms = (world: SenderStand, destination: string, rooms: readonly string[]) =>
  world.database.transaction((tx) => writeJoinedHosts(tx, new Map(rooms.map((room) => [room, { reset: false, counts: new Map([[destination, 1]]) }]))));
const marks = async (world: SenderStand, destination: string): Promise<string[]> =>
  (await world.database.query<{ room_id: string }>('SELECT room_id FROM destination_rooms WHERE destination = ? ORDER BY room_id', [destination])).map((row) => row.room_id);

test('of a destination that fails, and for which too much waits, the rooms are kept, and the last event of those that it has left', async (t) => {
  const world = await senderStand(t);
  world.answer = down;
  await joinRooms(world, 'b.example', ['!r1', '!r2']);
  await world.queue('b.example', numbered(1, CATCH_UP_DEFAULT.failingEventsMax - 1), { room: '!r1' });
  await world.sender().start();
  await world.runtime.advance(100);
  assert.equal((await world.rows('b.example')).length, CATCH_UP_DEFAULT.failingEventsMax - 1);
  await world.queue('b.example', ['$x', '$y', '$last1'], { room: '!r1' });
  await world.queue('b.example', ['$z', '$last2'], { room: '!r2', partition: 2 });
  await world.queue('b.example', ['$kicking', '$kicked'], { room: '!left', partition: 2 });
  await world.queue('c.example', ['$c']);
  await world.runtime.advance(minutes(1));
  assert.deepEqual([await world.rows('b.example'), await marks(world, 'b.example')], [['$kicked'], ['!r1', '!r2']]);
  assert.deepEqual(await world.rows('c.example'), ['$c'], 'others keep theirs');
  world.answer = ok;
  world.ends.set('!r1', ['$last1', '$theirs', '$hidden', '$third']).set('!r2', ['$theirs']);
  world.makers.set('$theirs', 'b.example').set('$third', 'c.example');
  world.hidden.add('$hidden');
  await world.runtime.advance(10_000);
  assert.deepEqual(world.sent.filter(({ destination, at }) => destination === 'b.example' && at > minutes(1) + 100).map(({ eventIds }) => eventIds), [['$last1', '$third'], ['$kicked']]);
  assert.deepEqual([await world.rows('b.example'), await marks(world, 'b.example')], [[], []]);
  assert.deepEqual((await world.database.query('SELECT failures FROM destinations WHERE server_name = ?', ['b.example'])).map(({ failures }) => failures), [0]);
});

test('a destination that is gone for an hour costs a mark a room, also when its owner changes, and is sent what the rooms end with when it is back', async (t) => {
  const world = await senderStand(t);
  world.answer = down;
  const rooms = Array.from({ length: 60 }, (_, n) => `!r${n}`);
  await joinRooms(world, 'b.example', rooms);
  for (const room of rooms) {
    await world.queue('b.example', [`$${room}.1`, `$${room}.2`], { room });
    world.ends.set(room, [`$${room}.9`]);
  }
  await world.queueUnits('b.example', ['1', '2']);
  const first = world.sender('one');
  await first.start();
  await world.runtime.advance(minutes(59));
  assert.equal((await world.rows('b.example')).length, 120);
  await world.runtime.advance(minutes(3));
  assert.deepEqual([await world.rows('b.example'), (await marks(world, 'b.example')).length, await world.units('b.example')], [[], 60, 2]);
  const stopped = first.stop();
  await world.runtime.advance(100);
  await stopped;
  await world.sender('two').start();
  let dies = true;
  const arrived: Sent[] = [];
  // It goes again after the first transaction.
  world.answer = async (request, made) => {
    if (dies && arrived.length > 0) return down(request, made);
    if (made.txnId !== '') arrived.push(made);
    return ok(request, made);
  };
  await world.runtime.advance(minutes(1.2));
  assert.equal((await marks(world, 'b.example')).length, 35);
  dies = false;
  await world.runtime.advance(minutes(2));
  assert.deepEqual(arrived.flatMap(({ eventIds }) => eventIds).sort(), rooms.map((room) => `$${room}.9`).sort());
  assert.deepEqual([await marks(world, 'b.example'), await world.units('b.example'), arrived.flatMap(bodies)], [[], 0, ['1', '2']]);
});

test('a crash after the ends of rooms were sent sends them again, and an event that is queued meanwhile arrives', async (t) => {
  const world = await senderStand(t);
  await joinRooms(world, 'b.example', ['!r1']);
  await world.queue('b.example', ['$1'], { room: '!r1' });
  await world.database.transaction((tx) => markQueuedRooms(tx, { name: 'b.example', partition: destinationPartition('b.example', SENDER_PARTITIONS) }, 0));
  world.ends.set('!r1', ['$1']);
  const transaction = world.database.transaction;
  world.answer = async () => {
    Object.assign(world.database, { transaction: () => Promise.reject(new Error('the process is dead')) });
    return { status: 200, body: { pdus: {} } };
  };
  await world.sender('dead').start();
  await world.runtime.advance(500);
  assert.deepEqual(world.sent.map(({ eventIds }) => eventIds), [['$1']]);
  Object.assign(world.database, { transaction });
  await world.queue('b.example', ['$2'], { room: '!r1' });
  world.answer = ok;
  world.ends.set('!r1', ['$2']);
  await world.sender('next').start();
  await world.runtime.advance(8000);
  assert.deepEqual([world.sent.slice(1).map(({ eventIds }) => eventIds), await marks(world, 'b.example'), await world.rows('b.example')], [[['$2'], ['$2']], [], []]);
});

test('what an operator forgives is tried at once, also by another instance and without its signal', async (t) => {
  const world = await senderStand(t, { ...RETRY, maxMs: minutes(600) });
  world.answer = down;
  const [one, two] = [world.sender('one'), world.sender('two')];
  await Promise.all([one.start(), two.start()]);
  const names = Array.from({ length: 8 }, (_, n) => `s${n}.example`);
  for (const name of names) await world.queue(name, ['$1']);
  await world.runtime.advance(minutes(5));
  assert.equal(await one.reset('unknown.example'), false);
  world.answer = ok;
  const before = world.sent.length;
  for (const name of names.slice(0, 6)) assert.equal(await one.reset(name), true);
  await world.runtime.advance(100);
  assert.deepEqual(world.sent.slice(before).map(({ destination }) => destination).sort(), names.slice(0, 6));
  world.answer = down;
  await world.queue('s0.example', ['$2']);
  await world.runtime.advance(minutes(60));
  world.answer = ok;
  await world.database.transaction((tx) => clearPause(tx, 's0.example'));
  await world.runtime.advance(minutes(1));
  assert.deepEqual([await world.rows('s0.example'), await world.rows('s7.example')], [[], ['$1']]);
});

test('destinations that are gone cost the same however many they are: nothing is asked for each of them all the time', async (t) => {
  const queriesFor = async (count: number): Promise<number> => {
    const world = await senderStand(t, { ...RETRY, maxMs: minutes(60) });
    const now = world.runtime.clock.now();
    const names = Array.from({ length: count }, (_, n) => `dead${n}.example`);
    await world.database.transaction(async (tx) => {
      for (const name of names) {
        const partition = destinationPartition(name, SENDER_PARTITIONS);
        await tx.run('INSERT INTO destination_rooms (room_id, destination, partition, resolving, marked_at) VALUES (?, ?, ?, ?, ?)', ['!r1', name, partition, '', 0]);
        await writeBackoffs(tx, [{ name, partition, backoff: { failures: 80, pauseMs: minutes(60), pausedAtMs: now, retryAtMs: now + minutes(60), failingSinceMs: 1 } }]);
      }
    });
    await world.sender().start();
    await world.runtime.advance(minutes(3));
    let queries = 0;
    const { query, queryIn, transaction } = world.database;
    Object.assign(world.database, {
      query: (...args: Parameters<typeof query>) => ((queries += 1), query.apply(world.database, args)), queryIn: (...args: Parameters<typeof queryIn>) => ((queries += 1), queryIn.apply(world.database, args)),
      transaction: (work: Parameters<typeof transaction>[0]) => ((queries += 1), transaction.call(world.database, work)),
    });
    await world.runtime.advance(minutes(5));
    assert.deepEqual(world.sent, []);
    return queries;
  };
  const [few, many] = [await queriesFor(200), await queriesFor(800)];
  assert.ok(few > 100 && many < 1.2 * few, `${few} queries for 200, ${many} for 800`);
});
