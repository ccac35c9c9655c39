/** Missing events, auth chains and states from other servers that give them, give part of them, or lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import { authEventIds, prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { needWorld, refusal, type NeedWorld, type NewNeed, type Peer } from '../../../test/kit/need-world.ts';
import { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';

function chat(messages: number): RoomDag {
  const dag = new RoomDag('11');
  dag.send({ type: 'm.room.member', sender: CREATOR, state_key: CREATOR, content: { membership: 'join' } });
  for (let i = 0; i < messages; i += 1) dag.send({ type: 'm.room.message', sender: CREATOR, content: { body: String(i) } });
  return dag;
}

function missingOf(dag: RoomDag, eventId: string, earliest: string[]): NewNeed {
  return { needId: `n${eventId}`, roomId: dag.roomId, roomVersion: '11', missingEvents: { origin: 'one.test', eventId, earliest, minDepth: 1 } };
}

/** Answers get_missing_events as servers do: breadth first, at most 20. */
function historian(dag: RoomDag, change: (events: Pdu[]) => unknown = (events) => events): Peer {
  return ({ body }) => {
    const { earliest_events: earliest, latest_events: latest } = body as { earliest_events: string[]; latest_events: string[] };
    const stop = new Set([...earliest, ...latest]);
    const queue = latest.flatMap((eventId) => prevEventIds(dag.pdu(eventId)!));
    const given: Pdu[] = [];
    for (let eventId = queue.shift(); eventId !== undefined && given.length < 20; eventId = queue.shift()) {
      if (stop.has(eventId)) continue;
      stop.add(eventId);
      given.push(dag.pdu(eventId)!);
      queue.push(...prevEventIds(dag.pdu(eventId)!));
    }
    return { events: change(given.reverse()) };
  };
}

const receivedBy = (world: NeedWorld): string[] => world.inputs.flatMap(({ receivePdu }) => receivePdu?.eventId ?? []);

test('a gap of fifty events is closed by several questions, and comes oldest first, then the answer', async () => {
  const world = await needWorld();
  const dag = chat(52);
  const [, , first, ...rest] = dag.accepted;
  const last = rest.at(-1)!;
  world.known.add(first!);
  world.peers.set('one.test', historian(dag, (events) => events.reverse()));
  const answer = await world.answerTo(missingOf(dag, last, [first!]));
  assert.deepEqual([answer?.status, answer?.origin], [200, 'one.test']);
  assert.deepEqual(receivedBy(world), rest.slice(0, -1));
  assert.equal(world.asked.length, 3);
  assert.ok(world.inputs.every(({ receivePdu, replyTo }) => replyTo === '' && (!receivePdu || (receivePdu.needId === `n${last}` && receivePdu.origin === 'one.test'))));
  await world.close();
});

test('a server that gives events without end, wrong ones, or always the same is asked a bounded number of times', async () => {
  const dag = chat(900);
  const last = dag.newest;
  const forged = (pdu: Pdu): Pdu => ({ ...pdu, sender: '@other:one.test' });
  const cases: [name: string, change: (events: Pdu[]) => unknown, questionsMax: number, received: (count: number) => boolean][] = [
    ['without end', (events) => events, 40, (count) => count === 600],
    ['wrong ones', (events) => events.map(forged), 1, (count) => count === 0],
    ['always the same', () => [dag.pdu(dag.accepted[5]!)], 2, (count) => count === 1],
    ['the event itself', () => [dag.pdu(last)], 1, (count) => count === 0],
    ['nothing', () => [], 1, (count) => count === 0],
  ];
  for (const [name, change, questionsMax, received] of cases) {
    const world = await needWorld();
    world.peers.set('one.test', historian(dag, change));
    assert.equal((await world.answerTo(missingOf(dag, last, [])))?.status, 200, name);
    assert.ok(world.asked.length <= questionsMax, `${name}: ${world.asked.length} questions`);
    assert.ok(received(receivedBy(world).length), `${name}: ${receivedBy(world).length} events`);
    await world.close();
  }
});

