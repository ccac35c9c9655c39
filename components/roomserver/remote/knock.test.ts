/** Knocks on rooms that this server is in, and on rooms that it is not in (any more). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, assertRefused, BOB, CAROL, createRoomDriver, eventIdIn, member, newRoom } from '../../../test/kit/room-driver.ts';

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
