/** Accounts that are locked, suspended, ended; guests; terms; registration tokens that end: through the router, over the real owners. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { inClientWorld as inWorld, PASSWORD, type Answer, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import type { Terms } from '../../../schemas/config/settings.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';

const V3 = '/_matrix/client/v3';
const ADMIN = '/_matrix/client/v1/admin';
const DUMMY = { type: 'm.login.dummy' };

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const by = (world: ClientWorld, { token }: Session, method: string, path: string, body?: unknown) => world.call(method, V3 + path, { token, ...(body !== undefined && { body }) });
const order = (world: ClientWorld, userId: string, kind: Partial<UserInput>) =>
  world.users.submit({ inputId: '', traceId: '', ts: world.runtime.clock.now(), userId, ...kind });
const makeAdmin = (world: ClientWorld, { userId }: Session) => order(world, userId, { setAccountFlag: { flag: 'admin', isSet: true } });

async function roomOf(world: ClientWorld, session: Session, body: object = { preset: 'public_chat' }): Promise<string> {
  const { status, body: answer } = await by(world, session, 'POST', '/createRoom', body);
  assert.equal(status, 200, JSON.stringify(answer));
  return encodeURIComponent(answer.room_id);
}

async function said(world: ClientWorld, session: Session, room: string): Promise<string> {
  const { status, body } = await by(world, session, 'PUT', `/rooms/${room}/send/m.room.message/${world.runtime.random.token(8)}`, { msgtype: 'm.text', body: 'tea?' });
  assert.equal(status, 200, JSON.stringify(body));
  return encodeURIComponent(body.event_id);
}

test('administrators lock and suspend users, but neither themselves nor each other, and nobody else learns which users there are', () => inWorld({}, async (world) => {
  const [root, second, alice] = [await world.register('root'), await world.register('second'), await world.register('alice')];
  for (const admin of [root, second]) await makeAdmin(world, admin);
  for (const [kind, field] of [['lock', 'locked'], ['suspend', 'suspended']] as const) {
    const get = (who: Session, userId: string) => world.call('GET', `${ADMIN}/${kind}/${userId}`, { token: who.token });
    const put = (who: Session, userId: string, value: unknown = true) => world.call('PUT', `${ADMIN}/${kind}/${userId}`, { token: who.token, body: { [field]: value } });
    for (const userId of [alice.userId, '@nobody:test.example', '@bob:elsewhere.example']) {
      assert.equal(failure(await get(alice, userId)), '403 M_FORBIDDEN');
      assert.equal(failure(await put(alice, userId)), '403 M_FORBIDDEN');
    }
    assert.equal(failure(await get(root, '@bob:elsewhere.example')), '400 M_INVALID_PARAM');
    assert.equal(failure(await put(root, '@nobody:test.example')), '404 M_NOT_FOUND');
    assert.equal(failure(await put(root, second.userId)), '403 M_FORBIDDEN');
    assert.equal(failure(await get(root, second.userId)), '403 M_FORBIDDEN');
    assert.equal(failure(await put(root, root.userId)), '403 M_FORBIDDEN');
    assert.deepEqual((await get(root, root.userId)).body, { [field]: false });
    assert.equal(failure(await put(root, alice.userId, 'yes')), '400 M_BAD_JSON');
    assert.deepEqual((await put(root, alice.userId)).body, { [field]: true });
    assert.deepEqual((await get(root, alice.userId)).body, { [field]: true });
    assert.deepEqual((await put(root, alice.userId, false)).body, { [field]: false });
  }
  const capabilities = async (who: Session) => (await by(world, who, 'GET', '/capabilities')).body.capabilities['m.account_moderation'];
  assert.deepEqual([await capabilities(root), await capabilities(alice)], [{ suspend: true, lock: true }, undefined]);
  const { body } = await by(world, alice, 'GET', `/admin/whois/${alice.userId}`);
  assert.deepEqual([body.user_id, Object.keys(body.devices)], [alice.userId, [alice.deviceId]]);
  assert.equal((await by(world, root, 'GET', `/admin/whois/${alice.userId}`)).status, 200);
  assert.equal(failure(await by(world, alice, 'GET', `/admin/whois/${root.userId}`)), '403 M_FORBIDDEN');
  assert.equal(failure(await by(world, root, 'GET', '/admin/whois/@nobody:test.example')), '404 M_NOT_FOUND');
}));

test('who is locked can do nothing but log out, keeps the session, and gets no new one', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const room = await roomOf(world, alice);
  const login = () => world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD } });
  const other = (await login()).body;
  await order(world, alice.userId, { setAccountFlag: { flag: 'locked', isSet: true } });
  for (const [method, path] of [['GET', '/account/whoami'], ['GET', '/capabilities'], ['POST', `/rooms/${room}/leave`], ['PUT', `/profile/${alice.userId}/displayname`]] as const) {
    const answer = await by(world, alice, method, path, method === 'PUT' ? { displayname: 'A' } : method === 'POST' ? {} : undefined);
    assert.deepEqual([answer.status, answer.body.errcode, answer.body.soft_logout], [401, 'M_USER_LOCKED', true], path);
  }
  const denied = await login();
  assert.deepEqual([denied.status, denied.body.errcode, denied.body.soft_logout], [401, 'M_USER_LOCKED', true]);
  assert.equal((await world.call('POST', `${V3}/logout`, { token: other.access_token, body: {} })).status, 200);
  await order(world, alice.userId, { setAccountFlag: { flag: 'locked', isSet: false } });
  assert.equal((await by(world, alice, 'GET', '/account/whoami')).status, 200, 'the token was kept');
}));

test('who is suspended may read, leave, take back what they said and log out, and nothing that others would see', () => inWorld({}, async (world) => {
  const [alice, bob] = [await world.register('alice'), await world.register('bob')];
  const room = await roomOf(world, bob);
  assert.equal((await by(world, alice, 'POST', `/rooms/${room}/join`, {})).status, 200);
  const own = [await said(world, alice, room), await said(world, alice, room)];
  const invited = await roomOf(world, bob, { invite: [alice.userId] });
  // Power over what others say does not help.
  assert.equal((await by(world, bob, 'PUT', `/rooms/${room}/state/m.room.power_levels`, { users: { [alice.userId]: 50 }, redact: 50 })).status, 200);
  const bobs = await said(world, bob, room);
  await order(world, alice.userId, { setAccountFlag: { flag: 'suspended', isSet: true } });
  const refused: [method: string, path: string, body: unknown][] = [
    ['POST', '/createRoom', {}], ['POST', `/rooms/${invited}/join`, {}], ['POST', `/join/${invited}`, {}], ['POST', `/knock/${invited}`, {}], ['POST', `/rooms/${room}/invite`, { user_id: '@carol:test.example' }],
    ['PUT', `/rooms/${room}/send/m.room.message/1`, { msgtype: 'm.text', body: 'x' }], ['PUT', `/rooms/${room}/state/m.room.topic`, { topic: 'x' }], ['PUT', `/profile/${alice.userId}/displayname`, { displayname: 'x' }],
    ['PUT', `/rooms/${room}/redact/${bobs}/2`, {}], ['PUT', `/rooms/${room}/send/m.room.redaction/3`, { redacts: decodeURIComponent(bobs) }], ['POST', `/rooms/${room}/kick`, { user_id: bob.userId }],
    ['PUT', `/rooms/${room}/state/m.room.member/${alice.userId}`, { membership: 'join', displayname: 'x' }],
  ];
  for (const [method, path, body] of refused) assert.equal(failure(await by(world, alice, method, path, body)), '403 M_USER_SUSPENDED', path);
  const allowed: [method: string, path: string, body?: unknown][] = [
    ['GET', '/account/whoami'], ['PUT', `/rooms/${room}/redact/${own[0]}/4`, {}], ['PUT', `/rooms/${room}/send/m.room.redaction/5`, { redacts: decodeURIComponent(own[1]!) }],
    ['POST', `/rooms/${invited}/leave`, {}], ['PUT', `/rooms/${room}/state/m.room.member/${alice.userId}`, { membership: 'leave' }], ['POST', '/logout', {}],
  ];
  for (const [method, path, body] of allowed) assert.equal((await by(world, alice, method, path, body)).status, 200, path);
}));

test('guests are made only where the server wants them, and join only rooms that let them in', () => inWorld({ guests: true }, async (world) => {
  const alice = await world.register('alice');
  const { status, body } = await world.call('POST', `${V3}/register?kind=guest`, { body: { username: 'picked', password: PASSWORD, device_id: 'PICKED', initial_device_display_name: 'Guest', inhibit_login: true } });
  assert.equal(status, 200);
  assert.match(body.user_id, /^@[a-z0-9]{12}:test\.example$/);
  assert.notEqual(body.device_id, 'PICKED');
  const guest: Session = { userId: body.user_id, deviceId: body.device_id, token: body.access_token };
  assert.deepEqual((await by(world, guest, 'GET', '/account/whoami')).body, { user_id: guest.userId, device_id: guest.deviceId, is_guest: true });
  const rooms = {
    open: await roomOf(world, alice, { preset: 'public_chat', initial_state: [{ type: 'm.room.guest_access', content: { guest_access: 'can_join' } }] }),
    closed: await roomOf(world, alice, { preset: 'public_chat', initial_state: [{ type: 'm.room.guest_access', content: { guest_access: 'forbidden' } }] }),
    silent: await roomOf(world, alice, { preset: 'public_chat' }),
  };
  const join = async (room: string) => failure(await by(world, guest, 'POST', `/rooms/${room}/join`, {}));
  assert.deepEqual([await join(rooms.open), await join(rooms.closed), await join(rooms.silent)], ['200 undefined', '403 M_GUEST_ACCESS_FORBIDDEN', '403 M_GUEST_ACCESS_FORBIDDEN']);
  assert.equal(failure(await by(world, guest, 'PUT', `/rooms/${rooms.closed}/state/m.room.member/${guest.userId}`, { membership: 'join' })), '403 M_GUEST_ACCESS_FORBIDDEN');
  assert.equal(failure(await by(world, guest, 'POST', '/createRoom', {})), '403 M_GUEST_ACCESS_FORBIDDEN');
  await said(world, guest, rooms.open);
  assert.equal((await by(world, alice, 'POST', `/rooms/${rooms.closed}/join`, {})).status, 200, 'users are no guests');
}));

test('a guest becomes a user of the same name, with a password and without the guest\'s sessions', () => inWorld({ guests: true }, async (world) => {
  const { body: made } = await world.call('POST', `${V3}/register?kind=guest`, { body: {} });
  const [, localpart] = /^@([^:]+):/.exec(made.user_id) ?? [];
  const upgrade = (more: object) => world.call('POST', `${V3}/register`, { body: { password: PASSWORD, auth: DUMMY, guest_access_token: made.access_token, ...more } });
  assert.equal(failure(await upgrade({})), '400 M_MISSING_PARAM');
  assert.equal(failure(await upgrade({ username: 'somebody' })), '400 M_INVALID_USERNAME');
  assert.equal(failure(await upgrade({ username: localpart, guest_access_token: 'x' })), '403 M_FORBIDDEN');
  const { status, body } = await upgrade({ username: localpart });
  assert.deepEqual([status, body.user_id], [200, made.user_id]);
  assert.equal(failure(await world.call('GET', `${V3}/account/whoami`, { token: made.access_token })), '401 M_UNKNOWN_TOKEN');
  assert.equal((await world.call('GET', `${V3}/account/whoami`, { token: body.access_token })).body.is_guest, false);
  assert.equal(failure(await upgrade({ username: localpart, guest_access_token: body.access_token })), '403 M_FORBIDDEN', 'a user is no guest any more');
  assert.equal((await world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user: localpart, password: PASSWORD } })).status, 200);
}));

const terms = (version: string): Terms => ({ privacy: { version, languages: { en: { name: 'Privacy', url: 'https://test.example/privacy' } } } });

test('terms are accepted at registration; a new version blocks what others would see until its page was accepted', async () => {
  const settings: { terms: Terms } = { terms: terms('1') };
  await inWorld(settings, async (world) => {
    const asked = await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD } });
    assert.deepEqual(asked.body.flows, [{ stages: ['m.login.terms'] }]);
    assert.deepEqual(asked.body.params['m.login.terms'], { policies: { privacy: { version: '1', en: { name: 'Privacy', url: 'https://test.example/privacy' } } } });
    const made = await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD, auth: { type: 'm.login.terms', session: asked.body.session } } });
    assert.equal(made.status, 200);
    const alice: Session = { userId: made.body.user_id, deviceId: made.body.device_id, token: made.body.access_token };
    const room = await roomOf(world, alice);
    await said(world, alice, room);

    // The operator changes the file and starts anew.
    Object.assign(settings.terms, terms('2'));
    const refused = await by(world, alice, 'PUT', `/rooms/${room}/send/m.room.message/1`, { msgtype: 'm.text', body: 'x' });
    assert.equal(failure(refused), '403 M_CONSENT_NOT_GIVEN');
    for (const [path, body] of [['/createRoom', {}], [`/join/${room}`, {}], [`/rooms/${room}/invite`, { user_id: '@bob:test.example' }]] as const) assert.equal(failure(await by(world, alice, 'POST', path, body)), '403 M_CONSENT_NOT_GIVEN', path);
    const link = new URL(refused.body.consent_uri);
    assert.equal(link.origin, 'https://matrix.test.example');
    const page = (method: string, query: string) => world.router.dispatch({ method, path: link.pathname, queryString: query, headers: {}, remoteAddress: '127.0.0.1', departure: new Departure() });
    const shown = await page('GET', link.search.slice(1));
    assert.match(shown.headers?.['content-type'] ?? '', /^text\/html/);
    const [, action = ''] = /action="([^"]+)"/.exec(Buffer.from(shown.json as Uint8Array | string).toString()) ?? [];
    const { searchParams } = new URL(action.replaceAll('&amp;', '&'), link);
    const forged = new URLSearchParams(searchParams);
    forged.set('u', '@bob:test.example');
    assert.equal((await page('POST', forged.toString())).status, 403, 'a link is good for one user');
    const old = new URLSearchParams(searchParams);
    old.set('v', '{"privacy":"1"}');
    assert.equal((await page('POST', old.toString())).status, 200);
    assert.equal(failure(await by(world, alice, 'POST', '/createRoom', {})), '403 M_CONSENT_NOT_GIVEN', 'what is accepted is what was shown');
    assert.equal((await page('POST', searchParams.toString())).status, 200);
    await said(world, alice, room);
    assert.equal((await by(world, alice, 'POST', `/rooms/${room}/leave`, {})).status, 200);
  });
});

test('leaving and reading need no consent', () => inWorld({ terms: terms('1') }, async (world) => {
  const { body: { session } } = await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD } });
  const { body } = await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD, auth: { type: 'm.login.terms', session } } });
  const alice: Session = { userId: body.user_id, deviceId: body.device_id, token: body.access_token };
  const room = await roomOf(world, alice);
  await order(world, alice.userId, { acceptTerms: { versions: Buffer.from('{"privacy":"0"}') } });
  assert.equal(failure(await by(world, alice, 'PUT', `/rooms/${room}/send/m.room.message/1`, { body: 'x' })), '403 M_CONSENT_NOT_GIVEN');
  assert.equal((await by(world, alice, 'GET', '/capabilities')).status, 200);
  assert.equal((await by(world, alice, 'POST', `/rooms/${room}/leave`, {})).status, 200);
}));

test('a registration token makes as many accounts as it may, also when all ask at once, and none after its end', () => inWorld({ registration: 'token', registrationToken: 'house' }, async (world) => {
  const { clock } = world.runtime;
  const put = (token: string, usesAllowed: number, expiresMs = 0) => order(world, `#${token}`, { putRegistrationToken: { removed: false, usesAllowed, expiresMs } });
  const register = (username: string, token: string) => world.call('POST', `${V3}/register`, { body: { username, password: PASSWORD, auth: { type: 'm.login.registration_token', token } } });
  const isValid = async (token: string) => (await world.call('GET', `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`)).body.valid;
  await put('twice', 2);
  assert.equal(await isValid('twice'), true);
  const answers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => register(name, 'twice')));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 401, 401]);
  assert.equal(await isValid('twice'), false);
  await put('twice', 3);
  assert.equal(await isValid('twice'), true, 'its uses were counted on');

  await put('brief', 0, clock.now() + 1000);
  assert.equal((await register('e', 'brief')).status, 200);
  await world.runtime.advance(1001);
  assert.deepEqual([await isValid('brief'), (await register('f', 'brief')).status], [false, 401]);
  assert.equal((await register('g', 'house')).status, 200, 'that of the settings has no end');
  await order(world, '#twice', { putRegistrationToken: { removed: true, usesAllowed: 0, expiresMs: 0 } });
  assert.deepEqual([await isValid('twice'), await isValid('never'), await isValid('house')], [false, false, true]);
}));

test('a token that was shown on the page of its stage is counted, and the session alone makes the account', () => inWorld({ registration: 'token', registrationToken: '' }, async (world) => {
  await order(world, '#once', { putRegistrationToken: { removed: false, usesAllowed: 1, expiresMs: 0 } });
  const { body: { session } } = await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD } });
  const show = (token: string) => world.router.dispatch({
    method: 'POST', path: `${V3}/auth/m.login.registration_token/fallback/web`, queryString: '', remoteAddress: '127.0.0.1', departure: new Departure(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: Buffer.from(new URLSearchParams({ session, token }).toString()),
  });
  assert.match(String((await show('wrong')).json), /not valid/);
  assert.equal((await show('once')).status, 200);
  assert.equal(failure(await world.call('POST', `${V3}/register`, { body: { username: 'bob', password: PASSWORD, auth: { type: 'm.login.registration_token', token: 'once' } } })), '401 M_FORBIDDEN', 'the use is set aside');
  assert.equal((await world.call('POST', `${V3}/register`, { body: { auth: { session } } })).body.user_id, '@alice:test.example');
  assert.deepEqual(await world.userDatabase.query('SELECT user_id FROM registration_token_uses'), [{ user_id: '@alice:test.example' }]);
}));

test('of two that want one name by one token, one use is taken', () => inWorld({ registration: 'token', registrationToken: '' }, async (world) => {
  await order(world, '#twice', { putRegistrationToken: { removed: false, usesAllowed: 2, expiresMs: 0 } });
  const register = (username: string) => world.call('POST', `${V3}/register`, { body: { username, password: PASSWORD, auth: { type: 'm.login.registration_token', token: 'twice' } } });
  const both = await Promise.all([register('alice'), register('alice')]);
  assert.deepEqual(both.map(failure).sort(), ['200 undefined', '400 M_USER_IN_USE']);
  assert.deepEqual([failure(await register('bob')), failure(await register('carol'))], ['200 undefined', '401 M_FORBIDDEN']);
}));

test('a use that is set aside for an account that is never made is free again after a while', () => inWorld({ registration: 'token', registrationToken: '' }, async (world) => {
  await order(world, '#once', { putRegistrationToken: { removed: false, usesAllowed: 1, expiresMs: 0 } });
  await order(world, '#once', { useRegistrationToken: { userId: '~session' } });
  const register = () => world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD, auth: { type: 'm.login.registration_token', token: 'once' } } });
  assert.equal(failure(await register()), '401 M_FORBIDDEN');
  await world.runtime.advance(15 * 60_000 + 1);
  assert.equal((await register()).status, 200);
  assert.deepEqual(await world.userDatabase.query('SELECT user_id FROM registration_token_uses'), [{ user_id: '@alice:test.example' }]);
}));

test('an account that is over cannot be used, found or made again', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  await by(world, alice, 'PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
  await by(world, alice, 'PUT', `/user/${alice.userId}/account_data/org.example.a`, { a: 1 });
  await by(world, alice, 'POST', `/user/${alice.userId}/filter`, {});
  const asked = await by(world, alice, 'POST', '/account/deactivate', { erase: true });
  assert.deepEqual([asked.status, asked.body.flows], [401, [{ stages: ['m.login.password'] }]]);
  const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD, session: asked.body.session };
  const wrong = await by(world, alice, 'POST', '/account/deactivate', { erase: true, auth: { ...auth, password: 'wrong' } });
  assert.equal(failure(wrong), '401 M_FORBIDDEN');
  const done = await by(world, alice, 'POST', '/account/deactivate', { erase: true, auth });
  assert.deepEqual([done.status, done.body], [200, { id_server_unbind_result: 'success' }]);
  assert.equal(failure(await by(world, alice, 'GET', '/account/whoami')), '401 M_UNKNOWN_TOKEN');
  assert.equal(failure(await world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user: 'alice', password: PASSWORD } })), '403 M_USER_DEACTIVATED');
  assert.equal(failure(await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD, auth: DUMMY } })), '400 M_USER_IN_USE');
  for (const table of ['access_tokens', 'account_data', 'filters']) assert.deepEqual(await world.userDatabase.query(`SELECT user_id FROM ${table} WHERE user_id = '@alice:test.example'`), [], table);
  const [account] = await world.userDatabase.query(`SELECT password_hash, deactivated FROM accounts WHERE user_id = '@alice:test.example'`);
  assert.deepEqual(account, { password_hash: '', deactivated: 1 });
  const [ended] = world.userOutputs().slice(-1);
  assert.equal(ended?.deactivated?.erased, true);
  assert.equal(world.userOutputs().filter(({ profileField }) => profileField?.key === 'displayname').at(-1)?.profileField?.value.length, 0);
}));

test('without a session, whoever knows the password may end the account, unless it is locked', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD };
  await order(world, alice.userId, { setAccountFlag: { flag: 'locked', isSet: true } });
  const end = () => world.call('POST', `${V3}/account/deactivate`, { body: { auth } });
  assert.equal(failure(await end()), '401 M_USER_LOCKED');
  await order(world, alice.userId, { setAccountFlag: { flag: 'locked', isSet: false } });
  assert.equal((await end()).status, 200);
  assert.equal(failure(await by(world, alice, 'GET', '/account/whoami')), '401 M_UNKNOWN_TOKEN');
}));
