import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError, type FederationRequest } from '../../../pkg/federation/transport.ts';
import { createClientWorld, type ClientWorld, type Elsewhere, type Session } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';

async function withAlice(work: (world: ClientWorld, alice: Session) => Promise<void>, elsewhere: Elsewhere = {}): Promise<void> {
  const world = await createClientWorld({}, [], elsewhere);
  try {
    await work(world, await world.register('alice'));
  } finally {
    await world.close();
  }
}

const failure = ({ status, body }: { status: number; body: { errcode?: string } }) => `${status} ${body.errcode ?? ''}`;

test('profiles of users of other servers are asked for, as a whole or a field of them', () => {
  const asked: FederationRequest[] = [];
  const answers: Record<string, () => object> = {
    '@dora:far.example': () => ({ displayname: 'Dora', avatar_url: null, 'm.tz': 7, 'org.example.job': { title: 'x' } }),
    '@shy:far.example': () => { throw new FederationError('http', 'no', { status: 403, errcode: 'M_FORBIDDEN' }); },
    '@gone:far.example': () => { throw new FederationError('http', 'no', { status: 404, errcode: 'M_NOT_FOUND' }); },
    '@down:far.example': () => { throw new FederationError('unreachable', 'nobody there'); },
  };
  const transport = { request: async (request: FederationRequest) => (asked.push(request), { status: 200, body: answers[request.query!['user_id'] as string]!() as Record<string, unknown> }) };
  return withAlice(async (world, { token }) => {
    const get = (path: string) => world.call('GET', `${V3}/profile/${path}`, { token });
    assert.deepEqual((await get('@dora:far.example')).body, { displayname: 'Dora', 'org.example.job': { title: 'x' } });
    assert.deepEqual((await get('@dora:far.example/displayname')).body, { displayname: 'Dora' });
    assert.deepEqual(asked.map(({ destination, query }) => [destination, query]), [['far.example', { user_id: '@dora:far.example' }], ['far.example', { user_id: '@dora:far.example', field: 'displayname' }]]);
    assert.equal(failure(await get('@dora:far.example/avatar_url')), '404 M_NOT_FOUND');
    assert.equal(failure(await get('@shy:far.example')), '403 M_FORBIDDEN');
    assert.equal(failure(await get('@gone:far.example')), '404 M_NOT_FOUND');
    assert.equal(failure(await get('@down:far.example')), '404 M_NOT_FOUND');
    assert.deepEqual((await world.call('GET', `${V3}/profile/@dora:far.example`)).status, 200, 'also without a token');
    assert.equal(failure(await world.call('GET', `${V3}/profile/@dora:far.example`, { token: 'wrong' })), '401 M_UNKNOWN_TOKEN');
  }, { signedTransport: transport });
});

test('a changed name reaches every room in time; one that the user has left stays as it is, and custom fields of the membership too', () => withAlice(async (world, alice) => {
  const rooms: string[] = [];
  for (let number = 0; number < 20; number += 1) rooms.push((await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { preset: 'public_chat' } })).body.room_id);
  const bob = await world.register('bob');
  await world.call('POST', `${V3}/rooms/${encodeURIComponent(rooms[0]!)}/join`, { token: bob.token, body: {} });
  await world.call('POST', `${V3}/rooms/${encodeURIComponent(rooms[0]!)}/leave`, { token: alice.token, body: {} });
  await world.call('PUT', `${V3}/rooms/${encodeURIComponent(rooms[1]!)}/state/m.room.member/${alice.userId}`, { token: alice.token, body: { membership: 'join', 'org.example.hat': 'red', reason: 'why not' } });
  const put = (displayname: string) => world.call('PUT', `${V3}/profile/${alice.userId}/displayname`, { token: alice.token, body: { displayname } });
  await put('Al');
  await put('Ally');
  await world.profilesSpread();
  const nameIn = async (roomId: string) => (await world.state(roomId, 'm.room.member', alice.userId))?.['displayname'];
  assert.deepEqual(await Promise.all(rooms.map(nameIn)), [undefined, ...new Array<string>(19).fill('Ally')]);
  assert.deepEqual(await world.state(rooms[1]!, 'm.room.member', alice.userId), { membership: 'join', displayname: 'Ally', 'org.example.hat': 'red' });
  assert.equal((await world.state(rooms[0]!, 'm.room.member', alice.userId))?.['membership'], 'leave');
  const inputs = world.rooms.outputs.length;
  await put('Ally');
  await world.profilesSpread();
  assert.equal(world.rooms.outputs.length, inputs, 'the same name again is no news');
}));

