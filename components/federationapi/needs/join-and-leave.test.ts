/** Joins and leaves by the help of other servers, and what servers can do wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authTypesFor } from '../../../pkg/matrix/auth/auth-types.ts';
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import { addSignature } from '../../../pkg/matrix/signing/sign-event.ts';
import { slotOf } from '../../../pkg/matrix/state-res/slot.ts';
import { needWorld, refusal, type NewNeed, type Peer } from '../../../test/kit/need-world.ts';
import { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR, TEST_KEY } from '../../../test/kit/room-state.ts';

const USER = '@user:me.test';

function publicRoom(version = '11', members = 3, createContent: Record<string, unknown> = {}): RoomDag {
  const dag = new RoomDag(version, createContent);
  dag.send({ type: 'm.room.member', sender: CREATOR, state_key: CREATOR, content: { membership: 'join' } });
  dag.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'public' } });
  for (let i = 0; i < members; i += 1) dag.send({ type: 'm.room.member', sender: `@m${i}:two.test`, state_key: `@m${i}:two.test`, content: { membership: 'join' } });
  return dag;
}

function joinOf(dag: RoomDag, more: Partial<NewNeed> & { via?: string[]; content?: object; membership?: string } = {}): NewNeed {
  const { via = ['one.test'], content = { displayname: 'U' }, membership = 'join', ...rest } = more;
  const body = { userId: USER, membership, via, content: Buffer.from(JSON.stringify({ membership, ...content })) };
  return { needId: 'n#1', roomId: dag.roomId, roomVersion: '', remoteMembership: body, ...rest };
}

function template(dag: RoomDag, content: Record<string, unknown>): Record<string, unknown> {
  const before = dag.stateAfter();
  const authEvents = authTypesFor({ type: 'm.room.member', sender: USER, state_key: USER, content }, dag.version).flatMap(([type, key]) => before.get(slotOf(type, key)) ?? []);
  const named = (eventIds: readonly string[]) => eventIds.map((eventId) => referenceTo({ eventId, pdu: dag.pdu(eventId)! }, dag.version));
  return {
    room_version: dag.version.id,
    event: { type: 'm.room.member', sender: USER, state_key: USER, room_id: dag.roomId, content, depth: 20, prev_events: named([dag.newest]), auth_events: named(authEvents), origin_server_ts: 1 },
  };
}

function stateAnswer(dag: RoomDag): { state: Pdu[]; auth_chain: Pdu[] } {
  const state = [...dag.stateAfter().values()].map((eventId) => dag.pdu(eventId)!);
  const chain = new Set<string>();
  for (const open = state.flatMap(authEventIds); open.length > 0;) {
    const eventId = open.pop()!;
    if (!chain.has(eventId)) open.push(...authEventIds(dag.pdu(eventId)!));
    chain.add(eventId);
  }
  return { state, auth_chain: [...chain].map((eventId) => dag.pdu(eventId)!) };
}

/** A server in the room that does everything right, but for what is said. */
function resident(dag: RoomDag, changed: { make?: object; send?: (request: FederationRequest) => Record<string, unknown> } = {}): Peer {
  return (request) => {
    if (request.path.includes('/make_join/')) return { ...template(dag, { membership: 'join' }), ...changed.make };
    if (request.path.includes('/make_leave/')) return { ...template(dag, { membership: 'leave' }), ...changed.make };
    if (request.path.includes('/send_leave/')) return {};
    return changed.send?.(request) ?? { ...stateAnswer(dag) };
  };
}

