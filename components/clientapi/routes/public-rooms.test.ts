import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError, type FederationRequest } from '../../../pkg/federation/transport.ts';
import { createClientWorld, type ClientWorld, type Elsewhere, type Session } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';

interface Scene extends ClientWorld {
  readonly alice: Session;
  readonly bob: Session;
  make(body: object): Promise<string>;
}

async function scene(work: (scene: Scene) => Promise<void>, elsewhere: Elsewhere = {}, appservices: Parameters<typeof createClientWorld>[1] = []): Promise<void> {
  const world = await createClientWorld({}, appservices, elsewhere);
  try {
    const [alice, bob] = [await world.register('alice'), await world.register('bob')];
    const make = async (body: object): Promise<string> => (await world.call('POST', `${V3}/createRoom`, { token: alice.token, body })).body.room_id as string;
    await work({ ...world, alice, bob, make });
  } finally {
    await world.close();
  }
}

const list = (roomId: string) => `${V3}/directory/list/room/${encodeURIComponent(roomId)}`;
const names = (body: { chunk: { name: string }[] }) => body.chunk.map(({ name }) => name);

test('a room comes into the directory with createRoom or by who may name it, and goes again', () => scene(async ({ call, make, alice, bob }) => {
  const hidden = await make({ name: 'hidden' });
  const open = await make({ name: 'open', topic: 'tea', visibility: 'public', room_alias_name: 'open', preset: 'public_chat', creation_content: { type: 'm.space' } });
  assert.deepEqual((await call('GET', list(hidden))).body, { visibility: 'private' });
  assert.deepEqual((await call('GET', list(open))).body, { visibility: 'public' });
  assert.deepEqual((await call('GET', `${V3}/publicRooms`)).body, {
    chunk: [{
      room_id: open, name: 'open', topic: 'tea', canonical_alias: '#open:test.example', num_joined_members: 1, world_readable: false, guest_can_join: false, join_rule: 'public', room_type: 'm.space',
    }],
    total_room_count_estimate: 1,
  });
  for (const who of [undefined, bob.token]) {
    const refused = await call('PUT', list(hidden), { ...(who !== undefined && { token: who }), body: {} });
    assert.deepEqual([refused.status, refused.body.errcode], who === undefined ? [401, 'M_MISSING_TOKEN'] : [403, 'M_FORBIDDEN']);
  }
  assert.equal((await call('PUT', list(hidden), { token: alice.token, body: {} })).status, 200);
  assert.equal((await call('GET', `${V3}/publicRooms`)).body.chunk.length, 2);
  assert.equal((await call('PUT', list(open), { token: alice.token, body: { visibility: 'private' } })).status, 200);
  assert.deepEqual(names((await call('GET', `${V3}/publicRooms`)).body), ['hidden']);
  await call('POST', `${V3}/rooms/${encodeURIComponent(hidden)}/leave`, { token: alice.token, body: {} });
  assert.deepEqual(names((await call('GET', `${V3}/publicRooms`)).body), [], 'nobody is there any more');
  const unknown = await call('GET', list('!nowhere:test.example'));
  assert.deepEqual([unknown.status, unknown.body.errcode], [404, 'M_NOT_FOUND']);
  assert.equal((await call('PUT', list('!nowhere:test.example'), { token: alice.token, body: {} })).status, 404);
  assert.equal((await call('PUT', list(open), { token: alice.token, body: { visibility: 'maybe' } })).body.errcode, 'M_INVALID_PARAM');
}));

