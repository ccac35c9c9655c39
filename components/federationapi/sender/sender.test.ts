/** Queues for other servers, sent over a transport that is a value, on real tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError } from '../../../pkg/federation/transport.ts';
import { bodies, down, hanging, numbered, ok, senderStand, unit, type Sent } from '../../../test/kit/sender-stand.ts';

test('what is queued is sent at once, in order, up to 50 at a time, and then gone', async (t) => {
  const world = await senderStand(t);
  const sender = world.sender();
  await sender.start();
  await world.runtime.settle();
  await world.queue('b.example', numbered(1, 120));
  world.gone.add('$3');
  sender.queued(new Set(['b.example']));
  await world.runtime.advance(100);
  assert.deepEqual(world.sent.map(({ eventIds }) => eventIds), [numbered(1, 50).filter((id) => id !== '$3'), numbered(51, 100), numbered(101, 120)]);
  assert.deepEqual(await world.rows('b.example'), []);
  await world.queue('b.example', ['$121']);
  sender.queued(new Set(['b.example']));
  await world.runtime.advance(100);
  assert.equal(world.sent.length, 4);
  assert.equal(new Set(world.sent.map(({ txnId }) => txnId)).size, 4);
});

test('one transaction at a time; what comes meanwhile goes with the next', async (t) => {
  const world = await senderStand(t);
  const sender = world.sender();
  await sender.start();
  world.answer = async (request) => {
    await world.runtime.clock.sleep(500);
    return ok(request, world.sent[0]!);
  };
  for (const id of numbered(1, 5)) {
    await world.queue('b.example', [id]);
    sender.queued(new Set(['b.example']));
    await world.runtime.advance(10);
  }
  await world.runtime.advance(600);
  assert.deepEqual(world.sent.map(({ eventIds }) => eventIds), [['$1'], numbered(2, 5)]);
});

test('ephemeral units go at once, with events that wait, and the last of a key alone', async (t) => {
  const world = await senderStand(t);
  const sender = world.sender();
  await sender.start();
  await world.runtime.settle();
  sender.ephemeral([unit('b.example', 'x', 1), unit('b.example', 'y', 2), unit('b.example', 'x', 3)], true);
  await world.runtime.advance(100);
  assert.deepEqual(world.sent.map((sent) => [sent.eventIds, bodies(sent)]), [[[], [2, 3]]]);
  await world.queue('b.example', ['$1']);
  sender.ephemeral([unit('b.example', 'x', 4)], true);
  await world.runtime.advance(100);
  assert.deepEqual(bodies(world.sent[1]!), [4]);
  assert.deepEqual(world.sent[1]!.eventIds, ['$1']);
  const presence = (userId: string) => ({ destination: 'b.example', key: userId, edu: { edu_type: 'm.presence', content: { push: [{ user_id: userId }] } } });
  sender.ephemeral([presence('@a'), presence('@b')], true);
  await world.runtime.advance(100);
  assert.deepEqual(world.sent[2]!.edus, [{ edu_type: 'm.presence', content: { push: [{ user_id: '@a' }, { user_id: '@b' }] } }]);
  assert.equal(new Set(world.sent.map(({ txnId }) => txnId)).size, 3);
  sender.ephemeral(Array.from({ length: 150 }, (_, n) => unit('b.example', String(n))), true);
  sender.ephemeral([unit('denied.example', 'x')], true);
  await world.runtime.advance(100);
  assert.deepEqual([world.sent.length, world.sent[3]!.edus.length, bodies(world.sent[3]!)[99]], [4, 100, '149']);
});

test('ephemeral units wait for no destination that fails, and are not sent again', async (t) => {
  const world = await senderStand(t);
  const sender = world.sender();
  await sender.start();
  world.answer = down;
  sender.ephemeral([unit('b.example', 'x')], true);
  await world.runtime.advance(500);
  sender.ephemeral([unit('b.example', 'y')], true);
  await world.queue('b.example', ['$1']);
  await world.runtime.advance(500);
  world.answer = ok;
  await world.runtime.advance(5000);
  assert.deepEqual([world.sent.flatMap(bodies), world.sent.at(-1)!.eventIds], [['x'], ['$1']]);
  world.answer = down;
  sender.ephemeral([unit('c.example', 'x')], true);
  await world.runtime.advance(10_000);
  world.answer = ok;
  sender.ephemeral([unit('c.example', 'y')], true);
  await world.runtime.advance(500);
  assert.deepEqual(bodies(world.sent.at(-1)!), ['y'], 'the pause was over');
  assert.deepEqual((await world.database.query('SELECT failures FROM destinations WHERE server_name = ?', ['c.example'])).map(({ failures }) => failures), [0]);
});

test('a destination that takes offence at units is sent the events alone', async (t) => {
  const world = await senderStand(t);
  const sender = world.sender();
  await sender.start();
  world.answer = (request, sent) => (sent.edus.length > 0 ? Promise.reject(new FederationError('http', 'no', { status: 400 })) : ok(request, sent));
  await world.queue('b.example', ['$1', '$2']);
  sender.ephemeral([unit('b.example', 'x')], true);
  await world.runtime.advance(500);
  assert.deepEqual(world.sent.map((sent) => [sent.eventIds, bodies(sent)]), [[['$1', '$2'], ['x']], [['$1', '$2'], []]]);
  assert.deepEqual(await world.rows('b.example'), []);
  sender.ephemeral([unit('b.example', 'x')], true);
  await world.runtime.advance(500);
  await world.queue('b.example', ['$3']);
  sender.queued(new Set(['b.example']));
  await world.runtime.advance(500);
  assert.deepEqual(world.sent.at(-1)!.eventIds, ['$3'], 'it has no pause for that');
});

test('units of another instance\'s destinations are handed to it, unless it hears of them by itself', async (t) => {
  const world = await senderStand(t);
  const [one, two] = [world.sender('one'), world.sender('two')];
  await one.start();
  await two.start();
  await world.runtime.advance(30_000);
  const names = Array.from({ length: 8 }, (_, n) => `s${n}.example`);
  one.ephemeral(names.map((name) => unit(name, 'x')), false);
  await world.runtime.advance(500);
  assert.deepEqual(world.sent.map(({ destination }) => destination).sort(), names);
  assert.equal(new Set(world.sent.map(({ by }) => by)).size, 2);
  one.ephemeral(names.map((name) => unit(name, 'x')), true);
  await world.runtime.advance(500);
  assert.deepEqual(new Set(world.sent.slice(8).map(({ by }) => by)), new Set(['one']));
});

test('without any signal what waits is found', async (t) => {
  const world = await senderStand(t);
  await world.sender().start();
  await world.runtime.advance(5000);
  await world.queue('b.example', ['$1']);
  await world.queue('c.example', ['$1']);
  await world.runtime.advance(2500);
  assert.deepEqual(world.sent.map(({ destination }) => destination).sort(), ['b.example', 'c.example']);
});

test('a destination that fails is left alone for a while that grows, also after a restart; then it gets everything', async (t) => {
  const world = await senderStand(t);
  world.answer = down;
  const first = world.sender('one');
  await world.queue('b.example', ['$1']);
  await first.start();
  await world.runtime.advance(3500);
  assert.deepEqual([world.sent.map(({ at }) => at), world.sought.map(({ at }) => at)], [[0, 1000], [3000]], 'whether it is there is seen before anything is made for it again');
  const stopped = first.stop();
  await world.runtime.advance(100);
  await stopped;
  await world.sender('two').start();
  await world.runtime.advance(3300);
  assert.equal(world.sent.length + world.sought.length, 3, 'the pause of 4 s is remembered');
  world.answer = ok;
  await world.queue('b.example', ['$2']);
  await world.runtime.advance(200);
  assert.deepEqual(world.sent.slice(2).map(({ at, by, eventIds }) => [at, by, eventIds]), [[7000, 'two', ['$1', '$2']]]);
  assert.deepEqual(await world.database.query('SELECT server_name, failures, last_success_at FROM destinations', []), [{ server_name: 'b.example', failures: 0, last_success_at: 1_700_000_007_000 }]);
  world.answer = down;
  await world.queue('b.example', ['$3']);
  await world.runtime.advance(4000);
  assert.equal(world.sent.filter(({ eventIds }) => eventIds[0] === '$3').length, 2, 'a new row of failures begins with the short pause');
});

test('a destination that asks us something is tried at once, whichever instance it asks', async (t) => {
  const world = await senderStand(t);
  world.answer = down;
  const [one, two] = [world.sender('one'), world.sender('two')];
  await Promise.all([one.start(), two.start()]);
  await world.runtime.advance(5000);
  const names = Array.from({ length: 8 }, (_, i) => `s${i}.example`);
  for (const name of names) await world.queue(name, ['$1']);
  await world.runtime.advance(40_000);
  const before = world.sent.length;
  world.answer = ok;
  await world.runtime.advance(3000);
  assert.ok(world.sent.length - before < names.length, 'most are in a long pause');
  for (const name of names) one.contacted(name);
  await world.runtime.advance(10);
  for (const name of names) assert.deepEqual(await world.rows(name), [], name);
  assert.equal(new Set(world.sent.map(({ by }) => by)).size, 2, 'two instances share the destinations');
});

test('a crash between the answer and its writing down sends the same transaction again, under the same ID', async (t) => {
  const world = await senderStand(t);
  await world.queue('b.example', ['$1', '$2']);
  const transaction = world.database.transaction;
  world.answer = async () => {
    Object.assign(world.database, { transaction: () => Promise.reject(new Error('the process is dead')) });
    return { status: 200, body: { pdus: {} } };
  };
  const dead = world.sender('dead');
  await dead.start();
  await world.runtime.settle();
  await world.runtime.advance(500);
  assert.equal(world.sent.length, 1);
  Object.assign(world.database, { transaction });
  world.answer = ok;
  await world.sender('next').start();
  await world.runtime.advance(8000);
  assert.equal(world.sent.length, 2);
  assert.equal(world.sent[0]!.txnId, world.sent[1]!.txnId);
  assert.deepEqual(await world.rows('b.example'), []);
});

test('an owner that is replaced ends what hangs, and its successor sends it', async (t) => {
  const world = await senderStand(t);
  const names = Array.from({ length: 8 }, (_, i) => `s${i}.example`);
  for (const name of names) await world.queue(name, ['$1']);
  world.answer = (request, made) => (made.by === 'one' ? hanging(world.runtime) : ok)(request, made);
  const one = world.sender('one');
  await one.start();
  await world.runtime.advance(1000);
  assert.equal(world.sent.length, names.length);
  const stopped = one.stop();
  await world.runtime.advance(3000);
  await stopped;
  await world.sender('two').start();
  await world.runtime.advance(100);
  for (const name of names) assert.deepEqual(await world.rows(name), [], name);
  assert.equal(world.sent.length, 2 * names.length);
  assert.deepEqual(await world.database.query('SELECT server_name FROM destinations', []), [], 'nobody is blamed for it');
});

test('however many servers never answer, those that do are hardly kept waiting', async (t) => {
  const world = await senderStand(t);
  const hang = hanging(world.runtime);
  world.answer = (request, made) => (made.destination.startsWith('dead') ? hang : ok)(request, made);
  const sender = world.sender();
  await sender.start();
  const dead = Array.from({ length: 300 }, (_, i) => `dead${i}.example`);
  for (const name of dead) await world.queue(name, ['$1']);
  sender.queued(new Set(dead));
  await world.runtime.advance(10_000);
  assert.equal(world.sent.length, dead.length);
  for (let i = 1; i <= 20; i += 1) {
    await world.queue('b.example', [`$${i}`]);
    sender.queued(new Set(['b.example']));
    await world.runtime.advance(1);
    assert.deepEqual(await world.rows('b.example'), []);
    await world.runtime.advance(3000);
  }
});

test('servers that have died all at once are tried a few times a second; one that dies later, one that has called, and those that are back wait for none of them', async (t) => {
  const world = await senderStand(t);
  world.answer = down;
  const sender = world.sender();
  await sender.start();
  const dead = Array.from({ length: 500 }, (_, i) => `dead${i}.example`);
  for (const name of dead) await world.queue(name, ['$1']);
  sender.queued(new Set(dead));
  await world.runtime.advance(2000);
  const tried = (): number => world.sent.length + world.sought.length;
  assert.ok(tried() >= dead.length, 'each once, at once');
  const before = tried();
  await world.runtime.advance(20_000);
  assert.ok(tried() - before > 75 && tried() - before < 135, `${tried() - before} tries in 20 s`);
  await world.queue('new.example', ['$1']);
  sender.queued(new Set(['new.example']));
  await world.runtime.advance(2000);
  assert.equal(world.sent.filter(({ destination }) => destination === 'new.example').length, 2);
  const called = dead.find((name) => !world.sought.some(({ destination }) => destination === name))!;
  const isTried = (): number => [...world.sent, ...world.sought].filter(({ destination }) => destination === called).length;
  const [once] = [isTried(), sender.contacted(called)];
  await world.runtime.advance(1);
  assert.equal(isTried(), once + 1);
  world.answer = ok;
  await world.runtime.advance(1000);
  const left = await world.database.query('SELECT destination FROM destination_queue q LEFT JOIN destinations d ON d.server_name = q.destination WHERE d.retry_at <= ?', [world.runtime.clock.now() - 1000]);
  assert.deepEqual(left, [], 'who answers costs nothing, so all that are due were reached');
});

test('events that the receiver does not take are told and not sent again', async (t) => {
  const world = await senderStand(t);
  world.answer = async () => ({ status: 200, body: { pdus: { $1: { error: 'bad signature' }, $2: {} } } });
  await world.queue('b.example', ['$1', '$2']);
  await world.sender().start();
  await world.runtime.advance(5000);
  assert.equal(world.sent.length, 1);
  const line = world.runtime.lines.find(({ message }) => message === 'the server did not take some events');
  assert.deepEqual([line?.fields['events'], line?.fields['first']], [1, [['$1', 'bad signature']]]);
});

test('an event that is too large for the receiver is found and given up; the others arrive', async (t) => {
  const world = await senderStand(t);
  const arrived: string[] = [];
  world.answer = async (request, made) => {
    if (made.eventIds.includes('$7')) throw new FederationError('http', 'too large', { status: 413, errcode: 'M_TOO_LARGE' });
    arrived.push(...made.eventIds);
    return ok(request, made);
  };
  await world.queue('b.example', numbered(1, 10));
  await world.sender().start();
  await world.runtime.advance(120_000);
  assert.deepEqual(arrived, numbered(1, 10).filter((id) => id !== '$7'));
  assert.deepEqual(await world.rows('b.example'), []);
});

test('what is queued for a server that was denied since is dropped', async (t) => {
  const world = await senderStand(t);
  await world.queue('denied.example', ['$1']);
  await world.sender().start();
  await world.runtime.advance(100);
  assert.deepEqual([world.sent, await world.rows('denied.example')], [[], []]);
});

test('no partition of room-output waits for another that always has more', async (t) => {
  const world = await senderStand(t);
  await world.queue('b.example', numbered(1, 200), { room: '!busy', partition: 0 });
  await world.queue('b.example', ['$quiet'], { room: '!quiet', partition: 3 });
  await world.sender().start();
  await world.runtime.advance(100);
  assert.deepEqual(world.sent.map(({ eventIds }) => eventIds.includes('$quiet')), [false, true, false, false, false]);
  assert.deepEqual(world.sent.flatMap(({ eventIds }) => eventIds).filter((id) => id !== '$quiet'), numbered(1, 200));
});

test('peers that fail are no reason to be unhealthy; tables that cannot be read are', async (t) => {
  const world = await senderStand(t);
  world.answer = down;
  await world.queue('b.example', ['$1']);
  const sender = world.sender();
  await sender.start();
  await world.runtime.advance(3000);
  assert.equal(sender.health(), undefined);
  const { query } = world.database;
  Object.assign(world.database, { query: () => Promise.reject(new Error('disk')) });
  await world.runtime.advance(3000);
  assert.match(sender.health() ?? '', /^what is queued for other servers cannot be read: disk/);
  Object.assign(world.database, { query });
  await world.runtime.advance(3000);
  assert.equal(sender.health(), undefined);
});

test('stored units are found by themselves, go in order beside events, and stay until they have arrived', async (t) => {
  const world = await senderStand(t);
  await world.queueUnits('b.example', Array.from({ length: 120 }, (_, n) => String(n)));
  await world.queue('b.example', ['$1']);
  world.answer = down;
  await world.sender().start();
  await world.runtime.advance(100);
  assert.deepEqual([world.sent.length, await world.units('b.example')], [1, 120]);
  world.answer = ok;
  await world.runtime.advance(2000);
  assert.deepEqual(world.sent.slice(1).flatMap(bodies), Array.from({ length: 120 }, (_, n) => String(n)));
  assert.equal(world.sent[1]!.txnId, world.sent[0]!.txnId);
  assert.equal(new Set(world.sent.slice(1).map(({ txnId }) => txnId)).size, world.sent.length - 1);
  assert.deepEqual([await world.units('b.example'), await world.rows('b.example')], [0, []]);
});

test('soft units that a server takes offence at do not take stored ones along; a stored one that it takes in no form is given up alone', async (t) => {
  const world = await senderStand(t);
  const sender = world.sender();
  await sender.start();
  const isBad = (sent: Sent) => sent.edus.some(({ content }) => (content as { body: string }).body === 'bad');
  world.answer = (request, sent) => (isBad(sent) ? Promise.reject(new FederationError('http', 'no', { status: 400 })) : ok(request, sent));
  await world.queueUnits('b.example', ['1', '2']);
  await world.queue('b.example', ['$1']);
  sender.ephemeral([unit('b.example', 'x', 'bad')], true);
  await world.runtime.advance(100);
  assert.deepEqual(world.sent.map((sent) => [sent.eventIds.length, bodies(sent)]), [[1, ['1', '2', 'bad']], [1, ['1', '2']]]);
  await world.queueUnits('c.example', ['1', '2', 'bad', '3']);
  await world.queue('c.example', ['$1', '$2', '$3']);
  await world.runtime.advance(60_000);
  assert.deepEqual([await world.units('c.example'), await world.rows('c.example')], [0, []]);
  const arrived = world.sent.filter((sent) => sent.destination === 'c.example' && !isBad(sent));
  assert.deepEqual([arrived.flatMap(bodies), arrived.flatMap(({ eventIds }) => eventIds)], [['1', '2', '3'], ['$1', '$2', '$3']]);
});
