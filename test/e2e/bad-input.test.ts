/** What clients should not send, over HTTP to the running program: each gets the spec's answer, and the server stays well. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import Database from 'better-sqlite3';
import { createClientWorld } from '../kit/client-world.ts';
import { call, logIn, newRoom, readMessages, register, V3, type ApiSession } from './api-client.ts';
import { modes, type RunningMode } from './modes.ts';

let running: RunningMode;
let alice: ApiSession;
let bob: ApiSession;
let room: string;
let count = 0;

before(async () => {
  running = await modes()[0]!.start();
  [alice, bob] = [await register(running.baseUrl), await register(running.baseUrl)];
  room = await newRoom(alice);
  assert.equal((await bob.call('POST', `${V3}/join/${room}`, {})).status, 200);
});
after(() => running.stop());
afterEach(async () => {
  assert.equal((await call(running.baseUrl, 'GET', '/ready')).status, 200);
  for (const component of ['roomserver', 'userapi', 'syncapi']) {
    const database = new Database(join(running.folder, `${component}.db`), { readonly: true });
    assert.deepEqual(database.prepare('SELECT consumer, reason FROM dead_letters').all(), [], `dead letters of the ${component}`);
    database.close();
  }
  await refused(alice.call('PUT', txnPath(), { body: 'still here' }), 200);
});

const txnPath = (type = 'm.room.message', txnId = `t${(count += 1)}`): string => `${V3}/rooms/${room}/send/${type}/${txnId}`;

/** The answer has this status and errcode. */
async function refused(asked: ReturnType<typeof call>, status: number, errcode?: string): Promise<void> {
  const answer = await asked;
  assert.deepEqual([answer.status, answer.body.errcode], [status, errcode], JSON.stringify(answer.body));
}

/** Never our fault, and an errcode where it is the client's. */
async function noFailure(name: string, asked: ReturnType<typeof call>): Promise<void> {
  const { status, body } = await asked;
  assert.ok(status < 500, `${name}: ${status} ${JSON.stringify(body)}`);
  if (status >= 400 && status !== 401) assert.match(body.errcode, /^M_/, name);
}

test('bodies that are no JSON objects, and members of the wrong type, on every endpoint that writes', async () => {
  const world = await createClientWorld();
  // Pages take forms, and answer people.
  const writing = world.router.routes.filter(({ method, operationId, body }) => method !== 'GET' && body !== 'form' && !operationId.startsWith('logout'));
  await world.close();
  const other = await newRoom(alice);
  const wrong = [null, 0, 1.5, 'x', true, [], {}, [null], { a: { b: [] } }];
  const members = ['type', 'user_id', 'username', 'password', 'auth', 'identifier', 'invite', 'initial_state', 'room_version', 'membership', 'typing', 'timeout', 'reason', 'displayname', 'room', 'm.fully_read', 'body'];
  for (const { operationId, method, path, body: takes } of writing) {
    const isRead = takes === undefined ? method !== 'DELETE' : takes !== 'none';
    const filled = path.replace('{roomId}', other).replace('{userId}', encodeURIComponent(alice.userId)).replace(/\{\w+\}/g, 'x');
    for (const body of !isRead ? [] : ['{', '{"a":', '[]', '"x"', 'null', '\u{1f600}', '{"a":01}', '{"a":NaN}']) {
      const { status, body: said } = await alice.call(method, filled, body);
      assert.ok([400, 401, 403, 404].includes(status), `${operationId} with ${body}: ${status}`);
      if (status !== 401) assert.match(said.errcode, /^M_/, operationId);
    }
    for (const value of wrong) await noFailure(`${operationId} with ${JSON.stringify(value)}`, alice.call(method, filled, Object.fromEntries(members.map((member) => [member, value]))));
  }
});

