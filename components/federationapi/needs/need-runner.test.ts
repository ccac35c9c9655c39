/** Who carries needs out, when, how many at once, and what becomes of them when something fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { needWorld, refusal, type NeedWorld, type NewNeed } from '../../../test/kit/need-world.ts';
import { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR, TEST_KEY } from '../../../test/kit/room-state.ts';

const dag = new RoomDag('11');
const invite = dag.add({ type: 'm.room.member', sender: CREATOR, state_key: '@u:two.test', content: { membership: 'invite' } });

function inviteTo(destination: string, more: Partial<NewNeed> = {}): NewNeed {
  const signInvite = { destination, eventId: invite.eventId, pdu: Buffer.from(JSON.stringify(invite.pdu)), strippedState: Buffer.from('[]') };
  return { needId: `${destination}#1`, roomId: dag.roomId, roomVersion: '11', signInvite, ...more };
}

const signs = (name: string) => ({ body }: FederationRequest) => ({ event: addSignature((body as { event: Pdu }).event, dag.version, name, TEST_KEY) });
const answersOf = (world: NeedWorld) => world.inputs.flatMap(({ answer }) => answer ?? []);

test('an invite comes back with the signature of the invited server, and with nothing else of what it made of it', async () => {
  const world = await needWorld();
  world.peers.set('two.test', (request) => {
    const { event } = signs('two.test')(request);
    return { event: { ...event, content: { membership: 'ban' } } };
  });
  const answer = await world.answerTo(inviteTo('two.test'));
  const signed = JSON.parse(Buffer.from(answer!.pdu).toString()) as Pdu;
  assert.deepEqual([answer?.status, answer?.eventId, answer?.origin], [200, invite.eventId, 'two.test']);
  assert.deepEqual(Object.keys(signed.signatures).sort(), ['one.test', 'two.test']);
  assert.deepEqual({ ...signed, signatures: {} }, { ...invite.pdu, signatures: {} });
  await world.close();
});

test('refusals are told as they were made; unsigned invites and servers that are away are bad gateways', async () => {
  const cases: [status: number, errcode: string, peer: Parameters<NeedWorld['peers']['set']>[1]][] = [
    [403, 'M_FORBIDDEN', () => Promise.reject(refusal(403, 'M_FORBIDDEN'))],
    [400, 'M_UNSUPPORTED_ROOM_VERSION', () => Promise.reject(refusal(400, 'M_INCOMPATIBLE_ROOM_VERSION'))],
    [502, 'M_UNKNOWN', () => Promise.reject(refusal(401, 'M_UNAUTHORIZED'))],
    [502, 'M_UNKNOWN', () => Promise.reject(refusal(500, 'M_UNKNOWN'))],
    [502, 'M_UNKNOWN', ({ body }) => ({ event: (body as { event: Pdu }).event })],
    [502, 'M_UNKNOWN', signs('three.test')],
    [502, 'M_UNKNOWN', () => ({ event: [] })],
    [502, 'M_UNKNOWN', () => ({ event: { signatures: { 'two.test': { [TEST_KEY.keyId]: 'bm8' } } } })],
  ];
  for (const [status, errcode, peer] of cases) {
    const world = await needWorld();
    world.peers.set('two.test', peer);
    const answer = await world.answerTo(inviteTo('two.test'));
    assert.deepEqual([answer?.status, answer?.errcode, answer?.pdu.length], [status, errcode, 0]);
    await world.close();
  }
});

test('a server that never answers costs a need its time and no more, and no need of other servers any', async () => {
  const world = await needWorld();
  world.peers.set('slow.test', () => new Promise(() => undefined)).set('two.test', signs('two.test'));
  for (let i = 0; i < 100; i += 1) await world.take(inviteTo('slow.test', { needId: `slow${i}`, lifetimeMs: 20_000 }));
  assert.equal((await world.answerTo(inviteTo('two.test'), 100))?.status, 200);
  assert.equal(world.asked.filter((line) => line.includes('slow.test')).length, 4);
  await world.until(() => answersOf(world).length >= 5, 30_000);
  assert.deepEqual(answersOf(world).slice(1).map(({ status }) => status), [504, 504, 504, 504]);
  await world.until(() => false, 62_000);
  assert.equal((await world.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM needs'))[0]!.n, 0);
  assert.equal((await world.answerTo(inviteTo('two.test', { needId: 'later' }), 100))?.status, 200);
  await world.close();
});

test('many servers that never answer hold up no need of others, also when all of these need big answers', async () => {
  const world = await needWorld();
  const silent = Array.from({ length: 30 }, (_, index) => `slow${index}.test`);
  for (const name of silent) world.peers.set(name, () => new Promise(() => undefined));
  for (const name of silent) for (let i = 0; i < 4; i += 1) await world.take({ needId: `${name}${i}`, roomId: dag.roomId, roomVersion: '11', lifetimeMs: 60_000, eventAuth: { origin: name, eventId: invite.eventId } });
  world.peers.set('two.test', () => ({ auth_chain: [] }));
  await world.until(() => world.asked.length >= 12, 1000);
  assert.equal((await world.answerTo({ needId: 'mine', roomId: dag.roomId, roomVersion: '11', lifetimeMs: 60_000, eventAuth: { origin: 'two.test', eventId: invite.eventId } }, 12_000))?.status, 200);
  await world.close();
});

test('needs of partitions that are not owned wait; what is under way when one is lost is left to the next owner', async () => {
  const world = await needWorld();
  let answer: (body: Record<string, unknown>) => void = () => undefined;
  let request: FederationRequest | undefined;
  world.peers.set('two.test', (asked) => new Promise((resolve) => {
    request = asked;
    answer = resolve;
  }));
  world.owned = [3];
  await world.take(inviteTo('two.test'));
  assert.equal(await world.until(() => world.asked.length > 0, 3000), false);
  world.owned = [0];
  assert.ok(await world.until(() => request !== undefined, 3000));
  world.owned = [];
  await world.runtime.advance(2000);
  answer(signs('two.test')(request!));
  await world.runtime.settle();
  assert.deepEqual(world.inputs, []);
  world.owned = [0];
  world.peers.set('two.test', signs('two.test'));
  assert.ok(await world.until(() => answersOf(world).length === 1, 10_000));
  assert.equal(answersOf(world)[0]!.status, 200);
  await world.close();
});

test('a process that stops leaves its needs; one that starts carries them out, each once taken', async () => {
  const world = await needWorld();
  world.peers.set('two.test', () => new Promise(() => undefined));
  await world.take(inviteTo('two.test'));
  assert.ok(await world.until(() => world.asked.length === 1));
  await world.runner.stop();
  assert.deepEqual(world.inputs, []);
  world.peers.set('two.test', signs('two.test'));
  await world.take(inviteTo('two.test'));
  world.runner = world.newRunner();
  await world.runner.start();
  assert.ok(await world.until(() => answersOf(world).length === 1));
  await world.until(() => false, 5000);
  assert.deepEqual([answersOf(world).length, world.asked.length], [1, 2]);
  await world.close();
});

test('while the log takes nothing the answer waits', async () => {
  const world = await needWorld();
  world.peers.set('two.test', signs('two.test'));
  world.logIsAway = true;
  assert.equal(await world.answerTo(inviteTo('two.test'), 10_000), undefined);
  world.logIsAway = false;
  assert.ok(await world.until(() => answersOf(world).length === 1, 5000));
  assert.equal(world.asked.length, 1);
  await world.close();
});

const aboutEvent = (needId: string, lifetimeMs: number): NewNeed => ({ needId, roomId: dag.roomId, roomVersion: '11', lifetimeMs, eventAuth: { origin: 'away.test', eventId: invite.eventId } });

test('an event waits for a server that failed just now; one that fails for longer is not asked for each event', async () => {
  const world = await needWorld();
  for (let i = 0; i < 20; i += 1) await world.take(aboutEvent(`${i}`, 60_000));
  await world.until(() => answersOf(world).length === 20, 30_000);
  assert.deepEqual(answersOf(world).map(({ status }) => status), new Array(20).fill(502));
  assert.ok(world.asked.length < 10, `asked ${world.asked.length} times`);
  assert.equal((await world.answerTo(inviteTo('away.test'), 100))?.status, 502);
  world.peers.set('away.test', () => ({ auth_chain: [] }));
  await world.until(() => false, 10_000);
  assert.equal((await world.answerTo(aboutEvent('back', 20_000), 2000))?.status, 200);

  world.peers.delete('away.test');
  void world.answerTo(aboutEvent('in time', 20_000));
  await world.until(() => false, 1000);
  world.peers.set('away.test', () => ({ auth_chain: [] }));
  assert.ok(await world.until(() => answersOf(world).some(({ needId, status }) => needId === 'in time' && status === 200), 15_000));
  await world.close();
});

test('what failed is tried again when its row says so, not only at the next look', async () => {
  const world = await needWorld();
  await world.runtime.advance(100);
  await world.take(aboutEvent('soon', 60_000));
  await world.until(() => world.asked.length === 1);
  world.peers.set('away.test', () => ({ auth_chain: [] }));
  // The server is left alone for about a second, so that the second attempt is in vain.
  assert.ok(await world.until(() => answersOf(world).length === 1, 1500));
  assert.deepEqual([answersOf(world)[0]!.status, world.asked.length], [200, 2]);
  await world.close();
});

test('a database that takes nothing down is asked once a second, and the need is carried out when it does again', async () => {
  const world = await needWorld();
  world.peers.set('two.test', signs('two.test'));
  await world.database.transaction((tx) => tx.run("CREATE TRIGGER full BEFORE UPDATE ON needs BEGIN SELECT RAISE(FAIL, 'disk full'); END"));
  assert.equal(await world.answerTo(inviteTo('two.test'), 5000), undefined);
  const failures = world.runtime.lines.filter(({ message }) => message.startsWith('a need was not carried out')).length;
  assert.ok(failures >= 4 && failures <= 8, `${failures} failures in five seconds`);
  await world.database.transaction((tx) => tx.run('DROP TRIGGER full'));
  assert.ok(await world.until(() => answersOf(world).length === 1, 2000));
  await world.close();
});

test('an event whose need nobody got to in time is fetched later, too; a user has gone', async () => {
  const world = await needWorld();
  world.owned = [];
  await world.take(aboutEvent('late', 20_000));
  await world.take(inviteTo('two.test', { lifetimeMs: 20_000 }));
  await world.runtime.advance(40_000);
  world.owned = [0];
  await world.runtime.advance(20_000);
  const kept = await world.database.query<{ origin: string; event_id: string; room_id: string }>('SELECT origin, event_id, room_id FROM staged_pdus');
  assert.deepEqual(kept.map((row) => [row.origin, row.event_id, row.room_id]), [['away.test', invite.eventId, dag.roomId]]);
  assert.deepEqual([await world.database.query('SELECT 1 FROM needs'), world.asked], [[], []]);
  await world.close();
});

test('an event that is given up for want of an answer is fetched later; one that was refused is not', async () => {
  const world = await needWorld();
  const about = (eventId: string, kind: 'stateAt' | 'eventAuth', origin = 'one.test') => ({ needId: `${kind} ${eventId}`, roomId: '!r:one.test', roomVersion: '11', [kind]: { origin, eventId } });
  world.peers.set('two.test', () => { throw refusal(403, 'M_FORBIDDEN'); });
  assert.equal((await world.answerTo(about('$a', 'stateAt')))?.status, 502);
  assert.equal((await world.answerTo(about('$b', 'eventAuth')))?.status, 502);
  assert.equal((await world.answerTo(about('$c', 'stateAt', 'two.test')))?.status, 403);
  const kept = await world.database.query<{ origin: string; event_id: string; room_id: string }>('SELECT origin, event_id, room_id FROM staged_pdus ORDER BY event_id');
  assert.deepEqual(kept.map((row) => [row.origin, row.event_id, row.room_id]), [['one.test', '$a', '!r:one.test'], ['one.test', '$b', '!r:one.test']]);
  await world.close();
});
