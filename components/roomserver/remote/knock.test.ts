/** Knocks on rooms that this server is in, and on rooms that it is not in (any more). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer } from '../../../schemas/log/room-input.ts';
import { bytesOf } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE } from '../../../test/kit/remote-world.ts';
import { ALICE, assertRefused, BOB, CAROL, createRoomDriver, eventIdIn, member, newRoom } from '../../../test/kit/room-driver.ts';
import { startRoom } from '../../../test/kit/random-room.ts';

for (const [version, joinRule] of [['7', 'knock'], ['10', 'knock_restricted'], ['12', 'knock']] as const) {
  test(`version ${version}, ${joinRule}: a knock is taken, and answered by an invite, a kick, or its own end`, async () => {
    const driver = await createRoomDriver();
    const { roomId, input } = newRoom({ version, joinRule: { join_rule: joinRule, allow: [] } });
    await driver.send(input);
    const did = async (sender: string, target: string, membership: string): Promise<string> => eventIdIn(await driver.send(member(roomId, sender, target, membership)));
    const first = await did(BOB, BOB, 'knock');
    assert.equal(await did(BOB, BOB, 'knock'), first, 'once is enough');
    assertRefused(await driver.send(member(roomId, BOB, BOB, 'join')), 403, 'M_FORBIDDEN');
    assertRefused(await driver.send(member(roomId, CAROL, BOB, 'invite')), 403, 'M_FORBIDDEN');
    await did(ALICE, BOB, 'invite');
    await did(BOB, BOB, 'join');
    assertRefused(await driver.send(member(roomId, BOB, BOB, 'knock')), 403, 'M_FORBIDDEN');
    await did(CAROL, CAROL, 'knock');
    await did(ALICE, CAROL, 'leave');
    await did(CAROL, CAROL, 'knock');
    await did(CAROL, CAROL, 'leave');
    assertRefused(await driver.send(member(roomId, CAROL, BOB, 'knock')), 403, 'M_FORBIDDEN');
    await driver.close();
  });
}

test('a room that takes no knocks, and one that this server has left, take none', async () => {
  const driver = await createRoomDriver();
  const [closed, old, left] = [newRoom({ name: 'closed' }), newRoom({ version: '6', name: 'old', joinRule: 'knock' }), newRoom({ name: 'left', joinRule: 'knock' })];
  await driver.batch([closed.input, old.input, left.input]);
  assertRefused(await driver.send(member(closed.roomId, BOB, BOB, 'knock')), 403, 'M_FORBIDDEN');
  assertRefused(await driver.send(member(old.roomId, BOB, BOB, 'knock')), 403, 'M_FORBIDDEN');
  assertRefused(await driver.send(member('!none:test.example', BOB, BOB, 'knock')), 404, 'M_NOT_FOUND');
  eventIdIn(await driver.send(member(left.roomId, ALICE, ALICE, 'leave')));
  for (let partition = 0; partition < 4; partition += 1) driver.processor.forget(partition);
  assertRefused(await driver.send(member(left.roomId, BOB, BOB, 'knock')), 404, 'M_NOT_FOUND');
  await driver.close();
});

const VIA = { via: ['one.test'] };
const TOLD = Buffer.from('[{"type":"m.room.name"}]');

for (const version of ['7', '12']) {
  test(`version ${version}: elsewhere another server takes the knock, and is asked first when it is taken back`, async (context) => {
    const world = await createRemoteWorld(context);
    const dag = startRoom(version);
    const knocked = world.member(dag.roomId, 'knock', { via: ['two.test', 'one.test'], content: { reason: 'hi', join_authorised_via_users_server: '@evil:x' } });
    const need = await world.need();
    const { userId, membership, via, content } = need.remoteMembership!;
    assert.deepEqual([userId, membership, via, JSON.parse(Buffer.from(content).toString())], [DAVE, 'knock', ['two.test', 'one.test'], { membership: 'knock', reason: 'hi' }]);
    await world.restart();
    const { eventId, pdu } = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'knock', reason: 'hi' } });
    await world.answer(dag.roomId, need, { origin: 'one.test', eventId, pdu: bytesOf(pdu), roomVersion: version, strippedState: TOLD });
    assert.deepEqual(await knocked, { room_id: dag.roomId, event_id: eventId });
    const told = (await world.outputs()).at(-1)!.outsideMembership!;
    assert.deepEqual([told.membership, told.userId, told.eventId, Buffer.from(told.strippedState).toString()], ['knock', DAVE, eventId, TOLD.toString()]);
    assert.deepEqual(await world.waiting(), { parked: 0, needs: 0 });
    const left = world.member(dag.roomId, 'leave', { via: ['two.test'] });
    const leaving = await world.need();
    assert.deepEqual([leaving.remoteMembership!.membership, leaving.remoteMembership!.via], ['leave', ['one.test', 'two.test']]);
    await world.answer(dag.roomId, leaving, { status: 502, errcode: 'M_UNKNOWN' });
    assert.equal(typeof await left, 'object', 'the user is out in any case');
  });
}

test('a knock that is refused, or answered by something else, is none', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const { eventId, pdu } = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'knock' } });
  const leave = dag.add({ type: 'm.room.member', sender: DAVE, state_key: DAVE, content: { membership: 'leave' } });
  const good = { eventId, pdu: bytesOf(pdu), roomVersion: '11' };
  const cases: [outcome: string, answer: Partial<Answer>][] = [
    ['403 M_FORBIDDEN', { status: 403, errcode: 'M_FORBIDDEN' }],
    ['502 M_UNKNOWN', { ...good, roomVersion: 'none' }],
    ['502 M_UNKNOWN', { ...good, eventId: leave.eventId }],
    ['502 M_UNKNOWN', { ...good, eventId: leave.eventId, pdu: bytesOf(leave.pdu) }],
    ['502 M_UNKNOWN', { ...good, pdu: Buffer.from('nonsense') }],
  ];
  for (const [outcome, answer] of cases) {
    const knocked = world.member(dag.roomId, 'knock', VIA);
    await world.answer(dag.roomId, await world.need(), answer);
    assert.equal(await knocked, outcome);
  }
  assert.ok((await world.outputs()).every(({ outsideMembership }) => !outsideMembership));
  assert.equal(await world.member(dag.roomId, 'knock', { via: [] }), '404 M_NOT_FOUND');
});
