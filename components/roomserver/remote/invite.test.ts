/** Invites to and from users of other servers, and how invited users leave. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { Need } from '../../../schemas/log/room-output.ts';
import type { ReceiveInvite } from '../../../schemas/log/room-input.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { bytesOf, received } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE, ERIN, fulfilJoin, HERE, type RemoteWorld } from '../../../test/kit/remote-world.ts';
import type { DagEvent, RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomQuery } from '../query/room-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';

const NOTHING = { parked: 0, needs: 0 };
const ZOE = '@zoe:two.test';

/** A room of one.test that Dave has joined. */
async function joinedWorld(context: TestContext, version = '11', prepare: (dag: RoomDag) => void = () => undefined): Promise<{ world: RemoteWorld; dag: RoomDag }> {
  const world = await createRemoteWorld(context);
  const dag = startRoom(version);
  prepare(dag);
  const joined = world.member(dag.roomId, 'join', { via: ['one.test'] });
  await fulfilJoin(world, dag, await world.need());
  assert.equal(typeof (await joined), 'object');
  return { world, dag };
}

function signed({ signInvite }: Need, change: object = {}): Uint8Array {
  const pdu = JSON.parse(Buffer.from(signInvite!.pdu).toString()) as Pdu;
  return bytesOf({ ...pdu, ...change, signatures: { ...pdu.signatures, 'two.test': { 'ed25519:1': 'theirs' } } });
}

async function pduOf(world: RemoteWorld, eventId: string): Promise<Pdu> {
  const [stored] = await roomQuery(world.database).eventsById([eventId]);
  return JSON.parse(Buffer.from(stored!.pdu).toString()) as Pdu;
}

async function memberNow(world: RemoteWorld, roomId: string, userId: string): Promise<unknown> {
  const [stored] = await roomQuery(world.database).currentState(roomId, [['m.room.member', userId]]);
  return stored && (JSON.parse(Buffer.from(stored.pdu).toString()) as Pdu).content.membership;
}

async function outside(world: RemoteWorld): Promise<unknown[]> {
  const rows = await world.database.query('SELECT user_id, membership, event_id FROM outside_memberships ORDER BY user_id');
  return rows.map((row) => [row['user_id'], row['membership'], row['event_id']]);
}

function idIn(result: unknown): string {
  assert.ok(typeof result === 'object' && result !== null, `refused: ${String(result)}`);
  return (result as { event_id: string }).event_id;
}

test('an invite of a user of another server waits for its signature; the room goes on, and the invite comes in where it was made', async (context) => {
  const { world, dag } = await joinedWorld(context, '12', (room) => {
    room.send({ type: 'm.room.name', sender: CREATOR, state_key: '', content: { name: 'Tea' } });
  });
  const invited = world.member(dag.roomId, 'invite', { target: ZOE, inputId: 'same' });
  const need = await world.need();
  const again = world.member(dag.roomId, 'invite', { target: ZOE, inputId: 'same' });
  const { destination, eventId, strippedState } = need.signInvite!;
  assert.equal(destination, 'two.test');
  const stripped = JSON.parse(Buffer.from(strippedState).toString()) as Pdu[];
  assert.deepEqual(stripped.map(({ type, state_key: key }) => [type, key]), [['m.room.create', ''], ['m.room.join_rules', ''], ['m.room.name', ''], ['m.room.member', DAVE]]);
  assert.ok(stripped.every(({ hashes, signatures }) => hashes.sha256 !== '' && Object.keys(signatures).length > 0));
  const sent = [idIn(await world.message(dag.roomId, DAVE)), idIn(await world.message(dag.roomId, DAVE))];
  await world.restart();
  assert.deepEqual(await world.answer(dag.roomId, need, { eventId, pdu: signed(need, { content: { membership: 'ban' }, depth: 1 }) }), {});
  assert.deepEqual([idIn(await invited), idIn(await again)], [eventId, eventId]);
  const pdu = await pduOf(world, eventId);
  assert.deepEqual([pdu.content, pdu.signatures['two.test'], Object.keys(pdu.signatures).sort()], [{ membership: 'invite' }, { 'ed25519:1': 'theirs' }, [HERE, 'two.test']]);
  assert.deepEqual(pdu.prev_events, (await pduOf(world, sent[0]!)).prev_events);
  assert.equal(await memberNow(world, dag.roomId, ZOE), 'invite');
  const event = (await world.outputs()).at(-1)!.event!;
  assert.deepEqual([event.eventId, event.orderKey, event.deviceId, event.stateDelta.map(({ membership }) => membership)], [eventId, 4, 'D', ['invite']]);
  const next = await pduOf(world, idIn(await world.message(dag.roomId, DAVE)));
  assert.deepEqual([...next.prev_events].sort(), [sent[1]!, eventId].sort());
  assert.deepEqual([await world.waiting(), await world.needsLeft()], [NOTHING, 0]);
});

