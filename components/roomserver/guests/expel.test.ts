/** Rooms that are closed to guests, over the real owners. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClientWorld, WORLD_SERVER, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { createExpeller, type ExpellerDeps } from './expel.ts';

const V3 = '/_matrix/client/v3';

function depsOf(world: ClientWorld, commands: ExpellerDeps['commands'] = { submitRoomInput: world.rooms.submit }): ExpellerDeps {
  return { database: world.roomDatabase, runtime: world.runtime, serverName: WORLD_SERVER, commands, members: world.roomQuery, guests: world.userQuery, owned: () => [0, 1, 2, 3] };
}

async function scene(): Promise<{ world: ClientWorld; alice: Session; guests: Session[]; roomId: string; set: (access: string) => Promise<unknown> }> {
  const world = await createClientWorld({ guests: true });
  const alice = await world.register('alice');
  const { body: { room_id: roomId } } = await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { preset: 'public_chat' } });
  const set = async (access: string) => {
    const answer = await world.call('PUT', `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.guest_access`, { token: alice.token, body: { guest_access: access } });
    assert.equal(answer.status, 200);
  };
  await set('can_join');
  const guests: Session[] = [];
  for (let number = 0; number < 3; number += 1) {
    const { body } = await world.call('POST', `${V3}/register?kind=guest`, { body: {} });
    guests.push({ userId: body.user_id, deviceId: body.device_id, token: body.access_token });
    assert.equal((await world.call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/join`, { token: body.access_token, body: {} })).status, 200);
  }
  return { world, alice, guests, roomId, set };
}

const membership = async (world: ClientWorld, roomId: string, { userId }: Session) => (await world.state(roomId, 'm.room.member', userId))?.['membership'];
const barred = async ({ roomDatabase }: ClientWorld) => (await roomDatabase.query('SELECT room_id FROM barred_rooms')).length;

async function pass(world: ClientWorld): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 20; i += 1) await world.runtime.settle();
    await world.runtime.advance(30_000);
  }
}

test('guests leave a room that is closed to them, users stay; who dies on the way leaves it to the next one', async () => {
  const { world, alice, guests, roomId, set } = await scene();
  assert.equal(await barred(world), 0, 'a room that was never open has nobody to be taken out');
  await set('forbidden');
  assert.equal(await barred(world), 1);
  let taken = 0;
  const first = createExpeller(depsOf(world, { submitRoomInput: async (one) => ((taken += 1) > 1 ? Promise.reject(new Error('dead')) : world.rooms.submit(one)) }));
  first.start();
  await pass(world);
  await first.stop();
  assert.equal(await barred(world), 1);
  assert.equal((await Promise.all(guests.map((guest) => membership(world, roomId, guest)))).filter((one) => one === 'leave').length, 1);
  const second = createExpeller(depsOf(world));
  second.start();
  await pass(world);
  await second.stop();
  assert.deepEqual(await Promise.all(guests.map((guest) => membership(world, roomId, guest))), ['leave', 'leave', 'leave']);
  assert.equal(await membership(world, roomId, alice), 'join');
  assert.equal(await barred(world), 0);
  await world.close();
});