test('what came before a server went away is of use; nothing at all is a failure', async () => {
  const world = await needWorld();
  const dag = chat(50);
  const peer = historian(dag);
  const isFirst = ({ body }: FederationRequest): boolean => (body!['latest_events'] as string[]).includes(dag.newest);
  world.peers.set('one.test', (request) => (isFirst(request) ? peer(request) : Promise.reject(refusal(500, 'M_UNKNOWN'))));
  const answer = await world.answerTo(missingOf(dag, dag.newest, []));
  assert.deepEqual([answer?.status, receivedBy(world).length], [200, 20]);
  assert.deepEqual((await world.answerTo(missingOf(dag, dag.accepted[9]!, [])))?.status, 502);
  await world.close();
});

test('a server that goes silent half way is asked again from the beginning', async () => {
  const world = await needWorld();
  const dag = chat(50);
  const peer = historian(dag);
  world.peers.set('one.test', (request) => (world.asked.length === 2 ? Promise.reject(refusal(503, 'M_UNKNOWN')) : peer(request)));
  assert.equal((await world.answerTo(missingOf(dag, dag.newest, [dag.accepted[1]!])))?.status, 200);
  assert.deepEqual(receivedBy(world), dag.accepted.slice(2, -1));
  await world.close();
});

test('what a silent server was asked for in vain is fetched once more later', async () => {
  const world = await needWorld();
  const dag = chat(5);
  const lacking = dag.accepted.slice(-3, -1);
  world.peers.set('one.test', () => Promise.reject(refusal(503, 'M_UNKNOWN')));
  assert.equal((await world.answerTo({ needId: 'm', roomId: dag.roomId, roomVersion: '11', missingEvents: { origin: 'one.test', eventId: dag.newest, earliest: [], minDepth: 1, lacking } }))?.status, 502);
  const kept = await world.database.query<{ event_id: string; origin: string }>('SELECT event_id, origin FROM staged_pdus');
  assert.deepEqual(new Set(kept.map(({ event_id: eventId, origin }) => `${origin} ${eventId}`)), new Set(lacking.map((eventId) => `one.test ${eventId}`)));
  await world.close();
});

test('what lies before all that is known of a room is not asked for', async () => {
  const world = await needWorld();
  const dag = chat(50);
  const [join, late] = [dag.accepted[30]!, dag.accepted[35]!];
  Object.assign(world.oldest, { eventId: join, depth: dag.pdu(join)!.depth });
  let minDepth: unknown;
  world.peers.set('one.test', ({ body }) => {
    minDepth = body!['min_depth'];
    return { events: dag.accepted.slice(31, 35).map((eventId) => dag.pdu(eventId)) };
  });
  assert.equal((await world.answerTo(missingOf(dag, late, [join])))?.status, 200);
  assert.deepEqual([minDepth, receivedBy(world)], [31, dag.accepted.slice(31, 35)]);
  await world.close();
});

test('what is known as part of a state only still lies in the gap', async () => {
  const world = await needWorld();
  const dag = chat(52);
  const [, , first, ...rest] = dag.accepted;
  for (const eventId of [first!, ...rest.slice(0, 29)]) world.known.add(eventId);
  for (const eventId of rest.slice(0, 29)) world.outliers.add(eventId);
  world.peers.set('one.test', historian(dag));
  assert.equal((await world.answerTo(missingOf(dag, rest.at(-1)!, [first!])))?.status, 200);
  assert.deepEqual(receivedBy(world), rest.slice(0, -1));
  await world.close();
});

test('an auth chain is staged without what is known, and imported as events of no current state', async () => {
  const world = await needWorld();
  const dag = chat(1);
  const [create, member, message] = dag.accepted as [string, string, string];
  world.known.add(create);
  world.peers.set('one.test', () => ({ auth_chain: [member, create, member].map((eventId) => dag.pdu(eventId)) }));
  const answer = await world.answerTo({ needId: 'a', roomId: dag.roomId, roomVersion: '11', eventAuth: { origin: 'one.test', eventId: message } });
  assert.equal(answer?.status, 200);
  assert.deepEqual((await world.staged.slice(answer.stageId, 0, 10)).map(({ eventId, inState }) => [eventId, inState]), [[member, false]]);
  assert.deepEqual(await world.staged.stateIds(answer.stageId), []);
  assert.deepEqual(world.inputs.flatMap(({ importState }) => importState ?? []).map(({ from, to, current, roomVersion }) => [from, to, current, roomVersion]), [[0, 1, false, '11']]);
  await world.close();
});

