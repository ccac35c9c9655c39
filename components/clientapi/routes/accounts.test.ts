/** Registration, log-in and log-out through the router, over the real userapi. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inClientWorld as inWorld, PASSWORD, type Answer, type ClientWorld } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';
const DUMMY = { type: 'm.login.dummy' };

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const register = (world: ClientWorld, body: unknown, query = '') => world.call('POST', `${V3}/register${query}`, { body });

test('registering takes two steps, and gives a token that works and is stored as a hash only', () => inWorld({}, async (world) => {
  const first = await register(world, {});
  assert.equal(first.status, 401);
  assert.deepEqual(first.body.flows, [{ stages: ['m.login.dummy'] }]);
  const { status, body } = await register(world, { username: 'Alice', password: PASSWORD, device_id: 'PHONE', initial_device_display_name: 'My phone', auth: { ...DUMMY, session: first.body.session } });
  assert.equal(status, 200);
  assert.deepEqual([body.user_id, body.device_id], ['@alice:test.example', 'PHONE']);
  const { body: who } = await world.call('GET', `${V3}/account/whoami`, { token: body.access_token });
  assert.deepEqual(who, { user_id: '@alice:test.example', device_id: 'PHONE', is_guest: false });
  const stored = JSON.stringify([world.users.inputs, await world.userDatabase.query('SELECT * FROM accounts'), await world.userDatabase.query('SELECT * FROM access_tokens')]);
  assert.ok(!stored.includes(PASSWORD) && !stored.includes(body.access_token) && !JSON.stringify(world.runtime.lines).includes(PASSWORD));
  assert.equal(world.waited.length, 1, 'the answer waits for the read model');
}));

test('without a user name one is made up; with inhibit_login there is no token', () => inWorld({}, async (world) => {
  const { status, body } = await register(world, { password: PASSWORD, inhibit_login: true, auth: DUMMY });
  assert.equal(status, 200);
  assert.match(body.user_id, /^@[a-z0-9]{12}:test\.example$/);
  assert.deepEqual([body.access_token, body.device_id], [undefined, undefined]);
}));

test('what cannot be registered is refused before authentication, with its own error', () => inWorld({}, async (world) => {
  await world.register('alice');
  const cases: [body: unknown, expected: string, query?: string][] = [
    [{ username: 'ALICE', password: PASSWORD }, '400 M_USER_IN_USE'],
    [{ username: 'al ice', password: PASSWORD }, '400 M_INVALID_USERNAME'],
    [{ username: '', password: PASSWORD }, '400 M_INVALID_USERNAME'],
    [{ username: 'x'.repeat(250), password: PASSWORD }, '400 M_INVALID_USERNAME'],
    [{ username: 'bob', password: 'short' }, '400 M_WEAK_PASSWORD'],
    [{ username: 7, password: PASSWORD }, '400 M_BAD_JSON'],
    [{ username: 'bob', password: PASSWORD, device_id: 'a\0b' }, '400 M_INVALID_PARAM'],
    [{ username: 'bob', password: PASSWORD, auth: 'x' }, '400 M_BAD_JSON'],
    [{ username: 'bob', auth: DUMMY }, '400 M_MISSING_PARAM'],
    [{ username: 'bob', password: PASSWORD, auth: DUMMY }, '403 M_GUEST_ACCESS_FORBIDDEN', '?kind=guest'],
    [{ username: 'bob', password: PASSWORD, auth: DUMMY }, '400 M_INVALID_PARAM', '?kind=robot'],
    ['{"username":', '400 M_NOT_JSON'],
    ['[]', '400 M_BAD_JSON'],
  ];
  for (const [body, expected, query] of cases) assert.equal(failure(await register(world, body, query)), expected, JSON.stringify(body));
  assert.equal(failure(await world.call('GET', `${V3}/register/available?username=alice`)), '400 M_USER_IN_USE');
  assert.deepEqual((await world.call('GET', `${V3}/register/available?username=bob`)).body, { available: true });
  assert.equal(failure(await world.call('GET', `${V3}/register/available`)), '400 M_MISSING_PARAM');
}));

test('a closed server registers nobody', () => inWorld({ registration: 'closed' }, async (world) => {
  assert.equal(failure(await register(world, { username: 'bob', password: PASSWORD, auth: DUMMY })), '403 M_FORBIDDEN');
  assert.equal(failure(await world.call('GET', `${V3}/register/available?username=bob`)), '403 M_FORBIDDEN');
}));

test('with a registration token, only who knows it registers', () => inWorld({ registration: 'token', registrationToken: 'sesame' }, async (world) => {
  const wish = { username: 'bob', password: PASSWORD };
  const begun = await register(world, wish);
  assert.deepEqual(begun.body.flows, [{ stages: ['m.login.registration_token'] }]);
  for (const auth of [DUMMY, { type: 'm.login.registration_token' }, { type: 'm.login.registration_token', token: 'Sesame' }, { type: 'm.login.registration_token', token: '' }]) {
    assert.equal(failure(await register(world, { ...wish, auth: { ...auth, session: begun.body.session } })), '401 M_FORBIDDEN');
  }
  assert.equal((await register(world, { ...wish, auth: { type: 'm.login.registration_token', token: 'sesame', session: begun.body.session } })).status, 200);
  const validity = (token: string) => world.call('GET', `/_matrix/client/v1/register/m.login.registration_token/validity?token=${token}`);
  assert.deepEqual([(await validity('sesame')).body, (await validity('x')).body], [{ valid: true }, { valid: false }]);
}));

test('token registration without a token set lets nobody in', () => inWorld({ registration: 'token', registrationToken: '' }, async (world) => {
  assert.equal(failure(await register(world, { username: 'bob', password: PASSWORD, auth: { type: 'm.login.registration_token', token: '' } })), '401 M_FORBIDDEN');
}));

test('one logs in by user name, user ID or the old user field; the device is reused and its old token dies', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const login = (body: object) => world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', password: PASSWORD, ...body } });
  for (const who of [{ identifier: { type: 'm.id.user', user: 'alice' } }, { identifier: { type: 'm.id.user', user: alice.userId } }, { user: 'Alice' }]) {
    const { status, body } = await login(who);
    assert.deepEqual([status, body.user_id, body.well_known['m.homeserver'].base_url], [200, alice.userId, 'https://matrix.test.example']);
  }
  const again = await login({ user: 'alice', device_id: alice.deviceId });
  assert.equal(failure(await world.call('GET', `${V3}/account/whoami`, { token: alice.token })), '401 M_UNKNOWN_TOKEN');
  assert.equal((await world.call('GET', `${V3}/account/whoami`, { token: again.body.access_token })).body.device_id, alice.deviceId);
}));

test('a log-in that cannot be is refused, and an unknown user looks like a wrong password', () => inWorld({}, async (world) => {
  await world.register('alice');
  const login = (body: unknown) => world.call('POST', `${V3}/login`, { body });
  const wrong = await login({ type: 'm.login.password', user: 'alice', password: 'wrong password' });
  const unknown = await login({ type: 'm.login.password', user: 'nobody', password: PASSWORD });
  assert.equal(failure(wrong), '403 M_FORBIDDEN');
  assert.deepEqual(unknown.body, wrong.body);
  assert.equal(failure(await login({ type: 'm.login.password', user: '@alice:elsewhere', password: PASSWORD })), '403 M_FORBIDDEN');
  assert.equal(failure(await login({ type: 'm.login.telepathy' })), '400 M_UNKNOWN');
  assert.equal(failure(await login({})), '400 M_MISSING_PARAM');
  assert.equal(failure(await login({ type: 'm.login.password', password: PASSWORD })), '400 M_MISSING_PARAM');
  assert.equal(failure(await login({ type: 'm.login.password', user: 'alice' })), '400 M_MISSING_PARAM');
  assert.equal(failure(await login({ type: 'm.login.password', user: 'alice', password: {} })), '400 M_BAD_JSON');
  await world.userDatabase.transaction((tx) => tx.run('UPDATE accounts SET deactivated = 1'));
  assert.equal(failure(await login({ type: 'm.login.password', user: 'alice', password: PASSWORD })), '403 M_USER_DEACTIVATED');
}));

test('logging out ends this session, or all of them', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const login = async () => (await world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user: 'alice', password: PASSWORD } })).body.access_token as string;
  const [second, third] = [await login(), await login()];
  const status = async (token: string) => (await world.call('GET', `${V3}/account/whoami`, { token })).status;
  assert.equal((await world.call('POST', `${V3}/logout`, { token: alice.token })).status, 200);
  assert.deepEqual([await status(alice.token), await status(second), await status(third)], [401, 200, 200]);
  assert.equal((await world.call('POST', `${V3}/logout/all`, { token: second })).status, 200);
  assert.deepEqual([await status(second), await status(third)], [401, 401]);
  assert.equal(failure(await world.call('POST', `${V3}/logout`)), '401 M_MISSING_TOKEN');
}));

test('who tries too often is told to wait', () => inWorld({ rateLimits: true }, async (world) => {
  let last: Answer | undefined;
  for (let tries = 0; tries < 40 && last?.status !== 429; tries += 1) last = await world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user: 'nobody', password: 'x' } });
  assert.equal(failure(last!), '429 M_LIMIT_EXCEEDED');
  assert.ok(last!.body.retry_after_ms > 0);
}));
