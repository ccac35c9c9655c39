/** Joins, invites and leaves over federation write the same rows and tell the same on every database. */
import assert from 'node:assert/strict';
import { after, test, type TestContext } from 'node:test';
import { roomSnapshot } from '../../../components/roomserver/query/snapshot.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { startRoom } from '../../kit/random-room.ts';
import { bytesOf } from '../../kit/received-room.ts';
import { createRemoteWorld, DAVE, ERIN, fulfilJoin } from '../../kit/remote-world.ts';
import { CREATOR } from '../../kit/room-state.ts';
import { allRows } from '../../kit/room-driver.ts';
import { onEachBackend, openPlace } from './backends.ts';

async function play(context: TestContext, database: Database): Promise<unknown> {
  const world = await createRemoteWorld(context, { database });
  const dag = startRoom('11');
  const { roomId } = dag;
  const receiveInvite = (userId: string) => {
    const { eventId, pdu } = dag.add({ type: 'm.room.member', sender: CREATOR, state_key: userId, content: { membership: 'invite' } });
    return world.submit(roomId, { receiveInvite: { eventId, pdu: bytesOf(pdu), origin: 'one.test', roomVersion: '11', strippedState: Buffer.from('[]') } });
  };
  const answers: unknown[] = [await receiveInvite(DAVE), await receiveInvite(ERIN)];
  const declined = world.member(roomId, 'leave', { sender: ERIN });
  await world.answer(roomId, await world.need(), { status: 403, errcode: 'M_FORBIDDEN' });
  answers.push(await declined);
  const outside = await database.query('SELECT room_id, user_id, membership, event_id, sequence FROM outside_memberships ORDER BY user_id');
  const join = async () => {
    const joined = world.member(roomId, 'join', { via: ['one.test'] });
    await fulfilJoin(world, dag, await world.need());
    return joined;
  };
  answers.push(await join());
  const invited = world.member(roomId, 'invite', { target: '@zoe:two.test' });
  const need = await world.need();
  answers.push(await world.message(roomId, DAVE));
  const pdu = JSON.parse(Buffer.from(need.signInvite!.pdu).toString()) as Pdu;
  await world.answer(roomId, need, { pdu: bytesOf({ ...pdu, signatures: { ...pdu.signatures, 'two.test': { 'ed25519:1': 'x' } } }) });
  answers.push(await invited, await world.member(roomId, 'leave'));
  dag.send({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'leave' } });
  answers.push(await join(), await world.message(roomId, DAVE));
  const snapshot = JSON.stringify((await roomSnapshot(database, 0, 0, 1000)).map(({ sequence, output: { event, stateSlice, outsideMembership } }) =>
    [sequence, event && [event.eventId, event.stateDelta], stateSlice && [stateSlice.reset, stateSlice.changes.map((change) => JSON.stringify(change)).sort()], outsideMembership?.eventId]));
  return { answers, outside: outside.map((row) => ({ ...row })), snapshot, waiting: await world.waiting(), rows: await allRows(database) };
}

let expected: unknown;
after(() => assert.ok(expected !== undefined));

onEachBackend('what needs other servers', (backend) => {
  test('the same story gives the same rows, records and answers', { timeout: 60_000 }, async (context) => {
    const result = await play(context, await openPlace(backend.place()));
    expected ??= result;
    assert.deepEqual(result, expected);
    assert.deepEqual((result as { waiting: unknown }).waiting, { parked: 0, needs: 0 });
  });
});