interface StateServer {
  readonly dag: RoomDag;
  readonly state: readonly string[];
  readonly chain: readonly string[];
  readonly hidden?: ReadonlySet<string>;
}

function stateServer({ dag, state, chain, hidden = new Set() }: StateServer): Peer {
  const pdus = (eventIds: readonly string[]) => eventIds.filter((eventId) => !hidden.has(eventId)).map((eventId) => dag.pdu(eventId));
  return ({ path }) => {
    if (path.includes('/state_ids/')) return { pdu_ids: state, auth_chain_ids: chain };
    if (path.includes('/state/')) return { pdus: pdus(state), auth_chain: pdus(chain) };
    const given = pdus([decodeURIComponent(path.split('/').at(-1)!)]);
    if (given.length === 0) throw refusal(404, 'M_NOT_FOUND');
    return { origin: 'one.test', origin_server_ts: 1, pdus: given };
  };
}

function roomWithMembers(members: number): StateServer {
  const dag = new RoomDag('11');
  dag.send({ type: 'm.room.member', sender: CREATOR, state_key: CREATOR, content: { membership: 'join' } });
  dag.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'public' } });
  for (let i = 0; i < members; i += 1) dag.send({ type: 'm.room.member', sender: `@m${i}:two.test`, state_key: `@m${i}:two.test`, content: { membership: 'join' } });
  const state = [...dag.stateAfter().values()];
  return { dag, state, chain: [...new Set(state.flatMap((eventId) => authEventIds(dag.pdu(eventId)!)))] };
}

const stateOf = (dag: RoomDag): NewNeed => ({ needId: 's', roomId: dag.roomId, roomVersion: '11', stateAt: { origin: 'one.test', eventId: dag.newest } });

test('of a state that is mostly known only the rest is fetched, one by one; the stage names the whole state', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  const unknown = room.state.slice(-3);
  for (const eventId of room.state.slice(0, -3)) world.known.add(eventId);
  world.peers.set('one.test', stateServer(room));
  const answer = await world.answerTo(stateOf(room.dag));
  assert.equal(answer?.status, 200);
  assert.equal(world.asked.filter((line) => line.includes('/event/')).length, 3);
  assert.deepEqual((await world.staged.slice(answer.stageId, 0, 100)).map(({ eventId }) => eventId), unknown);
  assert.deepEqual(new Set(await world.staged.stateIds(answer.stageId)), new Set(room.state));
  await world.close();
});

test('a state that is mostly unknown is fetched as a whole; what is missing from it is asked for by itself, and then left out', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  const hidden = room.state.at(-1)!;
  world.peers.set('one.test', stateServer({ ...room, hidden: new Set([hidden]) }));
  const answer = await world.answerTo(stateOf(room.dag));
  assert.equal(answer?.status, 200);
  assert.deepEqual(world.asked.map((line) => line.split('/')[4]), ['state_ids', 'state', 'event']);
  assert.deepEqual(new Set(await world.staged.stateIds(answer.stageId)), new Set(room.state.slice(0, -1)));
  await world.close();
});

test('a state that its server does not answer for as a whole is asked for again, and has no holes', async () => {
  for (const failures of [1, 3]) {
    const world = await needWorld();
    const room = roomWithMembers(30);
    for (const eventId of [...room.state.slice(0, -12), ...room.chain]) world.known.add(eventId);
    const peer = stateServer(room);
    let failed = 0;
    world.peers.set('one.test', (request) => {
      if (!request.path.includes('/event/') || failed === failures) return peer(request);
      failed += 1;
      throw refusal(503, 'M_UNKNOWN');
    });
    const answer = await world.answerTo(stateOf(room.dag));
    assert.deepEqual([answer?.status, failed], [200, failures]);
    assert.deepEqual(new Set(await world.staged.stateIds(answer!.stageId)), new Set(room.state));
    await world.close();
  }
});