test('an invite is refused at once when the rules do not allow it, and as the other server says when that refuses', async (context) => {
  const { world, dag } = await joinedWorld(context);
  assert.equal(await world.member(dag.roomId, 'invite', { sender: ERIN, target: ZOE }), '403 M_FORBIDDEN');
  assert.equal(await world.needsLeft(), 0);
  const refused = world.member(dag.roomId, 'invite', { target: ZOE, inputId: 'same' });
  await world.answer(dag.roomId, await world.need(), { status: 403, errcode: 'M_FORBIDDEN' });
  assert.equal(await refused, '403 M_FORBIDDEN');
  const unsigned = world.member(dag.roomId, 'invite', { target: ZOE, inputId: 'same' });
  const need = await world.need();
  await world.answer(dag.roomId, need, { eventId: need.signInvite!.eventId, pdu: need.signInvite!.pdu });
  assert.equal(await unsigned, '502 M_UNKNOWN');
  const silent = world.member(dag.roomId, 'invite', { target: ZOE });
  await world.need();
  await world.later(61_000);
  assert.equal(await silent, '504 M_UNKNOWN');
  assert.deepEqual([await memberNow(world, dag.roomId, ZOE), await world.waiting()], [undefined, NOTHING]);
});

test('an invite that is no longer allowed when it comes back signed is refused', async (context) => {
  const { world, dag } = await joinedWorld(context);
  const invited = world.member(dag.roomId, 'invite', { target: ZOE });
  const need = await world.need();
  const ban = dag.send({ type: 'm.room.member', sender: CREATOR, state_key: ZOE, content: { membership: 'ban' } });
  await world.submit(dag.roomId, { receivePdu: received(dag, ban) });
  assert.equal(await memberNow(world, dag.roomId, ZOE), 'ban');
  await world.answer(dag.roomId, need, { eventId: need.signInvite!.eventId, pdu: signed(need) });
  assert.equal(await invited, '403 M_FORBIDDEN');
  assert.deepEqual([await memberNow(world, dag.roomId, ZOE), await world.waiting()], ['ban', NOTHING]);
});

interface Invited {
  readonly world: RemoteWorld;
  readonly dag: RoomDag;
  readonly invite: DagEvent;
}

function inviteInput({ eventId, pdu }: DagEvent, more: Partial<ReceiveInvite> = {}): ReceiveInvite {
  return { eventId, pdu: bytesOf(pdu), origin: 'one.test', roomVersion: '11', strippedState: Buffer.from('[{"type":"m.room.create"}]'), ...more };
}

/** Dave was invited to a room of one.test. */
async function invitedWorld(context: TestContext): Promise<Invited> {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const invite = dag.add({ type: 'm.room.member', sender: CREATOR, state_key: DAVE, content: { membership: 'invite' } });
  assert.deepEqual(await world.submit(dag.roomId, { receiveInvite: inviteInput(invite) }), { event_id: invite.eventId });
  return { world, dag, invite };
}

test('an invite from another server is told once, and made again by the snapshot', async (context) => {
  const { world, dag, invite } = await invitedWorld(context);
  await world.submit(dag.roomId, { receiveInvite: inviteInput(invite) });
  const outputs = await world.outputs();
  assert.equal(outputs.length, 1);
  const { userId, membership, eventId, strippedState } = outputs[0]!.outsideMembership!;
  assert.deepEqual([outputs[0]!.roomVersion, userId, membership, eventId, Buffer.from(strippedState).toString()], ['11', DAVE, 'invite', invite.eventId, '[{"type":"m.room.create"}]']);
  assert.deepEqual(await outside(world), [[DAVE, 'invite', invite.eventId]]);
  const [made] = await roomSnapshot(world.database, 0, 0, 10);
  assert.deepEqual([made!.sequence, made!.output.outsideMembership!.userId, made!.output.roomVersion, made!.output.inputId], [1, DAVE, '11', outputs[0]!.inputId]);
});

