/** Room aliases through the router, over the real roomserver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppserviceRegistration } from '../../../schemas/config/appservice.ts';
import { createClientWorld, type Answer, type ClientWorld, type Elsewhere, type Session } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';
const SERVICE: AppserviceRegistration = {
  id: 'irc', url: null, asToken: 'as-irc', hsToken: 'hs-irc', senderLocalpart: '_irc_bot',
  namespaces: { users: [], aliases: [{ regex: '#irc_.*', isExclusive: true }, { regex: '#open_.*', isExclusive: false }], rooms: [] },
  isRateLimited: false, protocols: [], receivesEphemeral: false,
};

interface Scene {
  readonly world: ClientWorld;
  readonly alice: Session;
  readonly bob: Session;
  readonly roomId: string;
}

async function scene(work: (scene: Scene) => Promise<void>, elsewhere: Elsewhere = {}): Promise<void> {
  const world = await createClientWorld({}, [SERVICE], elsewhere);
  try {
    const [alice, bob] = [await world.register('alice'), await world.register('bob')];
    const { body } = await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { preset: 'public_chat', room_version: '11' } });
    await work({ world, alice, bob, roomId: body.room_id });
  } finally {
    await world.close();
  }
}

const said = ({ status, body }: Answer): string => `${status} ${body.errcode ?? ''}`.trim();
const path = (alias: string): string => `${V3}/directory/room/${encodeURIComponent(alias)}`;
const TEA = '#tea:test.example';

function verbs({ world, roomId }: Scene) {
  return {
    put: (token: string, alias = TEA, body: unknown = { room_id: roomId }) => world.call('PUT', path(alias), { token, body }),
    get: (alias = TEA) => world.call('GET', path(alias)),
    drop: (token: string, alias = TEA) => world.call('DELETE', path(alias), { token }),
    list: (token: string) => world.call('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/aliases`, { token }),
    name: (token: string, content: unknown) => world.call('PUT', `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.canonical_alias`, { token, body: content }),
  };
}

test('an alias is made, found, listed and deleted by who may', () => scene(async (all) => {
  const { world, alice, bob, roomId } = all;
  const { put, get, drop, list } = verbs(all);
  assert.equal(said(await put(bob.token)), '403 M_FORBIDDEN');
  assert.equal(said(await put(alice.token)), '200');
  assert.equal(said(await put(alice.token)), '409 M_UNKNOWN');
  assert.deepEqual((await get()).body, { room_id: roomId, servers: ['test.example'] });
  assert.deepEqual((await list(alice.token)).body, { aliases: [TEA] });
  assert.equal(said(await list(bob.token)), '403 M_FORBIDDEN');
  assert.equal(said(await world.call('POST', `${V3}/join/${encodeURIComponent(TEA)}`, { token: bob.token, body: {} })), '200');
  assert.equal(said(await drop(bob.token)), '403 M_FORBIDDEN');
  assert.equal(said(await put(bob.token, '#bobs:test.example')), '200');
  assert.equal(said(await drop(bob.token, '#bobs:test.example')), '200', 'who made it may delete it');
  assert.equal(said(await put(bob.token, '#bobs:test.example')), '200');
  assert.equal(said(await drop(alice.token, '#bobs:test.example')), '200', 'who has power in the room may');
  assert.equal(said(await drop(alice.token)), '200');
  assert.equal(said(await drop(alice.token)), '404 M_NOT_FOUND');
  assert.equal(said(await get()), '404 M_NOT_FOUND');
  assert.equal(said(await put(alice.token, '#tea:elsewhere.example')), '400 M_INVALID_PARAM');
  assert.equal(said(await drop(alice.token, '#tea:elsewhere.example')), '400 M_INVALID_PARAM');
  assert.equal(said(await put(alice.token, 'tea')), '400 M_INVALID_PARAM');
  assert.equal(said(await get('tea')), '400 M_INVALID_PARAM');
}));

test('anybody lists the aliases of a world-readable room', () => scene(async (all) => {
  const { world, alice, bob, roomId } = all;
  await world.call('PUT', `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.history_visibility`, { token: alice.token, body: { history_visibility: 'world_readable' } });
  assert.deepEqual((await verbs(all).list(bob.token)).body, { aliases: [] });
}));

test('a room is made with its alias, which nobody else can then have; a room that is refused leaves the alias free', () => scene(async (all) => {
  const { world, alice } = all;
  const create = (body: object) => world.call('POST', `${V3}/createRoom`, { token: alice.token, body });
  const made = await create({ room_alias_name: 'tea', name: 'Tea' });
  assert.equal(made.status, 200);
  assert.equal((await verbs(all).get()).body.room_id, made.body.room_id);
  assert.deepEqual(await world.state(made.body.room_id, 'm.room.canonical_alias'), { alias: TEA });
  const types = (await world.events(made.body.room_id)).map((event) => JSON.parse(Buffer.from(event.pdu).toString()).type);
  assert.deepEqual(types.slice(2, 5), ['m.room.power_levels', 'm.room.canonical_alias', 'm.room.join_rules']);
  const told = world.rooms.outputs.length;
  assert.equal(said(await create({ room_alias_name: 'tea' })), '400 M_ROOM_IN_USE');
  for (const name of ['', 'a:b', 'x'.repeat(300)]) assert.equal(said(await create({ room_alias_name: name })), '400 M_INVALID_PARAM', name.slice(0, 9));
  assert.equal(said(await create({ room_alias_name: 'irc_tea' })), '400 M_EXCLUSIVE');
  const refused = await create({ room_alias_name: 'coffee', room_version: '11', name: 'N', power_level_content_override: { users: { [alice.userId]: 0 } } });
  assert.equal(said(refused), '400 M_INVALID_ROOM_STATE');
  assert.equal(world.rooms.outputs.length, told);
  assert.deepEqual(await world.roomDatabase.query('SELECT alias FROM aliases'), [{ alias: TEA }]);
  assert.equal(said(await create({ room_alias_name: 'coffee' })), '200');
}));

test('a room can only call itself by aliases that point to it; those it has are not asked after again, and deleted ones are taken away', () => scene(async (all) => {
  const { world, alice, bob, roomId } = all;
  const { put, drop, name } = verbs(all);
  const content = () => world.state(roomId, 'm.room.canonical_alias');
  assert.equal(said(await name(alice.token, { alias: TEA })), '400 M_BAD_ALIAS');
  for (const alias of [TEA, '#b:test.example', '#c:test.example']) await put(alice.token, alias);
  assert.equal(said(await name(alice.token, { alias: TEA, alt_aliases: ['#b:test.example', '#none:test.example'] })), '400 M_BAD_ALIAS');
  assert.equal(said(await name(alice.token, { alias: TEA, alt_aliases: ['b'] })), '400 M_INVALID_PARAM');
  assert.equal(said(await name(alice.token, { alias: TEA, alt_aliases: ['#b:test.example', '#c:test.example'], 'x.y': 1 })), '200');
  await drop(alice.token, '#b:test.example');
  assert.deepEqual(await content(), { alias: TEA, alt_aliases: ['#c:test.example'], 'x.y': 1 });
  await world.call('POST', `${V3}/join/${encodeURIComponent(roomId)}`, { token: bob.token, body: {} });
  await put(bob.token, '#bobs:test.example');
  await name(alice.token, { alias: TEA, alt_aliases: ['#c:test.example', '#bobs:test.example'] });
  assert.equal(said(await drop(bob.token, '#bobs:test.example')), '200', 'gone, though Bob may not change the event');
  assert.equal((await content())?.['alt_aliases'] instanceof Array && ((await content())!['alt_aliases'] as string[]).length, 2);
  assert.equal(said(await name(alice.token, { alias: '#bobs:test.example', alt_aliases: [TEA] })), '200', 'it had it before');
  await drop(alice.token);
  assert.deepEqual(await content(), { alias: '#bobs:test.example' });
}));

test('aliases of other servers are asked for there', () => {
  const asked: string[] = [];
  let target = '';
  const signedTransport: Elsewhere['signedTransport'] = {
    request: (request) => {
      asked.push(`${request.destination} ${request.query?.['room_alias']}`);
      return Promise.resolve({ status: 200, body: { room_id: target, servers: ['far.example'] } } as never);
    },
  };
  return scene(async (all) => {
    target = all.roomId;
    assert.equal(said(await verbs(all).name(all.alice.token, { alias: '#far:far.example' })), '200');
    target = '!another:far.example';
    assert.equal(said(await verbs(all).name(all.alice.token, { alias: '#far:far.example', alt_aliases: ['#new:far.example'] })), '400 M_BAD_ALIAS');
    assert.deepEqual(asked, ['far.example #far:far.example', 'far.example #new:far.example']);
    assert.deepEqual((await verbs(all).get('#far:far.example')).body, { room_id: target, servers: ['far.example'] });
  }, { signedTransport });
});

test('application services have their namespaces of aliases', () => scene(async (all) => {
  const { alice } = all;
  const { put, drop } = verbs(all);
  assert.equal(said(await put(alice.token, '#irc_tea:test.example')), '400 M_EXCLUSIVE');
  assert.equal(said(await put('as-irc', TEA)), '400 M_EXCLUSIVE');
  assert.equal(said(await put('as-irc', '#irc_tea:test.example')), '200', 'it need not be in the room');
  assert.equal(said(await put(alice.token, '#open_tea:test.example')), '200');
  assert.equal(said(await put(alice.token)), '200');
  assert.equal(said(await drop('as-irc')), '403 M_FORBIDDEN');
  assert.equal(said(await drop('as-irc', '#open_tea:test.example')), '200');
}));
