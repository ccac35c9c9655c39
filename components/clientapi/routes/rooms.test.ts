/** Rooms, members and messages through the router, over the real roomserver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { signJson } from '../../../pkg/matrix/signing/sign-json.ts';
import { signingKeyFromSeed } from '../../../pkg/matrix/signing/signing-key.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { createClientWorld, type Answer, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';
const encode = encodeURIComponent;

interface Scene {
  readonly world: ClientWorld;
  readonly alice: Session;
  readonly bob: Session;
}

async function scene(work: (scene: Scene) => Promise<void>): Promise<void> {
  const world = await createClientWorld();
  try {
    await work({ world, alice: await world.register('alice'), bob: await world.register('bob') });
  } finally {
    await world.close();
  }
}

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const inRoom = (roomId: string, rest: string): string => `${V3}/rooms/${encode(roomId)}/${rest}`;

async function createRoom({ world, alice }: Scene, body: object = {}): Promise<string> {
  const answer = await world.call('POST', `${V3}/createRoom`, { token: alice.token, body });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.room_id;
}

for (const { id: version } of ROOM_VERSIONS) {
  test(`room version ${version}: a room of every preset is made as planned`, () => scene(async (all) => {
    for (const preset of ['private_chat', 'trusted_private_chat', 'public_chat']) {
      const roomId = await createRoom(all, { preset, room_version: version, name: 'N', topic: 'T', invite: [all.bob.userId], is_direct: true });
      assert.match(roomId, version === '12' ? /^![A-Za-z0-9_-]{43}$/ : /^![A-Za-z0-9]{18}:test\.example$/);
      assert.equal((await all.world.state(roomId, 'm.room.create'))?.['room_version'], version);
      assert.deepEqual(await all.world.state(roomId, 'm.room.name'), { name: 'N' });
      assert.deepEqual(await all.world.state(roomId, 'm.room.member', all.bob.userId), { membership: 'invite', is_direct: true });
      const types = (await all.world.events(roomId)).map((event) => JSON.parse(Buffer.from(event.pdu).toString()).type);
      assert.deepEqual(types, ['m.room.create', 'm.room.member', 'm.room.power_levels', 'm.room.join_rules', 'm.room.history_visibility', 'm.room.guest_access', 'm.room.name', 'm.room.topic', 'm.room.member']);
    }
  }));
}

test('two equal rooms made in one millisecond are two rooms', () => scene(async (all) => {
  assert.notEqual(await createRoom(all), await createRoom(all));
}));

test('what can make no room is refused with its own error, and nothing is left of it', () => scene(async ({ world, alice }) => {
  const cases: [body: unknown, expected: string][] = [
    [{ room_version: '13' }, '400 M_UNSUPPORTED_ROOM_VERSION'],
    [{ room_version: 12 }, '400 M_BAD_JSON'],
    [{ preset: 'party' }, '400 M_INVALID_PARAM'],
    [{ room_alias_name: 'a:b' }, '400 M_INVALID_PARAM'],
    [{ invite: ['bob'] }, '400 M_INVALID_PARAM'],
    [{ invite: 'bob' }, '400 M_BAD_JSON'],
    [{ invite_3pid: [{ medium: 'email', address: 'a@b.c', id_server: 'x', id_access_token: 'y' }] }, '403 M_THREEPID_DENIED'],
    [{ initial_state: [{ content: {} }] }, '400 M_MISSING_PARAM'],
    [{ initial_state: [{ type: 'x.y', content: { n: 1.5 } }] }, '400 M_BAD_JSON'],
    [{ creation_content: { 'm.federate': 'no' } }, '400 M_BAD_JSON'],
    [{ room_version: '11', power_level_content_override: { users: { [alice.userId]: 0 } }, name: 'N' }, '400 M_INVALID_ROOM_STATE'],
    [{ name: 'x'.repeat(70_000) }, '413 M_TOO_LARGE'],
    ['{', '400 M_NOT_JSON'],
  ];
  for (const [body, expected] of cases) assert.equal(failure(await world.call('POST', `${V3}/createRoom`, { token: alice.token, body })), expected, JSON.stringify(body).slice(0, 100));
  assert.equal(world.rooms.outputs.length, 0);
}));

test('a repeated transaction ID gives the first event, whatever the body; in another room, type or device it is another', () => scene(async (all) => {
  const { world, alice } = all;
  const [one, two] = [await createRoom(all), await createRoom(all)];
  const send = async (path: string, body: object, token = alice.token) => (await world.call('PUT', path, { token, body })).body.event_id as string;
  const first = await send(inRoom(one, 'send/m.room.message/t1'), { body: 'first' });
  assert.equal(await send(inRoom(one, 'send/m.room.message/t1'), { body: 'second' }), first);
  const { body: login } = await world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user: 'alice', password: 'correct horse battery' } });
  const others = [
    await send(inRoom(two, 'send/m.room.message/t1'), { body: 'x' }),
    await send(inRoom(one, 'send/m.sticker/t1'), { body: 'x' }),
    await send(inRoom(one, 'send/m.room.message/t1'), { body: 'x' }, login.access_token),
  ];
  assert.equal(new Set([first, ...others]).size, 4);
}));

test('the content arrives as it was sent', () => scene(async (all) => {
  const content = { body: 'ä\u0000\u2028', nested: { list: [1, -5, null, true, { '': '' }] }, big: 9007199254740991 };
  const roomId = await createRoom(all);
  const { body } = await all.world.call('PUT', inRoom(roomId, 'state/org.example.thing/key%2Fwith%2Fslash'), { token: all.alice.token, body: content });
  assert.match(body.event_id, /^\$/);
  assert.deepEqual(await all.world.state(roomId, 'org.example.thing', 'key/with/slash'), content);
}));

test('what no event can hold is refused', () => scene(async (all) => {
  const roomId = await createRoom(all);
  const send = (body: unknown, path = 'send/m.room.message/x') => all.world.call('PUT', inRoom(roomId, path), { token: all.alice.token, body });
  assert.equal(failure(await send('{"n":1.5}')), '400 M_BAD_JSON');
  assert.equal(failure(await send('{"n":9007199254740993}')), '400 M_BAD_JSON');
  assert.equal(failure(await send({ body: 'x'.repeat(66_000) })), '413 M_TOO_LARGE');
  assert.equal(failure(await send('nonsense')), '400 M_NOT_JSON');
  assert.equal(failure(await send('[1]')), '400 M_BAD_JSON');
  assert.equal(failure(await send({}, `send/${'ä'.repeat(128)}/x`)), '413 M_TOO_LARGE');
  assert.equal((await send({}, `send/${'ä'.repeat(127)}/x`)).status, 200);
  assert.equal(failure(await send({}, `state/${'t'.repeat(256)}`)), '413 M_TOO_LARGE');
  assert.equal(failure(await send({}, `state/x/${'ä'.repeat(128)}`)), '413 M_TOO_LARGE');
  assert.equal(failure(await send({}, 'state/m.room.create')), '403 M_FORBIDDEN');
  assert.equal(failure(await all.world.call('PUT', `${V3}/rooms/room/send/m.room.message/x`, { token: all.alice.token, body: {} })), '400 M_INVALID_PARAM');
}));

test('the state endpoint takes both forms of the empty state key', () => scene(async (all) => {
  const roomId = await createRoom(all);
  const put = (rest: string, name: string) => all.world.call('PUT', inRoom(roomId, rest), { token: all.alice.token, body: { name } });
  assert.equal((await put('state/m.room.name', 'one')).status, 200);
  assert.deepEqual(await all.world.state(roomId, 'm.room.name'), { name: 'one' });
  assert.equal((await put('state/m.room.name/', 'two')).status, 200);
  assert.deepEqual(await all.world.state(roomId, 'm.room.name'), { name: 'two' });
}));

test('members come and go: invite, join, kick, ban, unban, leave', () => scene(async (all) => {
  const { world, alice, bob } = all;
  const roomId = await createRoom(all);
  const act = (verb: string, token: string, body?: object) => world.call('POST', inRoom(roomId, verb), { token, ...(body && { body }) });
  const membership = async () => (await world.state(roomId, 'm.room.member', bob.userId))?.['membership'];
  const target = { user_id: bob.userId, reason: 'why not' };

  assert.equal(failure(await act('join', bob.token)), '403 M_FORBIDDEN');
  assert.equal(failure(await act('kick', alice.token, target)), '403 M_FORBIDDEN');
  assert.equal((await act('invite', alice.token, target)).status, 200);
  assert.equal((await world.state(roomId, 'm.room.member', bob.userId))?.['reason'], 'why not');
  const joined = await world.call('POST', `${V3}/join/${encode(roomId)}?via=elsewhere`, { token: bob.token, body: {} });
  assert.deepEqual([joined.status, joined.body], [200, { room_id: roomId }]);
  const outputs = world.rooms.outputs.length;
  assert.equal((await act('join', bob.token)).status, 200);
  assert.equal(world.rooms.outputs.length, outputs, 'joining again makes no event');
  assert.equal(failure(await act('unban', alice.token, target)), '403 M_FORBIDDEN');
  assert.equal(await membership(), 'join');
  assert.equal(failure(await act('ban', bob.token, { user_id: alice.userId })), '403 M_FORBIDDEN');
  assert.equal((await act('ban', alice.token, target)).status, 200);
  assert.equal(await membership(), 'ban');
  assert.equal(failure(await act('kick', alice.token, target)), '403 M_FORBIDDEN');
  assert.equal(await membership(), 'ban');
  assert.equal((await act('unban', alice.token, target)).status, 200);
  assert.equal(await membership(), 'leave');
  assert.equal((await act('leave', alice.token)).status, 200);
  assert.equal(failure(await act('invite', alice.token, { user_id: 'bob' })), '400 M_INVALID_PARAM');
  assert.equal(failure(await act('invite', alice.token, {})), '400 M_MISSING_PARAM');
  assert.equal(failure(await act('invite', alice.token, { medium: 'email', address: 'a@b.c', id_server: 'b.c', id_access_token: 't' })), '403 M_THREEPID_DENIED');
  assert.equal(failure(await world.call('POST', `${V3}/join/${encode('#pub:test.example')}`, { token: bob.token })), '404 M_NOT_FOUND');
  assert.equal(failure(await world.call('POST', `${V3}/join/nonsense`, { token: bob.token })), '400 M_INVALID_PARAM');
}));

test('member events and aliases through the state endpoint are checked alike', () => scene(async (all) => {
  const roomId = await createRoom(all);
  const put = (rest: string, body: object) => all.world.call('PUT', inRoom(roomId, `state/${rest}`), { token: all.alice.token, body });
  assert.equal((await put(`m.room.member/${all.bob.userId}`, { membership: 'invite' })).status, 200);
  assert.equal(failure(await put(`m.room.member/${all.bob.userId}`, { membership: 'king' })), '400 M_BAD_JSON');
  assert.equal(failure(await put(`m.room.member/${all.bob.userId}`, {})), '400 M_MISSING_PARAM');
  assert.equal(failure(await put('m.room.member/bob', { membership: 'invite' })), '400 M_INVALID_PARAM');
  assert.equal(failure(await put('m.room.canonical_alias', { alias: '#pub:test.example' })), '400 M_BAD_ALIAS');
  assert.equal(failure(await put('m.room.canonical_alias', { alt_aliases: ['pub'] })), '400 M_INVALID_PARAM');
  assert.equal((await put('m.room.canonical_alias', {})).status, 200);
}));

for (const version of ['10', '11', '12']) {
  test(`room version ${version}: an event is redacted by either endpoint`, () => scene(async (all) => {
    const { world, alice } = all;
    const roomId = await createRoom(all, { room_version: version });
    for (const how of ['redact', 'send']) {
      const { body: sent } = await world.call('PUT', inRoom(roomId, `send/m.room.message/${how}`), { token: alice.token, body: { body: 'secret' } });
      const path = how === 'redact' ? `redact/${encode(sent.event_id)}/r` : 'send/m.room.redaction/r';
      const { status } = await world.call('PUT', inRoom(roomId, path), { token: alice.token, body: how === 'redact' ? { reason: 'oops' } : { redacts: sent.event_id, reason: 'oops' } });
      assert.equal(status, 200);
      const redacted = world.rooms.inputs.at(-1)?.sendEvent?.event;
      assert.deepEqual([redacted?.type, redacted?.redacts, Buffer.from(redacted!.content).toString()], ['m.room.redaction', sent.event_id, '{"reason":"oops"}']);
    }
  }));
}

test('typing, receipts and read markers', () => scene(async (all) => {
  const { world, alice, bob } = all;
  const roomId = await createRoom(all);
  const { body: sent } = await world.call('PUT', inRoom(roomId, 'send/m.room.message/t'), { token: alice.token, body: { body: 'x' } });
  const event = encode(sent.event_id);
  const typing = (userId: string, body: object) => world.call('PUT', inRoom(roomId, `typing/${userId}`), { token: alice.token, body });
  assert.equal((await typing(alice.userId, { typing: true, timeout: 999_999_999 })).status, 200);
  assert.deepEqual(world.rooms.inputs.at(-1)?.setTyping?.timeoutMs, 120_000);
  assert.equal(failure(await typing(bob.userId, { typing: true })), '403 M_FORBIDDEN');
  assert.equal(failure(await typing(alice.userId, { typing: 'yes' })), '400 M_BAD_JSON');
  assert.equal(failure(await typing(alice.userId, {})), '400 M_MISSING_PARAM');

  const receipt = (type: string, body?: object) => world.call('POST', inRoom(roomId, `receipt/${type}/${event}`), { token: alice.token, ...(body && { body }) });
  assert.equal((await receipt('m.read', { thread_id: 'main' })).status, 200);
  assert.equal(world.rooms.inputs.at(-1)?.setReceipt?.threadId, 'main');
  for (const body of [undefined, { thread_id: null }]) {
    assert.equal((await receipt('m.read.private', body)).status, 200);
    assert.equal(world.rooms.inputs.at(-1)?.setReceipt?.threadId ?? null, null);
  }
  assert.equal((await receipt('m.fully_read')).status, 200);
  for (const thread_id of ['', 5, 'no event']) assert.equal(failure(await receipt('m.read', { thread_id })), '400 M_INVALID_PARAM', String(thread_id));
  assert.equal(failure(await receipt('m.fully_read', { thread_id: 'main' })), '400 M_INVALID_PARAM');
  assert.equal(failure(await receipt('m.seen')), '400 M_INVALID_PARAM');

  const markers = (token: string, eventId: string) => world.call('POST', inRoom(roomId, 'read_markers'), { token, body: { 'm.fully_read': eventId, 'm.read': eventId } });
  assert.equal((await markers(alice.token, sent.event_id)).status, 200);
  const { body: marker } = await world.call('GET', `${V3}/user/${alice.userId}/rooms/${encode(roomId)}/account_data/m.fully_read`, { token: alice.token });
  assert.deepEqual(marker, { event_id: sent.event_id });
  assert.equal((await world.call('POST', inRoom(roomId, 'read_markers'), { token: bob.token, body: { 'm.fully_read': sent.event_id } })).status, 403);
  assert.equal((await world.call('POST', inRoom(roomId, 'read_markers'), { token: alice.token, body: { 'm.fully_read': '$unknown' } })).status, 404);
}));

test('a new profile reaches the rooms that the user has joined, and no others', () => scene(async (all) => {
  const { world, alice } = all;
  const [stay, go] = [await createRoom(all), await createRoom(all)];
  await world.call('POST', inRoom(go, 'leave'), { token: alice.token });
  await world.call('PUT', `${V3}/profile/${alice.userId}/displayname`, { token: alice.token, body: { displayname: 'Al' } });
  await world.call('PUT', `${V3}/profile/${alice.userId}/avatar_url`, { token: alice.token, body: { avatar_url: 'mxc://x/y' } });
  await world.profilesSpread();
  assert.deepEqual(await world.state(stay, 'm.room.member', alice.userId), { membership: 'join', displayname: 'Al', avatar_url: 'mxc://x/y' });
  assert.deepEqual(await world.state(go, 'm.room.member', alice.userId), { membership: 'leave' });
  assert.deepEqual(await world.state(await createRoom(all), 'm.room.member', alice.userId), { membership: 'join', displayname: 'Al', avatar_url: 'mxc://x/y' });
}));

test('who joins the room that replaces another takes along what they had set for it, if the old room says so too', () => scene(async (all) => {
  const { world, alice, bob } = all;
  const old = await createRoom(all, { preset: 'public_chat' });
  const made = await Promise.all([0, 1].map(() => createRoom(all, { preset: 'public_chat', creation_content: { predecessor: { room_id: old } } })));
  await world.call('PUT', inRoom(old, 'state/m.room.tombstone'), { token: alice.token, body: { body: 'over', replacement_room: made[0] } });
  // As where another server has replaced it.
  await world.call('PUT', `${V3}/directory/room/${encode('#old:test.example')}`, { token: alice.token, body: { room_id: old } });
  await world.rooms.submit({ inputId: 'list', traceId: '', originServerTs: 1, roomId: old, setRoomVisibility: { isPublic: true, network: '' } });
  const tag = (roomId: string) => `${V3}/user/${encode(bob.userId)}/rooms/${encode(roomId)}/account_data/m.tag`;
  const tags = { tags: { 'm.favourite': { order: 0.5 } } };
  await world.users.submit({ inputId: 'tags', traceId: '', ts: 1, userId: bob.userId, setAccountData: { roomId: old, type: 'm.tag', content: Buffer.from(JSON.stringify(tags)) } });
  for (const roomId of made) assert.equal((await world.call('POST', inRoom(roomId, 'join'), { token: bob.token })).status, 200);
  assert.deepEqual((await world.call('GET', tag(made[0]!), { token: bob.token })).body, tags);
  assert.equal((await world.call('GET', tag(made[1]!), { token: bob.token })).status, 404);
  assert.equal((await world.roomQuery.alias('#old:test.example'))?.roomId, made[0]);
  assert.deepEqual(await Promise.all([old, ...made].map((roomId) => world.roomQuery.isPublished(roomId))), [false, true, false]);
}));

test('a signature for a pending invite by e-mail address lets in whom it is for, and nobody else', () => scene(async (all) => {
  const { world, alice, bob } = all;
  const roomId = await createRoom(all);
  const key = signingKeyFromSeed('1', new Uint8Array(32).fill(3));
  const pending = (token: string, more: object = {}) =>
    world.call('PUT', inRoom(roomId, `state/m.room.third_party_invite/${token}`), { token: alice.token, body: { display_name: 'b...@x', public_key: Buffer.from(key.publicKey).toString('base64'), key_validity_url: undefined, ...more } });
  await pending('good');
  await pending('asks', { key_validity_url: 'https://id.example/valid' });
  const signed = (token: string, mxid = bob.userId) => signJson({ mxid, token, sender: alice.userId }, 'id.example', key);
  const join = (third_party_signed?: object) => world.call('POST', inRoom(roomId, 'join'), { token: bob.token, body: { third_party_signed } });
  const wrong = [undefined, signed('none'), signed('asks'), signed('good', '@carol:test.example'), { ...signed('good'), sender: bob.userId }];
  for (const one of wrong) assert.equal(failure(await join(one)), '403 M_FORBIDDEN', JSON.stringify(one));
  assert.equal((await join(signed('good'))).status, 200);
  assert.equal((await world.state(roomId, 'm.room.member', bob.userId))?.['membership'], 'join');
}));

test('an invite of nobody, and of who takes none, is refused everywhere', () => scene(async (all) => {
  const { world, alice, bob } = all;
  const roomId = await createRoom(all);
  const carol = await world.register('carol');
  await world.call('PUT', `${V3}/user/${encode(carol.userId)}/account_data/m.invite_permission_config`, { token: carol.token, body: { default_action: 'block' } });
  for (const [userId, expected] of [['@nobody:test.example', '404 M_NOT_FOUND'], [carol.userId, '403 M_INVITE_BLOCKED']] as const) {
    assert.equal(failure(await world.call('POST', inRoom(roomId, 'invite'), { token: alice.token, body: { user_id: userId } })), expected);
    assert.equal(failure(await world.call('PUT', inRoom(roomId, `state/m.room.member/${userId}`), { token: alice.token, body: { membership: 'invite' } })), expected);
    assert.equal(failure(await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { invite: [bob.userId, userId] } })), expected);
    const initial_state = [{ type: 'm.room.member', state_key: userId, content: { membership: 'invite' } }];
    assert.equal(failure(await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { initial_state } })), expected);
    assert.equal(await world.state(roomId, 'm.room.member', userId), undefined);
  }
}));

test('where the operator wants it, who leaves has forgotten the room, and clients are told so', async () => {
  const world = await createClientWorld({ forgetOnLeave: true });
  const alice = await world.register('alice');
  const roomId = await createRoom({ world, alice, bob: alice });
  const { capabilities } = (await world.call('GET', `${V3}/capabilities`, { token: alice.token })).body;
  assert.deepEqual(capabilities['m.forget_forced_upon_leave'], { enabled: true });
  for (let i = 0; i < 2; i += 1) assert.equal((await world.call('POST', inRoom(roomId, 'leave'), { token: alice.token })).status, 200);
  const forgotten = world.rooms.outputs.map(({ record }) => roomOutputCodec.decode(record)).filter((output) => output.forgotten);
  assert.deepEqual(forgotten.map((output) => output.forgotten!.userId), [alice.userId]);
  await world.close();
});

test('the operator says which rooms are encrypted from the beginning; spaces are not', async () => {
  const rooms = { private: {}, public: { preset: 'public_chat' }, space: { creation_content: { type: 'm.space' } } };
  for (const [encryptedRooms, encrypted] of [['off', []], ['private', ['private']], ['all', ['private', 'public']]] as const) {
    const world = await createClientWorld({ encryptedRooms });
    const { token } = await world.register('alice');
    for (const [name, body] of Object.entries(rooms)) {
      const { body: room } = await world.call('POST', `${V3}/createRoom`, { token, body });
      assert.equal(await world.state(room.room_id, 'm.room.encryption') !== undefined, (encrypted as readonly string[]).includes(name), `${encryptedRooms}: ${name}`);
    }
    await world.close();
  }
});