test('one event that its server never answers for is left out in the end', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  for (const eventId of room.state.slice(0, -5)) world.known.add(eventId);
  const [peer, bad] = [stateServer(room), room.state.at(-3)!];
  world.peers.set('one.test', (request) => (decodeURIComponent(request.path).includes(`/event/${bad}`) ? Promise.reject(refusal(500, 'M_UNKNOWN')) : peer(request)));
  const answer = await world.answerTo(stateOf(room.dag));
  assert.equal(answer?.status, 200);
  assert.deepEqual(new Set(await world.staged.stateIds(answer.stageId)), new Set(room.state.filter((eventId) => eventId !== bad)));
  await world.close();
});

test('where a state names one unknown event and the server does not answer for it, what waits for the state is fetched once more later', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  for (const eventId of room.state.slice(0, -1)) world.known.add(eventId);
  const peer = stateServer(room);
  world.peers.set('one.test', (request) => (request.path.includes('/event/') ? Promise.reject(refusal(503, 'M_UNKNOWN')) : peer(request)));
  const answer = await world.answerTo(stateOf(room.dag));
  assert.equal(answer?.status, 502);
  assert.deepEqual((await world.database.query<{ event_id: string }>('SELECT event_id FROM staged_pdus')).map(({ event_id: eventId }) => eventId), [room.dag.newest]);
  await world.close();
});

test('a server that names a state and gives none of it, or names nonsense, fulfils nothing', async () => {
  const room = roomWithMembers(30);
  const cases: Peer[] = [
    stateServer({ ...room, hidden: new Set([...room.state, ...room.chain]) }),
    () => ({ pdu_ids: ['nonsense'], auth_chain_ids: [] }),
    () => ({ pdu_ids: [] }),
    () => Promise.reject(refusal(403, 'M_FORBIDDEN')),
  ];
  for (const peer of cases) {
    const world = await needWorld();
    world.peers.set('one.test', peer);
    const answer = await world.answerTo(stateOf(room.dag));
    assert.ok(answer !== undefined && answer.status >= 400 && world.inputs.length === 1);
    assert.ok(world.asked.length < 50);
    await world.close();
  }
});

test('after a crash during the import the next owner imports the same stage, and asks nobody again', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  world.peers.set('one.test', stateServer(room));
  world.logIsAway = true;
  await world.take(stateOf(room.dag));
  const isWhole = async (): Promise<boolean> => (await world.database.query('SELECT 1 FROM stages WHERE answer IS NOT NULL')).length === 1;
  for (let turns = 0; turns < 20 && !(await isWhole()); turns += 1) await world.runtime.advance(100);
  const [{ stage_id: stageId }] = await world.database.query<{ stage_id: string }>('SELECT stage_id FROM stages') as [{ stage_id: string }];
  const [staged, asked] = [await world.staged.slice(stageId, 0, 100), world.asked.length];
  assert.ok(staged.length > 30);
  await world.runner.stop();
  world.logIsAway = false;
  world.runner = world.newRunner();
  await world.runner.start();
  assert.ok(await world.until(() => world.inputs.some(({ answer }) => answer?.status === 200)));
  assert.deepEqual([world.asked.length, await world.staged.slice(stageId, 0, 100)], [asked, staged]);
  assert.deepEqual(world.inputs.map(({ inputId }) => inputId), [`need:${stageId}:import:0`, `answer:${stageId}`]);
  await world.close();
});

test('stages go after an hour', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  world.peers.set('one.test', stateServer(room));
  const { stageId } = (await world.answerTo(stateOf(room.dag)))!;
  await world.runtime.advance(50 * 60_000);
  assert.ok((await world.staged.stateIds(stageId)).length > 30);
  await world.runtime.advance(12 * 60_000);
  assert.deepEqual([await world.staged.stateIds(stageId), await world.database.query('SELECT 1 FROM stages')], [[], []]);
  await world.close();
});

test('a need that is told again is carried out again, under other IDs of inputs and stages', async () => {
  const world = await needWorld();
  const room = roomWithMembers(30);
  world.peers.set('one.test', stateServer(room));
  const first = await world.answerTo(stateOf(room.dag));
  await world.runtime.advance(1000);
  const second = await world.answerTo(stateOf(room.dag));
  assert.deepEqual([first?.status, second?.status], [200, 200]);
  assert.notEqual(first?.stageId, second?.stageId);
  assert.equal(new Set(world.inputs.map(({ inputId }) => inputId)).size, world.inputs.length);
  await world.close();
});
