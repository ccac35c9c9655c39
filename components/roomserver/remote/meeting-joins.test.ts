/** Joins that meet: of rooms that this server is in already, where another server has to authorise them, and of a user who joins twice. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { received } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE, ERIN, fulfilJoin, importStage, joinAnswer, stageOf, type RemoteWorld } from '../../../test/kit/remote-world.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomQuery } from '../query/room-query.ts';

const NOTHING = { parked: 0, needs: 0 };
const VIA = { via: ['one.test'] };

async function pduOf(world: RemoteWorld, eventId: string): Promise<Pdu> {
  const [stored] = await roomQuery(world.database).eventsById([eventId]);
  return JSON.parse(Buffer.from(stored!.pdu).toString()) as Pdu;
}

async function memberNow(world: RemoteWorld, roomId: string, userId: string): Promise<unknown> {
  const [stored] = await roomQuery(world.database).currentState(roomId, [['m.room.member', userId]]);
  return stored && (JSON.parse(Buffer.from(stored.pdu).toString()) as Pdu).content['membership'];
}

function idIn(result: unknown): string {
  assert.ok(typeof result === 'object' && result !== null, `refused: ${String(result)}`);
  return (result as { event_id: string }).event_id;
}

/** Dave is in a restricted room where only one.test may let others in, and in the room whose members may join. */
async function restrictedWorld(context: TestContext): Promise<{ world: RemoteWorld; dag: RoomDag; roomId: string }> {
  const world = await createRemoteWorld(context);
  const space = startRoom('12');
  const entered = world.member(space.roomId, 'join', VIA);
  await fulfilJoin(world, space, await world.need());
  await entered;
  idIn(await world.member(space.roomId, 'join', { sender: ERIN }));
  const dag = startRoom('11');
  dag.send({ type: 'm.room.power_levels', sender: CREATOR, state_key: '', content: { users: { [CREATOR]: 100 }, invite: 50 } });
  const joined = world.member(dag.roomId, 'join', VIA);
  await fulfilJoin(world, dag, await world.need());
  await joined;
  const rules = dag.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: space.roomId }] } });
  await world.submit(dag.roomId, { receivePdu: received(dag, rules, { origin: 'one.test' }) });
  return { world, dag, roomId: dag.roomId };
}

test('where nobody here may authorise a restricted join, another server is asked; the room here goes on from what it was', async (context) => {
  const { world, dag, roomId } = await restrictedWorld(context);
  assert.equal(await world.member(roomId, 'join', { sender: ERIN }), '400 M_UNABLE_TO_AUTHORISE_JOIN');
  const joined = world.member(roomId, 'join', { sender: ERIN, via: ['one.test'], inputId: 'same' });
  const need = await world.need();
  const again = { sendEvent: { sender: ERIN, deviceId: 'D', txnId: 'T', event: { type: 'm.room.member', stateKey: ERIN, content: Buffer.from('{"membership":"join"}') }, via: ['one.test'] } };
  const copies = [world.submit(roomId, again, 'same'), world.submit(roomId, { ...again, originServerTs: world.tsOf('same') }, 'same')];
  const sent = idIn(await world.message(roomId, DAVE));
  // Something happens there that is not known here.
  dag.send({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: 'x' } });
  const join = dag.add({ type: 'm.room.member', sender: ERIN, state_key: ERIN, content: { membership: 'join', join_authorised_via_users_server: CREATOR } });
  assert.ok(join.verdict.allowed);
  world.stages.set(need.needId, stageOf(dag, join));
  await importStage(world, dag, need);
  assert.deepEqual((await world.outputs()).filter(({ stateSlice }) => stateSlice?.reset).map((output) => output.roomId).filter((one) => one === roomId), [roomId]);
  await world.answer(roomId, need, joinAnswer(dag, need, join));
  const result = { room_id: roomId, event_id: join.eventId };
  assert.deepEqual(await Promise.all([joined, ...copies]), [result, result, result]);
  assert.equal(await memberNow(world, roomId, ERIN), 'join');
  const [topic] = await roomQuery(world.database).currentState(roomId, [['m.room.topic', '']]);
  assert.notEqual(topic, undefined);
  const next = await pduOf(world, idIn(await world.message(roomId, ERIN)));
  assert.deepEqual([...next.prev_events].sort(), [sent, join.eventId].sort());
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});

test('a restricted join that no other server authorises either is refused', async (context) => {
  const { world, roomId } = await restrictedWorld(context);
  const refused = world.member(roomId, 'join', { sender: ERIN, via: ['one.test'] });
  await world.answer(roomId, await world.need(), { status: 400, errcode: 'M_UNABLE_TO_GRANT_JOIN' });
  assert.equal(await refused, '400 M_UNABLE_TO_GRANT_JOIN');
  assert.deepEqual([await memberNow(world, roomId, ERIN), await world.waiting()], [undefined, NOTHING]);
});

test('a join that comes with the answer to another one waits for what that brings', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const first = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  const join = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'join' } });
  world.stages.set(need.needId, stageOf(dag, join));
  await importStage(world, dag, need);
  const [, again, other] = await Promise.all([world.answer(dag.roomId, need, joinAnswer(dag, need, join)), world.member(dag.roomId, 'join', VIA), world.member(dag.roomId, 'join', { ...VIA, sender: ERIN })]);
  assert.deepEqual([idIn(await first), idIn(again)], [join.eventId, join.eventId]);
  assert.deepEqual((await pduOf(world, idIn(other))).prev_events, [join.eventId]);
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});

test('a join that another server has authorised is in the graph here, too, when its user has come in another way meanwhile', async (context) => {
  const { world, dag, roomId } = await restrictedWorld(context);
  const joined = world.member(roomId, 'join', { sender: ERIN, via: ['one.test'] });
  const need = await world.need();
  // One whose answer was lost: its server passes it on.
  const authorised = { type: 'm.room.member', sender: ERIN, state_key: ERIN, content: { membership: 'join', join_authorised_via_users_server: CREATOR } };
  const lost = dag.send(authorised);
  await world.submit(roomId, { receivePdu: received(dag, lost, { origin: 'one.test' }) });
  assert.equal(await memberNow(world, roomId, ERIN), 'join');
  const join = dag.add(authorised);
  assert.deepEqual(join.pdu.prev_events, [lost]);
  world.stages.set(need.needId, stageOf(dag, join));
  await importStage(world, dag, need);
  await world.answer(roomId, need, joinAnswer(dag, need, join));
  assert.equal(idIn(await joined), join.eventId);
  const next = dag.send({ type: 'm.room.topic', sender: CREATOR, state_key: '', content: { topic: 'x' } });
  assert.equal(idIn(await world.submit(roomId, { receivePdu: received(dag, next, { origin: 'one.test' }) })), next);
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});