test('a join brings the room: template, signed event, state checked and staged in order, imported slice by slice, then the answer', async () => {
  for (const version of ['1', '2', '3', '8', '10', '11', '12']) {
    const world = await needWorld();
    const dag = publicRoom(version, 250);
    world.peers.set('one.test', resident(dag));
    const answer = await world.answerTo(joinOf(dag));
    assert.equal(answer?.status, 200, answer?.error);
    assert.deepEqual([answer.origin, answer.roomVersion], ['one.test', version]);
    const join = JSON.parse(Buffer.from(answer.pdu).toString()) as Pdu;
    assert.deepEqual([join.content, join.sender, Object.keys(join.signatures)], [{ membership: 'join', displayname: 'U' }, USER, ['me.test']]);

    const slices = world.inputs.flatMap(({ importState }) => importState ?? []);
    assert.deepEqual(slices.map(({ from, to, current, roomVersion }) => [from, to, current, roomVersion]), [[0, 100, true, version], [100, 200, true, version], [200, 253, true, version]]);
    const events = await world.staged.slice(answer.stageId, 0, 1000);
    const seen = new Set<string>();
    for (const { eventId, pdu } of events) {
      const authIds = authEventIds(JSON.parse(Buffer.from(pdu).toString()) as Pdu);
      assert.ok(authIds.every((id) => seen.has(id)), 'an auth event comes first');
      seen.add(eventId);
    }
    assert.equal(events[0]!.eventId, dag.createId);
    assert.deepEqual(new Set(await world.staged.stateIds(answer.stageId)), new Set(dag.stateAfter().values()));
    assert.ok(world.asked[0]!.startsWith(`GET one.test /_matrix/federation/v1/make_join/${dag.roomId}/${USER}`));
    assert.equal(await needsLeft(world), 0);
    await world.close();
  }
});

test('servers that do not help are passed over, and the refusal that says most is told when none does', async () => {
  const world = await needWorld();
  const dag = publicRoom();
  const refusing = (error: Error): Peer => () => Promise.reject(error);
  world.peers.set('no.test', refusing(refusal(403, 'M_FORBIDDEN'))).set('gone.test', refusing(refusal(404, 'M_NOT_FOUND')));
  const refused = await world.answerTo(joinOf(dag, { needId: 'a', via: ['away.test', 'gone.test', 'no.test', 'gone.test', 'me.test', 'not a name'] }));
  assert.deepEqual([refused?.status, refused?.errcode, refused?.error], [403, 'M_FORBIDDEN', 'No.']);
  assert.deepEqual(world.asked.map((line) => line.split(' ')[1]), ['away.test', 'gone.test', 'no.test']);
  assert.deepEqual(await statusAndCode(world.answerTo(joinOf(dag, { needId: 'b', via: ['away.test', 'denied.test'] }))), [502, 'M_UNKNOWN']);
  assert.deepEqual(await statusAndCode(world.answerTo(joinOf(dag, { needId: 'c', via: [] }))), [404, 'M_NOT_FOUND']);
  world.peers.set('old.test', refusing(refusal(400, 'M_INCOMPATIBLE_ROOM_VERSION', { room_version: '3' })));
  assert.deepEqual(await statusAndCode(world.answerTo(joinOf(dag, { needId: 'd', via: ['old.test', 'gone.test'] }))), [400, 'M_INCOMPATIBLE_ROOM_VERSION']);
  world.peers.set('one.test', resident(dag));
  assert.equal((await world.answerTo(joinOf(dag, { needId: 'e', via: ['no.test', 'one.test'] })))?.status, 200);
  await world.close();
});

test('what a lying server gives for a join is not believed', async () => {
  const dag = publicRoom('12');
  const other = publicRoom('12', 3, { another: true });
  const answer = stateAnswer(dag);
  const lies: Record<string, Peer> = {
    'a template for somebody else': resident(dag, { make: { event: { ...(template(dag, { membership: 'join' }).event as object), sender: CREATOR } } }),
    'a template of another room': resident(dag, { make: { event: { ...(template(dag, { membership: 'join' }).event as object), room_id: '!x:one.test' } } }),
    'a template that is a ban': resident(dag, { make: template(dag, { membership: 'ban' }) }),
    'a depth that is none': resident(dag, { make: { event: { ...(template(dag, { membership: 'join' }).event as object), depth: 'deep' } } }),
    'a version that is not that of the room': resident(dag, { make: { room_version: '10' } }),
    'a version that nobody knows': resident(dag, { make: { room_version: 'made up' } }),
    'no state': resident(dag, { send: () => ({}) }),
    'a state that is no list': resident(dag, { send: () => ({ ...answer, state: { '0': answer.state[0] } }) }),
    'a state of another room': resident(dag, { send: () => ({ ...stateAnswer(other) }) }),
    'a state without a create event': resident(dag, { send: () => ({ ...answer, state: answer.state.slice(1) }) }),
    'a forged create event': resident(dag, { send: () => ({ ...answer, state: answer.state.map((pdu) => ({ ...pdu, signatures: {} })), auth_chain: [] }) }),
    'members left out': resident(dag, { send: () => ({ ...answer, members_omitted: true }) }),
    'an endless list': resident(dag, { send: () => ({ ...answer, auth_chain: new Array<number>(500_001).fill(1) }) }),
  };
  for (const [lie, peer] of Object.entries(lies)) {
    const world = await needWorld();
    world.peers.set('one.test', peer);
    const told = await world.answerTo(joinOf(dag));
    assert.ok(told !== undefined && told.status >= 400, lie);
    assert.equal(world.inputs.length, 1, lie);
    assert.deepEqual(world.runtime.lines.filter(({ level }) => level === 'error'), [], lie);
    await world.close();
  }
});

