import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError, type FederationRequest } from '../../../pkg/federation/transport.ts';
import { createClientWorld, type ClientWorld, type Elsewhere, type Session } from '../../../test/kit/client-world.ts';

const V1 = '/_matrix/client/v1';
const V3 = '/_matrix/client/v3';

interface Scene extends ClientWorld {
  readonly alice: Session;
  readonly bob: Session;
  make(name: string, body?: object): Promise<string>;
  /** Puts a room into a space. */
  child(space: string, roomId: string, content?: object): Promise<void>;
  /** Names of the rooms on a page, and the token of the next. */
  page(roomId: string, query?: string, token?: string): Promise<{ names: string[]; next: string | undefined; status: number; errcode: string | undefined; rooms: { children_state: { state_key: string }[] }[] }>;
}

const SPACE = { creation_content: { type: 'm.space' } };
const OPEN = { preset: 'public_chat' };

async function scene(work: (scene: Scene) => Promise<void>, elsewhere: Elsewhere = {}): Promise<void> {
  const world = await createClientWorld({}, [], elsewhere);
  try {
    const [alice, bob] = [await world.register('alice'), await world.register('bob')];
    await work({
      ...world, alice, bob,
      make: async (name, body = OPEN) => (await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { name, ...body } })).body.room_id as string,
      async child(space, roomId, content = {}) {
        await world.runtime.advance(1000);
        const path = `${V3}/rooms/${encodeURIComponent(space)}/state/m.space.child/${encodeURIComponent(roomId)}`;
        assert.equal((await world.call('PUT', path, { token: alice.token, body: { via: ['test.example'], ...content } })).status, 200);
      },
      async page(roomId, query = '', token = bob.token) {
        const { status, body } = await world.call('GET', `${V1}/rooms/${encodeURIComponent(roomId)}/hierarchy?${query}`, { token });
        return { status, errcode: body.errcode, rooms: body.rooms, names: (body.rooms ?? []).map(({ name }: { name: string }) => name), next: body.next_batch };
      },
    });
  } finally {
    await world.close();
  }
}

test('a space is walked depth first, children in their order, and a room that contains itself once', () => scene(async ({ make, child, page }) => {
  const top = await make('top', { ...OPEN, ...SPACE });
  const inner = await make('inner', { ...OPEN, ...SPACE });
  const [first, last, deep] = [await make('first'), await make('last'), await make('deep')];
  await child(top, last);
  await child(top, inner, { order: 'b' });
  await child(top, first, { order: 'a', suggested: true });
  await child(top, '!unknown:elsewhere.example');
  await child(inner, deep);
  await child(inner, top);
  await child(inner, inner);
  const all = await page(top);
  assert.deepEqual(all.names, ['top', 'first', 'inner', 'deep', 'last']);
  assert.equal(all.next, undefined);
  assert.deepEqual(Object.keys(all.rooms[0]!.children_state[0]!).sort(), ['content', 'origin_server_ts', 'sender', 'state_key', 'type']);
  assert.deepEqual(all.rooms[0]!.children_state.map(({ state_key: roomId }) => roomId), [first, inner, last, '!unknown:elsewhere.example']);
  assert.deepEqual((await page(top, 'max_depth=1')).names, ['top', 'first', 'inner', 'last']);
  assert.deepEqual((await page(top, 'max_depth=0')).names, ['top']);
  const suggested = await page(top, 'suggested_only=true');
  assert.deepEqual([suggested.names, suggested.rooms[0]!.children_state.map(({ state_key: roomId }) => roomId)], [['top', 'first'], [first]]);

  for (const limit of [1, 2, 3]) {
    const pages: string[][] = [];
    let from = '';
    for (let count = 0; count < 10; count += 1) {
      const { names, next } = await page(top, `limit=${limit}${from}`);
      assert.ok(names.length <= limit);
      pages.push(names);
      if (next === undefined) break;
      from = `&from=${next}`;
    }
    // A page knows the rooms above it and those on it; `top`, which `inner` names, is above.
    assert.deepEqual(pages.flat().filter((name, index, names) => names.indexOf(name) === index), ['top', 'first', 'inner', 'deep', 'last'], `pages of ${limit}`);
  }
  await child(top, last, { via: null });
  assert.deepEqual((await page(top)).names, ['top', 'first', 'inner', 'deep'], 'a child without via is none');
}));