test('what is no invite of a user here is refused', async (context) => {
  const { world, dag, invite } = await invitedWorld(context);
  const refuse = async (more: Partial<ReceiveInvite>) => world.submit(dag.roomId, { receiveInvite: inviteInput(invite, more) });
  assert.equal(await refuse({ roomVersion: '99' }), '400 M_INCOMPATIBLE_ROOM_VERSION');
  for (const change of [{ state_key: ZOE }, { content: { membership: 'join' } }, { room_id: '!other:one.test' }, { type: 'm.room.topic' }, { state_key: `@a\0:${HERE}` }, { state_key: 7 }]) {
    assert.equal(await refuse({ eventId: '$x', pdu: bytesOf({ ...invite.pdu, ...change }) }), '400 M_INVALID_PARAM');
  }
  assert.equal(await refuse({ eventId: '$x', pdu: new Uint8Array(0) }), '400 M_INVALID_PARAM');
});

test('who is invited joins by the inviting server, and the invite is over', async (context) => {
  const { world, dag } = await invitedWorld(context);
  const joined = world.member(dag.roomId, 'join', { via: ['two.test'] });
  const need = await world.need();
  assert.deepEqual(need.remoteMembership!.via, ['two.test', 'one.test']);
  const join = await fulfilJoin(world, dag, need);
  assert.equal(idIn(await joined), join.eventId);
  assert.deepEqual([await outside(world), await memberNow(world, dag.roomId, DAVE)], [[], 'join']);
  assert.equal((await world.outputs()).at(-1)!.event!.stateDelta[0]!.replacedMembership, 'invite');
});

test('in a room that this server is in, an invite from another server comes by /send; who is in cannot be invited', async (context) => {
  const { world, dag } = await joinedWorld(context);
  const invite = dag.add({ type: 'm.room.member', sender: CREATOR, state_key: ERIN, content: { membership: 'invite' } });
  assert.deepEqual(await world.submit(dag.roomId, { receiveInvite: inviteInput(invite) }), { event_id: invite.eventId });
  assert.equal(await memberNow(world, dag.roomId, ERIN), undefined);
  await world.submit(dag.roomId, { receivePdu: received(dag, invite.eventId, { origin: 'one.test' }) });
  assert.equal(await memberNow(world, dag.roomId, ERIN), 'invite');
  assert.deepEqual(await outside(world), []);
  const needless = { ...invite.pdu, state_key: DAVE };
  assert.equal(await world.submit(dag.roomId, { receiveInvite: inviteInput(invite, { eventId: '$x', pdu: bytesOf(needless) }) }), '403 M_FORBIDDEN');
});

test('an invite ends when the server that made it says so, and no other; afterwards there is nothing to end', async (context) => {
  const { world, dag } = await invitedWorld(context);
  const endBy = (sender: string, membership: string) => dag.add({ type: 'm.room.member', sender, state_key: DAVE, content: { membership } });
  assert.equal(await world.submit(dag.roomId, { receiveInvite: inviteInput(endBy(ZOE, 'ban'), { origin: 'two.test' }) }), '403 M_FORBIDDEN');
  const kick = endBy(CREATOR, 'leave');
  assert.deepEqual(await world.submit(dag.roomId, { receiveInvite: inviteInput(kick) }), { event_id: kick.eventId });
  assert.deepEqual(await outside(world), [[DAVE, 'leave', kick.eventId]]);
  await world.submit(dag.roomId, { receiveInvite: inviteInput(endBy(CREATOR, 'ban')) });
  assert.deepEqual(await outside(world), [[DAVE, 'leave', kick.eventId]]);
  assert.deepEqual((await world.outputs()).map(({ outsideMembership }) => outsideMembership?.membership), ['invite', 'leave']);
});