test('forged events in a state are left out, and of two events for one key the first counts', async () => {
  const world = await needWorld();
  const dag = publicRoom();
  const answer = stateAnswer(dag);
  const first = dag.send({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: '1' } });
  const second = dag.send({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: '2' } });
  const message = dag.send({ type: 'm.room.message', sender: CREATOR, content: {} });
  const [member] = answer.state.slice(-1);
  const forged = { ...member!, state_key: '@evil:two.test' };
  world.peers.set('one.test', resident(dag, { send: () => ({ ...answer, state: [...answer.state, dag.pdu(first), dag.pdu(second), dag.pdu(message), forged, null, 7, 'x', {}] }) }));
  const told = await world.answerTo(joinOf(dag));
  assert.equal(told?.status, 200);
  const ids = await world.staged.stateIds(told.stageId);
  assert.deepEqual([ids.includes(first), ids.includes(second), ids.includes(message), ids.length], [true, false, false, answer.state.length + 1]);
  await world.close();
});

test('a join of a restricted room needs the signature of the server that authorises it', async () => {
  const dag = publicRoom();
  const make = template(dag, { membership: 'join', join_authorised_via_users_server: CREATOR });
  const signing = (sign: (pdu: Pdu) => unknown) => resident(dag, { make, send: ({ json }) => ({ ...stateAnswer(dag), event: sign(JSON.parse(json!) as Pdu) }) });
  const cases: [status: number, peer: Peer][] = [
    [200, signing((pdu) => addSignature(pdu, dag.version, 'one.test', TEST_KEY))],
    [502, signing((pdu) => pdu)],
    [502, signing(() => undefined)],
    [502, signing((pdu) => ({ ...pdu, signatures: { 'one.test': { [TEST_KEY.keyId]: 'AAAA' } } }))],
  ];
  for (const [status, peer] of cases) {
    const world = await needWorld();
    world.peers.set('one.test', peer);
    const answer = await world.answerTo(joinOf(dag, { content: { join_authorised_via_users_server: '@made:up.test' } }));
    assert.equal(answer?.status, status);
    if (status === 200) {
      const join = JSON.parse(Buffer.from(answer.pdu).toString()) as Pdu;
      assert.deepEqual([Object.keys(join.signatures).sort(), join.content.join_authorised_via_users_server], [['me.test', 'one.test'], CREATOR]);
    }
    await world.close();
  }
});

test('a leave is made and sent; servers that refuse are passed over', async () => {
  const world = await needWorld();
  const dag = publicRoom();
  world.peers.set('one.test', resident(dag));
  const answer = await world.answerTo(joinOf(dag, { via: ['away.test', 'one.test'], membership: 'leave', content: { reason: 'no' } }));
  assert.deepEqual([answer?.status, answer?.origin, answer?.roomVersion, answer?.stageId], [200, 'one.test', '11', '']);
  assert.deepEqual((JSON.parse(Buffer.from(answer!.pdu).toString()) as Pdu).content, { membership: 'leave', reason: 'no' });
  assert.ok(world.asked.at(-1)!.startsWith('PUT one.test /_matrix/federation/v2/send_leave/'));
  await world.close();
});

async function statusAndCode(answer: Promise<{ status: number; errcode: string } | undefined>): Promise<unknown> {
  const { status, errcode } = (await answer)!;
  return [status, errcode];
}

async function needsLeft(world: Awaited<ReturnType<typeof needWorld>>): Promise<number> {
  await world.runtime.settle();
  return (await world.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM needs'))[0]!.n;
}
