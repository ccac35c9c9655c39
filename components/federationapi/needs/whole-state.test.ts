/** Joins whose answer leaves out the members, and fetching these later: what is asked, and what of the answers is believed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authTypesFor } from '../../../pkg/matrix/auth/auth-types.ts';
import type { FederationRequest } from '../../../pkg/federation/transport.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo } from '../../../pkg/matrix/events/references.ts';
import { slotOf } from '../../../pkg/matrix/state-res/slot.ts';
import { needWorld, refusal, type NeedWorld, type NewNeed } from '../../../test/kit/need-world.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';

const USER = '@user:me.test';

function joinNeed(dag: RoomDag): NewNeed {
  return { needId: 'n#1', roomId: dag.roomId, roomVersion: '', remoteMembership: { userId: USER, membership: 'join', via: ['one.test'], content: Buffer.from('{"membership":"join"}') } };
}

function wholeNeed(dag: RoomDag): NewNeed {
  return { needId: 'n#2', roomId: dag.roomId, roomVersion: dag.version.id, wholeState: { via: ['one.test', 'two.test'], eventId: dag.newest } };
}

/** Events with all that they stand on. */
function withChain(dag: RoomDag, eventIds: readonly string[]): { state: Pdu[]; auth_chain: Pdu[] } {
  const chain = new Set(eventIds.flatMap((eventId) => authEventIds(dag.pdu(eventId)!)));
  for (const eventId of chain) for (const authId of authEventIds(dag.pdu(eventId)!)) chain.add(authId);
  return { state: eventIds.map((eventId) => dag.pdu(eventId)!), auth_chain: [...chain].map((eventId) => dag.pdu(eventId)!) };
}

function resident(dag: RoomDag, more: Record<string, unknown>, seen: FederationRequest[] = []) {
  const before = dag.stateAfter();
  const draft = { type: 'm.room.member', sender: USER, state_key: USER, content: { membership: 'join' } };
  const cited = authTypesFor(draft, dag.version).flatMap(([type, key]) => before.get(slotOf(type, key)) ?? []);
  const named = (eventIds: readonly string[]) => eventIds.map((eventId) => referenceTo({ eventId, pdu: dag.pdu(eventId)! }, dag.version));
  const others = [...before.values()].filter((eventId) => dag.pdu(eventId)!.type !== 'm.room.member');
  const told = { ...withChain(dag, others), members_omitted: true, servers_in_room: ['one.test', 'two.test', 7, 'no server'] };
  const chain = withChain(dag, [...others, ...cited]).auth_chain;
  return (request: FederationRequest): Record<string, unknown> => {
    seen.push(request);
    if (request.path.includes('/make_join/')) return { room_version: dag.version.id, event: { ...draft, room_id: dag.roomId, depth: 20, prev_events: named([dag.newest]), auth_events: named(cited), origin_server_ts: 1 } };
    return { ...told, auth_chain: [...chain, ...cited.map((eventId) => dag.pdu(eventId)!)], ...more };
  };
}

async function stagedIds(world: NeedWorld, stageId: string): Promise<string[]> {
  return [...await world.staged.stateIds(stageId)].sort();
}

test('a join says that it takes the state without members, and tells what comes so; the memberships that it stands on are in the state', async () => {
  const world = await needWorld();
  const dag = startRoom('11');
  const invite = dag.send({ type: 'm.room.member', sender: CREATOR, state_key: USER, content: { membership: 'invite' } });
  const seen: FederationRequest[] = [];
  world.peers.set('one.test', resident(dag, {}, seen));
  const answer = await world.answerTo(joinNeed(dag));
  assert.equal(answer?.status, 200, answer?.error);
  assert.deepEqual(seen.find(({ path }) => path.includes('/send_join/'))?.query, { omit_members: 'true' });
  assert.deepEqual([answer.membersOmitted, answer.serversInRoom], [true, ['one.test', 'two.test']]);
  const others = [...dag.stateAfter().values()].filter((eventId) => dag.pdu(eventId)!.type !== 'm.room.member');
  assert.deepEqual(await stagedIds(world, answer.stageId), [...others, invite].sort());
  await world.close();
});