test('who is invited leaves with the help of the inviting server; doing it again changes nothing', async (context) => {
  const { world, dag, invite } = await invitedWorld(context);
  const left = world.member(dag.roomId, 'leave', { via: ['two.test'], content: { reason: 'no' } });
  const need = await world.need();
  const { membership, via, content } = need.remoteMembership!;
  assert.deepEqual([membership, via, JSON.parse(Buffer.from(content).toString())], ['leave', ['one.test', 'two.test'], { membership: 'leave', reason: 'no' }]);
  const leave = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'leave' } });
  await world.answer(dag.roomId, need, { eventId: leave.eventId, pdu: bytesOf(leave.pdu), roomVersion: '11' });
  assert.equal(idIn(await left), leave.eventId);
  assert.equal(idIn(await world.member(dag.roomId, 'leave')), leave.eventId);
  assert.deepEqual(await outside(world), [[DAVE, 'leave', leave.eventId]]);
  const told = (await world.outputs()).flatMap(({ outsideMembership }) => outsideMembership ?? []);
  assert.deepEqual(told.map((one) => [one.membership, one.eventId]), [['invite', invite.eventId], ['leave', leave.eventId]]);
  assert.deepEqual(await world.waiting(), NOTHING);
  // A new invite is one.
  const second = dag.add({ type: 'm.room.member', sender: CREATOR, state_key: DAVE, content: { membership: 'invite' } });
  await world.submit(dag.roomId, { receiveInvite: inviteInput(second) });
  assert.deepEqual(await outside(world), [[DAVE, 'invite', second.eventId]]);
});

for (const how of ['refuses', 'says nothing', 'answers nonsense'] as const) {
  test(`who is invited can get rid of it, also when the other server ${how}`, async (context) => {
    const { world, dag, invite } = await invitedWorld(context);
    const left = world.member(dag.roomId, 'leave', { content: { reason: 'no' } });
    const need = await world.need();
    if (how === 'refuses') await world.answer(dag.roomId, need, { status: 403, errcode: 'M_FORBIDDEN' });
    if (how === 'answers nonsense') await world.answer(dag.roomId, need, { eventId: invite.eventId, pdu: bytesOf(invite.pdu), roomVersion: '11' });
    if (how === 'says nothing') await world.later(31_000);
    const eventId = idIn(await left);
    assert.deepEqual(await outside(world), [[DAVE, 'leave', eventId]]);
    const told = (await world.outputs()).at(-1)!.outsideMembership!;
    const pdu = JSON.parse(Buffer.from(told.pdu).toString()) as Pdu;
    assert.deepEqual([told.membership, pdu.prev_events, pdu.content, pdu.depth], ['leave', [invite.eventId], { membership: 'leave', reason: 'no' }, invite.pdu.depth + 1]);
    assert.deepEqual(await world.waiting(), NOTHING);
  });
}

test('an invite in the state of a room that this server has left can be declined, too', async (context) => {
  const { world, dag } = await joinedWorld(context);
  const invite = dag.send({ type: 'm.room.member', sender: CREATOR, state_key: ERIN, content: { membership: 'invite' } });
  await world.submit(dag.roomId, { receivePdu: received(dag, invite, { origin: 'one.test' }) });
  idIn(await world.member(dag.roomId, 'leave'));
  const left = world.member(dag.roomId, 'leave', { sender: ERIN });
  const need = await world.need();
  assert.deepEqual([need.remoteMembership!.userId, need.remoteMembership!.via], [ERIN, ['one.test']]);
  await world.answer(dag.roomId, need, { status: 502 });
  const eventId = idIn(await left);
  assert.deepEqual(await outside(world), [[ERIN, 'leave', eventId]]);
});

test('nobody waits for these: an answer to no need, a slice for none', async (context) => {
  const world = await createRemoteWorld(context);
  assert.deepEqual(await world.answer('!room:one.test', { needId: 'x', deadlineMs: 0 }), {});
  assert.deepEqual(await world.submit('!room:one.test', { importState: { needId: 'x', stageId: 'x', from: 0, to: 5, current: true, roomVersion: '11' } }), {});
  assert.deepEqual(await world.outputs(), []);
});