test('what the directory says of a room follows its state, and redactions of it', () => scene(async ({ call, make, alice, bob }) => {
  const roomId = await make({ name: 'before', visibility: 'public' });
  const put = (type: string, body: object) => call('PUT', `${V3}/rooms/${encodeURIComponent(roomId)}/state/${type}`, { token: alice.token, body });
  const shown = async () => (await call('GET', `${V3}/publicRooms`)).body.chunk[0];
  assert.equal((await shown()).name, 'before');
  await put('m.room.name', { name: 'after' });
  await put('m.room.history_visibility', { history_visibility: 'world_readable' });
  await put('m.room.guest_access', { guest_access: 'can_join' });
  await put('m.room.avatar', { url: 'mxc://a/b' });
  await call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/join`, { token: bob.token, body: {} });
  assert.deepEqual(await shown(), { room_id: roomId, name: 'after', num_joined_members: 2, world_readable: true, guest_can_join: true, join_rule: 'public', avatar_url: 'mxc://a/b' });
  const { body: { event_id: named } } = await put('m.room.name', { name: 'shameful' });
  assert.equal((await shown()).name, 'shameful');
  await call('PUT', `${V3}/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(named)}/t1`, { token: alice.token, body: {} });
  assert.equal((await shown()).name, undefined);
}));

test('pages go from the biggest room to the smallest and back, whatever is asked for', () => scene(async ({ call, make, bob }) => {
  for (const name of ['one', 'two', 'three', 'four', 'five']) {
    const roomId = await make({ name, visibility: 'public', topic: name.startsWith('t') ? '100% tea_' : 'milk', ...(name === 'two' && { creation_content: { type: 'm.space' } }) });
    if (name === 'three') await call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/join`, { token: bob.token, body: {} });
  }
  const ask = async (query: string) => (await call('GET', `${V3}/publicRooms?${query}`)).body;
  const all = names(await ask(''));
  assert.deepEqual([all.length, all[0]], [5, 'three']);
  const first = await ask('limit=2');
  assert.deepEqual([names(first), first.prev_batch, first.total_room_count_estimate], [all.slice(0, 2), undefined, 5]);
  const second = await ask(`limit=2&since=${first.next_batch}`);
  assert.deepEqual(names(second), all.slice(2, 4));
  const third = await ask(`limit=2&since=${second.next_batch}`);
  assert.deepEqual([names(third), third.next_batch], [all.slice(4), undefined]);
  const back = await ask(`limit=2&since=${third.prev_batch}`);
  assert.deepEqual(names(back), all.slice(2, 4));
  const start = await ask(`limit=2&since=${back.prev_batch}`);
  assert.deepEqual([names(start), start.prev_batch], [all.slice(0, 2), undefined]);
  assert.equal((await ask('since=rubbish')).errcode, 'M_INVALID_PARAM');
  assert.equal((await ask('limit=-1')).errcode, 'M_INVALID_PARAM');

  const search = async (body: object) => {
    const answer = (await call('POST', `${V3}/publicRooms`, { token: bob.token, body })).body;
    return names(answer).sort();
  };
  assert.deepEqual(await search({ filter: { generic_search_term: 'TEA_' } }), ['three', 'two']);
  assert.deepEqual(await search({ filter: { generic_search_term: '%' } }), ['three', 'two']);
  assert.deepEqual(await search({ filter: { generic_search_term: '\u3000' } }), ['three', 'two'], 'compared in a normal form');
  assert.deepEqual(await search({ filter: { room_types: ['m.space'] } }), ['two']);
  assert.deepEqual(await search({ filter: { room_types: [null] } }), ['five', 'four', 'one', 'three']);
  assert.deepEqual(await search({ filter: { room_types: [null, 'm.space'], generic_search_term: 'tw' } }), ['two']);
  assert.deepEqual(await search({ filter: { room_types: [] } }), []);
  assert.equal((await call('POST', `${V3}/publicRooms`, { body: {} })).status, 401);
  assert.equal((await call('POST', `${V3}/publicRooms`, { token: bob.token, body: { limit: 'many' } })).body.errcode, 'M_BAD_JSON');
}));

const IRC = { id: 'irc', url: null, asToken: 'irc-token', hsToken: 'h', senderLocalpart: 'ircbot', isRateLimited: true, protocols: [], receivesEphemeral: false, namespaces: { users: [], aliases: [], rooms: [] } };

