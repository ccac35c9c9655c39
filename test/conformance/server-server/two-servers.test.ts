/** Two whole servers: invite, join, leave, and messages in both directions, in every room version. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { eventually } from '../../kit/eventually.ts';
import { createServerNetwork, type NetworkServer } from '../../kit/server-network.ts';

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

let txn = 0;
const room = (roomId: string, rest: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/${rest}`;
const say = (server: NetworkServer, token: string, roomId: string, body: string) =>
  server.call('PUT', room(roomId, `send/m.room.message/t${(txn += 1)}`), { token, body: { msgtype: 'm.text', body } });

for (const { id } of ROOM_VERSIONS) {
  test(`a room of version ${id} is shared: public join, messages both ways, leave and coming again`, async () => {
    const { room_id: roomId } = await a.call('POST', '/_matrix/client/v3/createRoom', { token: alice, body: { preset: 'public_chat', room_version: id, name: 'Shared' } }) as { room_id: string };
    await say(a, alice, roomId, 'before');
    await b.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?server_name=a.test`, { token: bob, body: {} });
    assert.equal((await b.call('GET', room(roomId, 'state/m.room.name/'), { token: bob })).name, 'Shared');
    await say(b, bob, roomId, 'from b');
    await eventually('a hears b', async () => (await a.messages(alice, roomId)).includes('from b'));
    await say(a, alice, roomId, 'from a');
    await eventually('b hears a', async () => (await b.messages(bob, roomId)).includes('from a'));
    await b.call('POST', room(roomId, 'leave'), { token: bob, body: {} });
    await eventually('a sees b leave', async () => (await a.call('GET', room(roomId, 'state/m.room.member/%40bob%3Ab.test'), { token: alice })).membership === 'leave');
    await b.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?server_name=a.test`, { token: bob, body: {} });
    await say(a, alice, roomId, 'again');
    await eventually('b hears a again', async () => (await b.messages(bob, roomId)).includes('again'));
  });
}

test('an invite is signed by the other server, and can be taken or declined', async () => {
  for (const take of [true, false]) {
    const { room_id: roomId } = await a.call('POST', '/_matrix/client/v3/createRoom', { token: alice, body: { preset: 'private_chat' } }) as { room_id: string };
    await a.call('POST', room(roomId, 'invite'), { token: alice, body: { user_id: '@bob:b.test' } });
    const invited = async (): Promise<boolean> => Object.hasOwn((await b.call('GET', '/_matrix/client/v3/sync', { token: bob })).rooms?.invite ?? {}, roomId);
    await eventually('the invite arrives', invited);
    if (take) await b.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, { token: bob, body: {} });
    else await b.call('POST', room(roomId, 'leave'), { token: bob, body: {} });
    await eventually('a sees it', async () => (await a.call('GET', room(roomId, 'state/m.room.member/%40bob%3Ab.test'), { token: alice })).membership === (take ? 'join' : 'leave'));
  }
});

test('who may not come in is told so by the other server', async () => {
  const { room_id: roomId } = await a.call('POST', '/_matrix/client/v3/createRoom', { token: alice, body: { preset: 'private_chat' } }) as { room_id: string };
  const { errcode } = await b.call('POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}?server_name=a.test`, { token: bob, body: {}, expected: 403 });
  assert.equal(errcode, 'M_FORBIDDEN');
});

test('messages to devices go between servers in order, and reach each device once', async () => {
  const bobs = async (since?: string) => b.call('GET', `/_matrix/client/v3/sync${since === undefined ? '' : `?since=${since}`}`, { token: bob });
  const send = (n: number) => a.call('PUT', `/_matrix/client/v3/sendToDevice/m.test/d${n}`, { token: alice, body: { messages: { '@bob:b.test': { '*': { n } }, '@nobody:b.test': { '*': { n } } } } });
  for (let n = 0; n < 5; n += 1) await send(n);
  await send(3);
  const got: unknown[] = [];
  let since: string | undefined;
  await eventually('all arrive', async () => {
    const answer = await bobs(since);
    since = answer.next_batch as string;
    for (const { type, sender, content } of (answer.to_device as { events: { type: string; sender: string; content: { n: number } }[] } | undefined)?.events ?? []) got.push([type, sender, content.n]);
    return got.length >= 5;
  });
  await sleep(300);
  assert.equal('to_device' in (await bobs(since)), false);
  assert.deepEqual(got, [0, 1, 2, 3, 4].map((n) => ['m.test', '@alice:a.test', n]));
});
