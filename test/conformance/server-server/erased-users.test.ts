/** Two whole servers: what a user has said who had their account erased is given redacted to servers that were not in the room. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { createServerNetwork, type NetworkServer } from '../../kit/server-network.ts';

const V3 = '/_matrix/client/v3';
const PASSWORD = 'correct horse battery';
const network = createServerNetwork();
let a: NetworkServer;
let b: NetworkServer;

before(async () => {
  a = await network.add('a.test');
  b = await network.add('b.test');
});
after(() => network.close());

const room = (roomId: string, rest: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}/${rest}`;

async function bodiesSeen(token: string, roomId: string): Promise<string[]> {
  const { chunk } = await b.call('GET', room(roomId, 'messages?dir=b&limit=50'), { token }) as { chunk: { type: string; content: { body?: string } }[] };
  return chunk.filter(({ type }) => type === 'm.room.message').map(({ content }) => content.body ?? 'redacted');
}

test('a server that comes later gets redacted forms, one that was there keeps what it has', async () => {
  const [alice, bob] = [await a.register('alice'), await b.register('bob')];
  const { access_token: gone } = await a.call('POST', `${V3}/register`, { body: { username: 'gone', password: PASSWORD, auth: { type: 'm.login.dummy' } } }) as { access_token: string };
  const rooms: Record<string, string> = {};
  for (const name of ['shared', 'later']) {
    const { room_id: roomId } = await a.call('POST', `${V3}/createRoom`, { token: alice, body: { preset: 'public_chat' } }) as { room_id: string };
    rooms[name] = roomId;
    if (name === 'shared') await b.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=a.test`, { token: bob, body: {} });
    await a.call('POST', room(roomId, 'join'), { token: gone, body: {} });
    await a.call('PUT', room(roomId, 'send/m.room.message/1'), { token: gone, body: { msgtype: 'm.text', body: 'secret' } });
    await a.call('PUT', room(roomId, 'send/m.room.message/2'), { token: alice, body: { msgtype: 'm.text', body: 'hello' } });
  }
  const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'gone' }, password: PASSWORD };
  await a.call('POST', `${V3}/account/deactivate`, { token: gone, body: { erase: true, auth } });
  await b.call('POST', `${V3}/join/${encodeURIComponent(rooms['later']!)}?server_name=a.test`, { token: bob, body: {} });
  for (let tries = 0; tries < 100 && !(await bodiesSeen(bob, rooms['later']!)).includes('hello'); tries += 1) await sleep(50);
  assert.deepEqual(await bodiesSeen(bob, rooms['later']!), ['hello', 'redacted']);
  assert.deepEqual(await bodiesSeen(bob, rooms['shared']!), ['hello', 'secret']);
});
