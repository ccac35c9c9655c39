/** Two whole servers: one looks into the directory, the spaces and the profiles of the other. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { createServerNetwork, type Body, type NetworkServer } from '../../kit/server-network.ts';

const V1 = '/_matrix/client/v1';
const V3 = '/_matrix/client/v3';

const network = createServerNetwork();
let a: NetworkServer;
let b: NetworkServer;
let alice: string;
let bob: string;
let space: string;
let open: string;
let closed: string;

const room = (roomId: string, rest: string): string => `${V3}/rooms/${encodeURIComponent(roomId)}/${rest}`;

before(async () => {
  a = await network.add('a.test');
  b = await network.add('b.test');
  alice = await a.register('alice');
  bob = await b.register('bob');
  const make = async (body: object): Promise<string> => (await a.call('POST', `${V3}/createRoom`, { token: alice, body })).room_id;
  open = await make({ name: 'Open', topic: 'tea', preset: 'public_chat', visibility: 'public', room_alias_name: 'open' });
  closed = await make({ name: 'Closed' });
  const readable = await make({ name: 'Readable', initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }] });
  const inner = await make({ name: 'Inner', preset: 'public_chat', creation_content: { type: 'm.space' }, initial_state: [child(open, 1)] });
  space = await make({ name: 'Space', preset: 'public_chat', visibility: 'public', creation_content: { type: 'm.space' }, initial_state: [child(inner, 1), child(closed, 2), child(readable, 3)] });
});
after(() => network.close());

function child(roomId: string, order: number): object {
  return { type: 'm.space.child', state_key: roomId, content: { via: ['a.test'], order: String(order) } };
}

const names = (rooms: Body[]): string[] => rooms.map(({ name }) => name);

test('the room directory of the other server is shown, searched and paged', async () => {
  const ask = (query = '') => b.call('GET', `${V3}/publicRooms?server=a.test${query}`, { token: bob });
  const all = await ask();
  assert.deepEqual(names(all.chunk).sort(), ['Open', 'Space']);
  const first = await ask('&limit=1');
  const second = await ask(`&limit=1&since=${first.next_batch}`);
  assert.deepEqual([...names(first.chunk), ...names(second.chunk)].sort(), ['Open', 'Space']);
  assert.deepEqual(names((await b.call('POST', `${V3}/publicRooms?server=a.test`, { token: bob, body: { filter: { generic_search_term: 'TEA' } } })).chunk), ['Open']);
  assert.deepEqual(names((await b.call('POST', `${V3}/publicRooms?server=a.test`, { token: bob, body: { filter: { room_types: ['m.space'] } } })).chunk), ['Space']);
});

test('a space that nobody here is in cannot be looked into by its ID alone; one that somebody is in can, down to the rooms of the other server', async () => {
  const hierarchy = (rest = '', expected = 200) => b.call('GET', `${V1}/rooms/${encodeURIComponent(space)}/hierarchy?${rest}`, { token: bob, expected });
  assert.equal((await hierarchy('', 403)).errcode, 'M_FORBIDDEN');
  const summary = (path: string, expected = 200) => b.call('GET', `${V1}/room_summary/${path}`, { token: bob, expected });
  assert.deepEqual([(await summary(`${encodeURIComponent(space)}?via=nobody.test&via=a.test`)).name, (await summary(encodeURIComponent('#open:a.test'))).topic], ['Space', 'tea']);
  await summary(`${encodeURIComponent(closed)}?via=a.test`, 404);
  await b.call('POST', `${V3}/join/${encodeURIComponent(space)}?via=a.test`, { token: bob, body: {} });
  assert.deepEqual(names((await hierarchy()).rooms), ['Space', 'Inner', 'Open', 'Readable']);
  const pages: string[] = [];
  let from = '';
  do {
    const page: Body = await hierarchy(`limit=1${from}`);
    pages.push(...names(page.rooms));
    from = page.next_batch === undefined ? '' : `&from=${page.next_batch}`;
  } while (from !== '');
  assert.deepEqual(pages, ['Space', 'Inner', 'Open', 'Readable']);
});

test('who is invited is told of the room by the server of who has invited them', async () => {
  const hierarchy = (expected: number) => b.call('GET', `${V1}/rooms/${encodeURIComponent(closed)}/hierarchy`, { token: bob, expected });
  const isInvited = async (): Promise<boolean> => Object.hasOwn((await b.call('GET', `${V3}/sync`, { token: bob })).rooms?.invite ?? {}, closed);
  assert.equal((await hierarchy(403)).errcode, 'M_FORBIDDEN');
  await a.call('POST', room(closed, 'invite'), { token: alice, body: { user_id: '@bob:b.test' } });
  for (let tries = 0; tries < 100 && !(await isInvited()); tries += 1) await sleep(20);
  assert.deepEqual(names((await hierarchy(200)).rooms), ['Closed']);
  const { name, membership } = await b.call('GET', `${V1}/room_summary/${encodeURIComponent(closed)}?via=a.test`, { token: bob });
  assert.deepEqual([name, membership], ['Closed', 'invite']);
});

test('a profile is told by its own server', async () => {
  await a.call('PUT', `${V3}/profile/@alice:a.test/displayname`, { token: alice, body: { displayname: 'Alice' } });
  await a.call('PUT', `${V3}/profile/@alice:a.test/org.example.job`, { token: alice, body: { 'org.example.job': ['tea'] } });
  assert.deepEqual(await b.call('GET', `${V3}/profile/@alice:a.test`, { token: bob }), { displayname: 'Alice', 'org.example.job': ['tea'] });
  assert.deepEqual(await b.call('GET', `${V3}/profile/@alice:a.test/org.example.job`), { 'org.example.job': ['tea'] });
  await b.call('GET', `${V3}/profile/@nobody:a.test`, { token: bob, expected: 404 });
});
