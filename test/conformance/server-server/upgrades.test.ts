/** Two whole servers: a room is replaced, and what the other server and its user had for it goes along. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../../kit/eventually.ts';
import { createServerNetwork, type Body, type NetworkServer } from '../../kit/server-network.ts';

const CLIENT = '/_matrix/client/v3';
const encode = encodeURIComponent;
const network = createServerNetwork();
let a: NetworkServer;
let b: NetworkServer;
let alice: string;
let bob: string;

before(async () => {
  a = await network.add('a.test');
  b = await network.add('b.test');
  alice = await a.register('alice');
  bob = await b.register('bob');
});
after(() => network.close());

const room = (roomId: string, rest: string): string => `${CLIENT}/rooms/${encode(roomId)}/${rest}`;
const byAlice = (method: string, path: string, body?: object): Promise<Body> => a.call(method, path, { token: alice, body });
const byBob = (method: string, path: string, body?: object): Promise<Body> => b.call(method, path, { token: bob, body });

test('a room of version 10 is replaced by one of version 12: bans, aliases, the room directory, tags, push rules and direct chats go along', async () => {
  const { room_id: old } = await byAlice('POST', `${CLIENT}/createRoom`, { preset: 'public_chat', room_version: '10', name: 'Tea', visibility: 'public', room_alias_name: 'tea' });
  await byAlice('POST', room(old, 'ban'), { user_id: '@mallory:b.test', reason: 'spam' });
  await byBob('POST', `${CLIENT}/join/${encode(old)}?via=a.test`, {});
  await byBob('PUT', `${CLIENT}/directory/room/${encode('#tea:b.test')}`, { room_id: old });
  const ofBob = `${CLIENT}/user/${encode('@bob:b.test')}`;
  await byBob('PUT', `${ofBob}/rooms/${encode(old)}/tags/m.favourite`, { order: 0.5 });
  await byBob('PUT', `${ofBob}/account_data/m.direct`, { '@alice:a.test': [old] });
  await byBob('PUT', `${CLIENT}/pushrules/global/room/${encode(old)}`, { actions: [] });

  const { replacement_room: next } = await byAlice('POST', room(old, 'upgrade'), { new_version: '12' });
  assert.equal((await byAlice('GET', `${CLIENT}/directory/room/${encode('#tea:a.test')}`)).room_id, next);
  assert.equal((await byAlice('GET', room(next, 'state/m.room.canonical_alias'))).alias, '#tea:a.test');
  assert.deepEqual(await byAlice('GET', room(next, `state/m.room.member/${encode('@mallory:b.test')}`)), { membership: 'ban', reason: 'spam' });
  assert.deepEqual([await visibility(old), await visibility(next)], ['private', 'public']);

  await eventually('b hears of the tombstone', async () => (await byBob('GET', room(old, 'state'))).some(({ type }: { type: string }) => type === 'm.room.tombstone'));
  await byBob('POST', `${CLIENT}/join/${encode(next)}?via=a.test`, {});
  assert.deepEqual((await byBob('GET', `${ofBob}/rooms/${encode(next)}/tags`)).tags, { 'm.favourite': { order: 0.5 } });
  assert.deepEqual(await byBob('GET', `${ofBob}/account_data/m.direct`), { '@alice:a.test': [old, next] });
  assert.deepEqual((await byBob('GET', `${CLIENT}/pushrules/global/room/${encode(next)}`)).actions, []);
  assert.equal((await byBob('GET', `${CLIENT}/directory/room/${encode('#tea:b.test')}`)).room_id, next);
});

async function visibility(roomId: string): Promise<string> {
  return (await byAlice('GET', `${CLIENT}/directory/list/room/${encode(roomId)}`)).visibility as string;
}