test('an answer without members that names no servers is of no use; one with all members is as ever', async () => {
  const world = await needWorld();
  const dag = startRoom('11');
  world.peers.set('one.test', resident(dag, { servers_in_room: undefined }));
  assert.equal((await world.answerTo(joinNeed(dag)))?.status, 502);
  await world.close();

  const other = await needWorld();
  other.peers.set('one.test', resident(dag, { ...withChain(dag, [...dag.stateAfter().values()]), members_omitted: false }));
  const answer = await other.answerTo(joinNeed(dag));
  assert.deepEqual([answer?.status, answer?.membersOmitted ?? false], [200, false]);
  assert.deepEqual(await stagedIds(other, answer!.stageId), [...dag.stateAfter().values()].sort());
  await other.close();
});

test('the whole state is asked of one server after the other, and imported as what the room lacks', async () => {
  const world = await needWorld();
  const dag = startRoom('11');
  const { state, auth_chain: chain } = withChain(dag, [...dag.stateAfter().values()]);
  world.peers.set('one.test', () => { throw refusal(403, 'M_FORBIDDEN'); });
  world.peers.set('two.test', ({ path, query }) => {
    assert.deepEqual([path, query], [`/_matrix/federation/v1/state/${encodeURIComponent(dag.roomId)}`, { event_id: dag.newest }]);
    return { pdus: [...state, { ...state[1]!, content: { membership: 'ban' } }], auth_chain: chain };
  });
  const answer = await world.answerTo(wholeNeed(dag));
  assert.deepEqual([answer?.status, answer?.origin], [200, 'two.test'], answer?.error);
  assert.deepEqual(await stagedIds(world, answer!.stageId), [...dag.stateAfter().values()].sort());
  const slices = world.inputs.flatMap(({ importState }) => importState ?? []);
  assert.ok(slices.length > 0 && slices.every(({ completes, current }) => completes === true && !current));
  await world.close();
});

test('members whose server does not give its keys are waited for while there is hope of these, and left out then', async () => {
  for (const { mayRecover, backAfterMs, isWhole } of [
    { mayRecover: true, backAfterMs: 20_000, isWhole: true }, { mayRecover: true, backAfterMs: 600_000, isWhole: false }, { mayRecover: false, backAfterMs: 20_000, isWhole: false },
  ]) {
    const world = await needWorld();
    const dag = startRoom('11');
    const parted = [...dag.stateAfter().values()].filter((eventId) => dag.pdu(eventId)!.sender.endsWith(':two.test'));
    assert.equal(parted.length, 2);
    const { state, auth_chain: chain } = withChain(dag, [...dag.stateAfter().values()]);
    world.peers.set('one.test', () => ({ pdus: state, auth_chain: chain }));
    world.keyless.set('two.test', { mayRecover });
    world.runtime.clock.timer(backAfterMs, () => world.keyless.delete('two.test'));
    const answer = await world.answerTo(wholeNeed(dag));
    assert.equal(answer?.status, 200);
    const expected = [...dag.stateAfter().values()].filter((eventId) => isWhole || !parted.includes(eventId));
    assert.deepEqual(await stagedIds(world, answer.stageId), expected.sort());
    assert.equal(world.asked.length, 1);
    await world.close();
  }
});

test('a state without the event that made the room is none', async () => {
  const world = await needWorld();
  const dag = startRoom('11');
  const { state, auth_chain: chain } = withChain(dag, [...dag.stateAfter().values()].filter((eventId) => eventId !== dag.createId));
  for (const name of ['one.test', 'two.test']) world.peers.set(name, () => ({ pdus: state, auth_chain: chain }));
  assert.equal((await world.answerTo(wholeNeed(dag)))?.status, 502);
  assert.equal(world.inputs.filter(({ importState }) => importState).length, 0);
  await world.close();
});