test('events that are too large, and numbers and nesting that no event can hold', async () => {
  for (const length of [65_536, 65_400, 200_000]) await refused(alice.call('PUT', txnPath(), { body: 'x'.repeat(length) }), 413, 'M_TOO_LARGE');
  await refused(alice.call('PUT', txnPath(), `{"body":"${'x'.repeat(3_000_000)}"}`), 413, 'M_TOO_LARGE');
  await refused(alice.call('PUT', txnPath(), { body: 'x'.repeat(60_000) }), 200);
  for (const number of ['1.5', '1e308', '1e400', '9007199254740992', '-9007199254740993']) await refused(alice.call('PUT', txnPath(), `{"n":${number}}`), 400, 'M_BAD_JSON');
  for (const number of ['9007199254740991', '-0', '1.0', '1e3']) await refused(alice.call('PUT', txnPath(), `{"n":${number}}`), 200);
  await refused(alice.call('PUT', txnPath(), `{"a":${'['.repeat(200)}${']'.repeat(200)}}`), 400, 'M_BAD_JSON');
  await refused(alice.call('PUT', txnPath(), `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`), 400, 'M_BAD_JSON');
  await refused(alice.call('PUT', txnPath(), `{"a":${'[{"b":'.repeat(40)}1${'}]'.repeat(40)}}`), 200);
  await refused(alice.call('POST', `${V3}/createRoom`, { room_version: '999' }), 400, 'M_UNSUPPORTED_ROOM_VERSION');
  await refused(alice.call('PUT', `${V3}/user/${alice.userId}/account_data/a.b`, { n: 1.5 }), 200);
});

test('access tokens, sync tokens and page tokens that are missing, cut or invented', async () => {
  await refused(call(running.baseUrl, 'GET', `${V3}/account/whoami`), 401, 'M_MISSING_TOKEN');
  for (const token of ['x', alice.token.slice(0, -1), `${alice.token}x`, alice.token.toUpperCase(), 'myl_', '%00']) await refused(call(running.baseUrl, 'GET', `${V3}/sync`, { token }), 401, 'M_UNKNOWN_TOKEN');
  await refused(call(running.baseUrl, 'GET', `${V3}/sync`, { headers: { authorization: 'Basic YTpi' } }), 401, 'M_MISSING_TOKEN');
  const since = (await alice.call('GET', `${V3}/sync`)).body.next_batch as string;
  for (const token of ['x', 's1_2', since.slice(0, -1), since.slice(0, 4), `${since}AA`, '%00', 'm1', `m1${'_'.repeat(2000)}`]) await refused(alice.call('GET', `${V3}/sync?since=${token}`), 400, 'M_INVALID_PARAM');
  const page = (await alice.call('GET', `${V3}/rooms/${room}/messages?dir=b&limit=1`)).body.end as string;
  for (const token of ['x', `${page}!`, '%00', '-', '9'.repeat(40)]) await refused(alice.call('GET', `${V3}/rooms/${room}/messages?dir=b&from=${token}`), 400, 'M_INVALID_PARAM');
  for (const query of ['', '?dir=x', '?dir=b&limit=x', '?dir=b&limit=-1', '?dir=b&limit=1e99', '?dir=b&filter=%7B', '?dir=b&filter=%5B%5D', '?dir=b&to=x']) await noFailure(query, alice.call('GET', `${V3}/rooms/${room}/messages${query}`));
  for (const query of ['timeout=x', 'timeout=-1', 'timeout=1e999', 'filter=none', 'filter=%7B%22room%22%3A1%7D', 'full_state=maybe', 'set_presence=%00']) await noFailure(query, alice.call('GET', `${V3}/sync?${query}`));
});

test('a transaction ID that is used again', async () => {
  const first = await alice.call('PUT', txnPath('m.room.message', 'again'), { body: 'one' });
  for (const body of ['one', 'two']) assert.equal((await alice.call('PUT', txnPath('m.room.message', 'again'), { body })).body.event_id, first.body.event_id);
  const otherDevice = await logIn(running.baseUrl, alice.userId);
  const ids = [first];
  for (const asked of [otherDevice.call('PUT', txnPath('m.room.message', 'again'), { body: 'device' }), alice.call('PUT', txnPath('m.other', 'again'), { body: 'type' }), bob.call('PUT', txnPath('m.room.message', 'again'), { body: 'user' })]) ids.push(await asked);
  assert.equal(new Set(ids.map(({ body }) => body.event_id as string)).size, 4);
  const bodies = (await readMessages(alice, room)).map(({ body }) => body);
  assert.deepEqual(['one', 'two', 'device', 'user'].map((body) => bodies.filter((one) => one === body).length), [1, 0, 1, 1]);
});