test('networks of application services have lists of their own', () => scene(async ({ call, make, alice, bob }) => {
  const bridged = await make({ name: 'bridged' });
  await make({ name: 'own', visibility: 'public' });
  const path = `${V3}/directory/list/appservice/irc/${encodeURIComponent(bridged)}`;
  assert.equal((await call('PUT', path, { token: alice.token, body: { visibility: 'public' } })).body.errcode, 'M_UNKNOWN_TOKEN');
  assert.equal((await call('PUT', path, { token: 'irc-token', body: {} })).body.errcode, 'M_MISSING_PARAM');
  assert.equal((await call('PUT', path, { token: 'irc-token', body: { visibility: 'public' } })).status, 200);
  const ask = async (body: object) => names((await call('POST', `${V3}/publicRooms`, { token: bob.token, body })).body).sort();
  assert.deepEqual(await ask({}), ['own']);
  assert.deepEqual(await ask({ third_party_instance_id: 'irc' }), ['bridged']);
  assert.deepEqual(await ask({ third_party_instance_id: 'ir' }), []);
  assert.deepEqual(await ask({ include_all_networks: true }), ['bridged', 'own']);
  assert.equal((await call('POST', `${V3}/publicRooms`, { token: bob.token, body: { include_all_networks: true, third_party_instance_id: 'irc' } })).body.errcode, 'M_INVALID_PARAM');
  assert.deepEqual((await call('GET', list(bridged))).body, { visibility: 'private' });
  await call('PUT', path, { token: 'irc-token', body: { visibility: 'private' } });
  assert.deepEqual(await ask({ include_all_networks: true }), ['own']);
}, {}, [IRC]));

test('another server is asked for its directory on behalf of users of this one only', () => {
  const asked: FederationRequest[] = [];
  const transport = {
    request: async (request: FederationRequest) => {
      asked.push(request);
      if (request.destination === 'closed.example') throw new FederationError('http', 'no', { status: 403, errcode: 'M_FORBIDDEN' });
      if (request.destination !== 'far.example') throw new FederationError('unreachable', 'nobody');
      return { status: 200, body: { chunk: [{ room_id: '!far:far.example', num_joined_members: 9, world_readable: true, guest_can_join: false, name: 'far', more: 1 }, 'rubbish'], next_batch: 'n1' } };
    },
  };
  return scene(async ({ call, alice }) => {
    assert.equal((await call('GET', `${V3}/publicRooms?server=far.example`)).status, 401);
    const page = await call('GET', `${V3}/publicRooms?server=far.example&limit=3&since=s1`, { token: alice.token });
    assert.deepEqual(page.body, { chunk: [{ room_id: '!far:far.example', num_joined_members: 9, world_readable: true, guest_can_join: false, name: 'far' }], next_batch: 'n1' });
    assert.deepEqual([asked[0]!.method, asked[0]!.path, asked[0]!.query], ['GET', '/_matrix/federation/v1/publicRooms', { limit: '3', include_all_networks: 'false', since: 's1' }]);
    await call('POST', `${V3}/publicRooms?server=far.example`, { token: alice.token, body: { filter: { generic_search_term: 'x' } } });
    assert.deepEqual([asked[1]!.method, asked[1]!.body?.['filter']], ['POST', { generic_search_term: 'x' }]);
    assert.equal((await call('GET', `${V3}/publicRooms?server=closed.example`, { token: alice.token })).status, 403);
    assert.equal((await call('GET', `${V3}/publicRooms?server=gone.example`, { token: alice.token })).body.errcode, 'M_NOT_FOUND');
    assert.equal((await call('GET', `${V3}/publicRooms?server=no%20server`, { token: alice.token })).body.errcode, 'M_INVALID_PARAM');
    assert.deepEqual((await call('GET', `${V3}/publicRooms?server=test.example`)).body.chunk, []);
  }, { signedTransport: transport });
});