test('a token is good for the question that it came of', () => scene(async ({ make, child, page }) => {
  const top = await make('top', { ...OPEN, ...SPACE });
  const other = await make('other', { ...OPEN, ...SPACE });
  await child(top, await make('one'));
  await child(top, await make('two'));
  const { next } = await page(top, 'limit=1&max_depth=3');
  assert.deepEqual((await page(top, `limit=1&max_depth=3&from=${next}`)).names, ['one']);
  for (const bad of [`from=${next}`, `max_depth=3&suggested_only=true&from=${next}`, 'from=rubbish', 'limit=0', 'limit=x', 'max_depth=-1', 'suggested_only=maybe']) {
    assert.equal((await page(top, bad)).errcode, 'M_INVALID_PARAM', bad);
  }
  assert.equal((await page(other, `max_depth=3&from=${next}`)).errcode, 'M_INVALID_PARAM');
}));

test('only what the user may know of is shown', () => scene(async ({ make, child, page, call, alice, bob }) => {
  const top = await make('top', { ...OPEN, ...SPACE });
  const join = (roomId: string) => call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/join`, { token: bob.token, body: {} });
  const rules = (join_rule: string, allow?: string) => ({
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule, ...(allow !== undefined && { allow: [{ type: 'm.room_membership', room_id: allow }] }) } }],
  });
  const invited = await make('invited', { invite: [bob.userId] });
  for (const roomId of [
    await make('private', {}), invited, await make('knock', rules('knock')), await make('restricted', rules('restricted', top)), await make('knock_restricted', rules('knock_restricted', top)),
    await make('readable', { initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }] }),
  ]) await child(top, roomId);
  assert.deepEqual((await page(top)).names, ['top', 'invited', 'knock', 'knock_restricted', 'readable']);
  await join(top);
  assert.deepEqual((await page(top)).names, ['top', 'invited', 'knock', 'restricted', 'knock_restricted', 'readable']);
  assert.equal((await page(top, '', alice.token)).names.length, 7);
  await call('POST', `${V3}/rooms/${encodeURIComponent(top)}/ban`, { token: alice.token, body: { user_id: bob.userId } });
  assert.deepEqual([(await page(top)).status, (await page(top)).errcode], [403, 'M_FORBIDDEN']);
  assert.equal((await page('!nowhere:test.example')).status, 403);
  assert.equal((await page('rubbish')).errcode, 'M_INVALID_PARAM');
}));

const FAR = '!far:far.example';
const farRoom = (roomId: string, name: string, more: object = {}) => ({ room_id: roomId, name, num_joined_members: 2, world_readable: false, guest_can_join: false, join_rule: 'public', ...more });
const farChild = (roomId: string, ts: number) => ({ type: 'm.space.child', state_key: roomId, sender: '@far:far.example', origin_server_ts: ts, content: { via: ['far.example'] } });

test('rooms that are not here are asked for where the space says, once; what their server knows of their children is taken', () => {
  const asked: string[] = [];
  const transport = {
    request: async ({ destination, path }: FederationRequest) => {
      asked.push(`${destination} ${decodeURIComponent(path.split('/').at(-1)!)}`);
      if (destination !== 'far.example' || !path.endsWith(encodeURIComponent(FAR))) throw new FederationError('http', 'no', { status: 404, errcode: 'M_NOT_FOUND' });
      return { status: 200, body: {
        room: { ...farRoom(FAR, 'far', { room_type: 'm.space' }), children_state: ['!a:far.example', '!b:far.example', '!c:far.example', '!d:far.example'].map(farChild) },
        children: [farRoom('!a:far.example', 'near by'), farRoom('!c:far.example', 'secret', { join_rule: 'invite' })], inaccessible_children: ['!b:far.example'],
      } };
    },
  };
  return scene(async ({ make, child, page, call, alice, bob }) => {
    const top = await make('top', { ...OPEN, ...SPACE });
    await child(top, FAR, { via: ['dead.example', 'far.example'] });
    assert.deepEqual((await page(top)).names, ['top', 'far', 'near by']);
    assert.deepEqual(asked, [`dead.example ${FAR}`, `far.example ${FAR}`, 'far.example !d:far.example']);
    assert.deepEqual((await page(top, '', alice.token)).names, ['top', 'far', 'near by']);
    assert.equal(asked.length, 3, 'what is known, and what nobody knows, is kept for a while');

    const summary = (query = '', token: string | undefined = bob.token) => call('GET', `${V1}/room_summary/${encodeURIComponent(FAR)}?${query}`, token === undefined ? {} : { token });
    const { status, body } = await summary('via=far.example');
    assert.deepEqual([status, body.name, body.membership, body.room_type], [200, 'far', 'leave', 'm.space']);
    assert.equal((await call('GET', `${V1}/room_summary/${encodeURIComponent('!d:far.example')}`, { token: bob.token })).status, 404);
  }, { signedTransport: transport });
});

test('a page asks other servers a bounded number of times and goes on with the next', () => {
  let asked = 0;
  const transport = { request: async () => { asked += 1; throw new FederationError('http', 'no', { status: 404 }); } };
  return scene(async ({ make, child, page }) => {
    const top = await make('top', { ...OPEN, ...SPACE });
    for (let number = 0; number < 30; number += 1) await child(top, `!r${number}:far.example`);
    await child(top, await make('last'));
    const first = await page(top);
    assert.deepEqual([first.names, asked], [['top'], 20]);
    const second = await page(top, `from=${first.next}`);
    assert.deepEqual([second.names, second.next, asked], [['last'], undefined, 30]);
  }, { signedTransport: transport });
});

test('a summary says what a room is to who may know, with or without a token', () => scene(async ({ make, call, alice, bob }) => {
  const open = await make('open', { ...OPEN, room_alias_name: 'open', topic: 'tea', initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }] });
  const closed = await make('closed', {});
  const ask = (room: string, token?: string) => call('GET', `${V1}/room_summary/${encodeURIComponent(room)}`, token === undefined ? {} : { token });
  const told = {
    room_id: open, name: 'open', topic: 'tea', canonical_alias: '#open:test.example', num_joined_members: 1, world_readable: false, guest_can_join: false, join_rule: 'public',
    room_version: '12', encryption: 'm.megolm.v1.aes-sha2',
  };
  assert.deepEqual((await ask(open)).body, told);
  assert.deepEqual((await ask('#open:test.example', bob.token)).body, { ...told, membership: 'leave' });
  assert.equal((await ask(closed, alice.token)).body.membership, 'join');
  for (const token of [undefined, bob.token]) assert.deepEqual([(await ask(closed, token)).status, (await ask(closed, token)).body.errcode], [404, 'M_NOT_FOUND']);
  await call('POST', `${V3}/rooms/${encodeURIComponent(closed)}/invite`, { token: alice.token, body: { user_id: bob.userId } });
  assert.equal((await ask(closed, bob.token)).body.membership, 'invite');
  assert.equal((await ask('#none:test.example', bob.token)).status, 404);
  assert.equal((await ask('rubbish', bob.token)).body.errcode, 'M_INVALID_PARAM');
  assert.equal((await ask(open, 'wrong')).status, 401);
}));

test('rooms that two users share', () => scene(async ({ make, call, alice, bob }) => {
  const shared: string[] = [];
  for (let number = 0; number < 3; number += 1) shared.push(await make(`r${number}`));
  await make('only alice');
  for (const roomId of shared) await call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/join`, { token: bob.token, body: {} });
  const ask = (query: string, token = alice.token) => call('GET', `${V1}/mutual_rooms?${query}`, { token });
  assert.deepEqual((await ask(`user_id=${bob.userId}`)).body, { joined: [...shared].sort(), count: 3 });
  await call('POST', `${V3}/rooms/${encodeURIComponent(shared[0]!)}/leave`, { token: bob.token, body: {} });
  assert.equal((await ask(`user_id=${alice.userId}`, bob.token)).body.count, 2);
  assert.deepEqual((await ask('user_id=@nobody:test.example')).body, { joined: [], count: 0 });
  const from = Buffer.from([...shared].sort()[0]!).toString('base64url');
  assert.ok((await ask(`user_id=${bob.userId}&from=${from}`)).body.joined.every((roomId: string) => roomId > [...shared].sort()[0]!));
  for (const [bad, errcode] of [['', 'M_MISSING_PARAM'], [`user_id=${alice.userId}`, 'M_INVALID_PARAM'], ['user_id=bob', 'M_INVALID_PARAM'], [`user_id=${bob.userId}&from=x`, 'M_INVALID_PARAM']] as const) {
    const { status, body } = await ask(bad);
    assert.deepEqual([status, body.errcode], [400, errcode], bad);
  }
}));