test('NUL and halves of surrogate pairs, in bodies, nested content and paths', async () => {
  const me = encodeURIComponent(alice.userId);
  const places: readonly (readonly [method: string, path: string, body: (text: string) => string])[] = [
    ['PUT', txnPath('m.room.message', 'nul'), (text) => `{"body":"${text}","deep":[{"${text}":["${text}"]}]}`],
    ['PUT', `${V3}/rooms/${room}/state/m.room.topic/`, (text) => `{"topic":"${text}"}`],
    ['PUT', `${V3}/profile/${me}/displayname`, (text) => `{"displayname":"${text}"}`],
    ['PUT', `${V3}/user/${me}/account_data/m.x`, (text) => `{"${text}":"${text}"}`],
    ['PUT', `${V3}/user/${me}/rooms/${room}/account_data/m.x`, (text) => `{"a":{"b":"${text}"}}`],
    ['POST', `${V3}/user/${me}/filter`, (text) => `{"room":{"timeline":{"types":["${text}"]}}}`],
    ['POST', `${V3}/createRoom`, (text) => `{"name":"${text}","topic":"${text}","creation_content":{"a":"${text}"},"initial_state":[{"type":"m.${text}","state_key":"${text}","content":{}}]}`],
    ['POST', `${V3}/rooms/${room}/invite`, (text) => `{"user_id":"@${text}:e2e.test","reason":"${text}"}`],
    ['POST', `${V3}/rooms/${room}/ban`, (text) => `{"user_id":"@nobody:e2e.test","reason":"${text}"}`],
    ['POST', `${V3}/login`, (text) => `{"type":"m.login.password","user":"${text}","password":"${text}","device_id":"${text}","initial_device_display_name":"${text}"}`],
    ['POST', `${V3}/register`, (text) => `{"username":"${text}","password":"${text}","device_id":"${text}","auth":{"type":"m.login.dummy","session":"${text}"}}`],
    ['POST', `${V3}/rooms/${room}/receipt/m.read/%24x`, (text) => `{"thread_id":"$${text}"}`],
  ];
  for (const [method, path, body] of places) {
    for (const half of ['\\ud800', '\\udc00x', 'x\\udbff']) await refused(alice.call(method, path, body(half)), 400, 'M_BAD_JSON');
    await noFailure(`NUL to ${path}`, alice.call(method, path, body('a\\u0000b')));
  }
  for (const path of [`rooms/${room}/send/m.a%00b/t%00`, `rooms/${room}/state/m.a%00b/k%00`, `rooms/%21a%00b/send/m.x/1`, `rooms/${room}/redact/%24a%00/1`, `user/${me}/account_data/m.%00`, `profile/${me}/a.%00`, `user/%40a%00%3Ae2e.test/account_data/m.x`]) {
    await noFailure(path, alice.call('PUT', `${V3}/${path}`, {}));
    await noFailure(path, alice.call('GET', `${V3}/${path.replace(/send\/|redact\//, 'state/')}`));
  }
  for (const path of ['rooms/%ff/join', 'join/%E0%A4%A', 'rooms/..%2f..%2fx/join', `join/${'x'.repeat(5000)}`]) await noFailure(path, alice.call('POST', `${V3}/${path}`, {}));
  assert.equal((await alice.call('GET', `${V3}/sync?full_state=true`)).status, 200);
});