test('who has left by the time that a room hears of a new name does not come back', () => withAlice(async (world, alice) => {
  const roomId = (await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: { preset: 'public_chat' } })).body.room_id as string;
  await world.call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/leave`, { token: alice.token, body: {} });
  const told = await world.rooms.submit({ inputId: 'late', traceId: '', originServerTs: 1, roomId, refreshMember: { userId: alice.userId, profile: Buffer.from('{"displayname":"Late"}') } });
  assert.equal(told.errcode, '');
  assert.deepEqual(await world.state(roomId, 'm.room.member', alice.userId), { membership: 'leave' });
}));

test('tags are set one by one and read together; they come as account data', () => withAlice(async (world, { userId, token }) => {
  const path = `${V3}/user/${userId}/rooms/!r:test.example/tags`;
  const call = (method: string, tag: string, body?: unknown) => world.call(method, `${path}/${encodeURIComponent(tag)}`, { token, body });
  assert.deepEqual((await world.call('GET', path, { token })).body, { tags: {} });
  assert.equal((await call('PUT', 'm.favourite', { order: 0.25 })).status, 200);
  const [one, two] = await Promise.all([call('PUT', 'u.work', { 'org.example.x': 1 }), call('PUT', '__proto__', {})]);
  assert.deepEqual([one.status, two.status], [200, 200]);
  const { tags } = (await world.call('GET', path, { token })).body;
  assert.deepEqual(Object.entries(tags).sort(), [['__proto__', {}], ['m.favourite', { order: 0.25 }], ['u.work', { 'org.example.x': 1 }]]);
  assert.equal((await call('DELETE', 'u.work')).status, 200);
  assert.equal((await call('DELETE', 'u.work')).status, 200, 'gone is gone');
  await call('DELETE', '__proto__');
  const data = world.userOutputs().flatMap(({ accountData }) => (accountData ? [accountData] : []));
  assert.deepEqual([data.length, data.at(-1)!.type, JSON.parse(Buffer.from(data.at(-1)!.content).toString())], [5, 'm.tag', { tags: { 'm.favourite': { order: 0.25 } } }]);

  const bob = await world.register('bob');
  for (const [answer, expected] of [
    [await call('PUT', 'x', { order: 1.5 }), '400 M_INVALID_PARAM'], [await call('PUT', 'x', { order: '0.5' }), '400 M_BAD_JSON'], [await call('PUT', 'x'.repeat(256), {}), '400 M_INVALID_PARAM'],
    [await world.call('GET', path, { token: bob.token }), '403 M_FORBIDDEN'], [await world.call('PUT', `${path}/x`, { token: bob.token, body: {} }), '403 M_FORBIDDEN'],
    [await world.call('DELETE', `${path}/x`, { token: bob.token }), '403 M_FORBIDDEN'], [await world.call('PUT', `${V3}/user/${userId}/rooms/room/tags/x`, { token, body: {} }), '400 M_INVALID_PARAM'],
    [await call('PUT', 'big', { x: 'x'.repeat(66_000) }), '413 M_TOO_LARGE'],
  ] as const) assert.equal(failure(answer), expected);
}));

test('reports are kept for the administrators; nobody learns from them what there is', () => withAlice(async (world, alice) => {
  const roomId = (await world.call('POST', `${V3}/createRoom`, { token: alice.token, body: {} })).body.room_id as string;
  const room = encodeURIComponent(roomId);
  const { body: { event_id: eventId } } = await world.call('PUT', `${V3}/rooms/${room}/send/m.room.message/t`, { token: alice.token, body: { body: 'x' } });
  const bob = await world.register('bob');
  const report = (token: string, path: string, body: unknown) => world.call('POST', `${V3}/${path}`, { token, body });
  assert.equal((await report(alice.token, `rooms/${room}/report/${encodeURIComponent(eventId)}`, { reason: 'rude', score: -100 })).status, 200);
  assert.equal((await report(alice.token, `rooms/${room}/report/${encodeURIComponent(eventId)}`, {})).status, 200);
  assert.equal(failure(await report(bob.token, `rooms/${room}/report/${encodeURIComponent(eventId)}`, { reason: 'rude' })), '404 M_NOT_FOUND');
  assert.equal(failure(await report(alice.token, `rooms/${room}/report/%24nothing:test.example`, { reason: 'rude' })), '404 M_NOT_FOUND');
  assert.equal((await report(bob.token, `rooms/${room}/report`, { reason: '' })).status, 200);
  assert.equal((await report(bob.token, 'rooms/!nowhere:test.example/report', { reason: 'x'.repeat(5000) })).status, 200);
  assert.equal((await report(bob.token, 'users/@nobody:test.example/report', { reason: 'spam' })).status, 200);
  for (const path of [`rooms/${room}/report`, 'users/@alice:test.example/report']) assert.equal(failure(await report(bob.token, path, {})), '400 M_MISSING_PARAM');
  assert.equal(failure(await report(bob.token, 'users/alice/report', { reason: '' })), '400 M_INVALID_PARAM');
  const rows = await world.userDatabase.query<{ reporter: string; room_id: string; event_id: string; reported_user: string; reason: string }>('SELECT reporter, room_id, event_id, reported_user, reason FROM reports');
  assert.deepEqual(rows.map((row) => [row.reporter, row.room_id, row.event_id, row.reported_user, row.reason.length]).sort(), [
    [alice.userId, roomId, eventId, '', 0], [alice.userId, roomId, eventId, '', 4], [bob.userId, '', '', '@nobody:test.example', 4],
    [bob.userId, '!nowhere:test.example', '', '', 2000], [bob.userId, roomId, '', '', 0],
  ].sort());
}));