test('paths and methods that do not exist, and requests of browsers', async () => {
  for (const path of ['/', '/_matrix', `${V3}/nothing`, '/_matrix/client/v9/sync', `${V3}/rooms/${room}/send/m.x`, '/_matrix/federation/v1/nothing']) await refused(alice.call('GET', path), 404, 'M_UNRECOGNIZED');
  for (const method of ['DELETE', 'PATCH', 'POST']) await refused(alice.call(method, `${V3}/sync`), 405, 'M_UNRECOGNIZED');
  for (const path of [`${V3}/sync`, `${V3}/rooms/${room}/send/m.x/1`, `${V3}/nothing`]) {
    const preflight = await call(running.baseUrl, 'OPTIONS', path, { headers: { origin: 'https://app.test', 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' } });
    assert.equal(preflight.status, 200);
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
    assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PUT/);
    assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /Authorization/i);
  }
  for (const path of [`${V3}/account/whoami`, `${V3}/nothing`]) assert.equal((await call(running.baseUrl, 'GET', path)).headers.get('access-control-allow-origin'), '*');
});

test('what is well-formed but cannot be done', async () => {
  await refused(alice.call('POST', `${V3}/rooms/${room}/unban`, { user_id: bob.userId }), 403, 'M_FORBIDDEN');
  await refused(bob.call('PUT', txnPath(), { body: 'not put out' }), 200);
  // There is no other.test to be asked. Who looks something up is told that it is not found, as the spec lists; who wants to enter a room or ask somebody in is told that a server failed: the
  // spec lists 403 alone for joins and 400 and 403 for invites, and neither is so. A 502 is what clients are used to there, and they may try again.
  for (const path of ['profile/@carol:other.test', 'profile/@carol:other.test/displayname', 'directory/room/%23room:other.test']) await refused(alice.call('GET', `${V3}/${path}`), 404, 'M_NOT_FOUND');
  for (const [nowhere, joinStatus, joinErrcode] of [['!nowhere:e2e.test', 404, 'M_NOT_FOUND'], ['!nowhere:other.test', 502, 'M_UNKNOWN'], [`!${'A'.repeat(43)}`, 404, 'M_NOT_FOUND']] as const) {
    const { status, body } = await alice.call('PUT', `${V3}/rooms/${encodeURIComponent(nowhere)}/send/m.x/1`, {});
    assert.ok([403, 404].includes(status), `${status} ${JSON.stringify(body)}`);
    await refused(alice.call('POST', `${V3}/join/${encodeURIComponent(nowhere)}`, {}), joinStatus, joinErrcode);
  }
  for (const userId of ['', 'bob', '@bob', 'bob:e2e.test', `@${'b'.repeat(300)}:e2e.test`, '@b\u0000b:e2e.test']) await refused(alice.call('POST', `${V3}/rooms/${room}/invite`, { user_id: userId }), 400, 'M_INVALID_PARAM');
  await refused(alice.call('POST', `${V3}/rooms/${room}/invite`, { user_id: '@carol:other.test' }), 502, 'M_UNKNOWN');
  await refused(alice.call('POST', `${V3}/join/${encodeURIComponent('#room:other.test')}`, {}), 502, 'M_UNKNOWN');
  await refused(alice.call('POST', `${V3}/join/${encodeURIComponent('#room:e2e.test')}`, {}), 404, 'M_NOT_FOUND');
  await refused(alice.call('POST', `${V3}/join/${encodeURIComponent('#room')}`, {}), 400, 'M_INVALID_PARAM');
});

test('keys that are written with escapes are told as they were said', async () => {
  const path = `${V3}/user/${encodeURIComponent(alice.userId)}/account_data/org.example.keys`;
  for (const content of ['{"x":0,"\\\\":1}', '{"x":0,"\\n":1}', '{"x":0,"\\\\\\\\":1}', '{"x":0,"\\\\\\n":1}']) {
    const put = await fetch(`${running.baseUrl}${path}`, { method: 'PUT', headers: { authorization: `Bearer ${alice.token}` }, body: content });
    assert.equal(put.status, 200);
    const got = await fetch(`${running.baseUrl}${path}`, { headers: { authorization: `Bearer ${alice.token}` } });
    assert.equal(await got.text(), content);
  }
});
