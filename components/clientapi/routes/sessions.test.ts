/** Sessions through the router, over the real userapi: refreshing, login tokens, devices, the password, OpenID tokens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Departure } from '../../../pkg/http/departure.ts';
import { openidRoute } from '../../federationapi/routes/openid.ts';
import { userQuery } from '../../userapi/index.ts';
import { createRouter } from '../../../pkg/http/router.ts';
import { NOTED_TOGETHER_MS, SEEN_AGAIN_MS } from '../../../pkg/http/token-use.ts';
import { inClientWorld as inWorld, PASSWORD, type Answer, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { SESSIONS_DEFAULT } from '../../../schemas/config/settings.ts';

const V3 = '/_matrix/client/v3';
const NEW_PASSWORD = 'another horse battery';

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const soft = ({ status, body }: Answer): unknown[] => [status, body.errcode, body.soft_logout];
const login = (world: ClientWorld, user: string, more: object = {}) => world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user, password: PASSWORD, ...more } });
const refresh = (world: ClientWorld, token: string) => world.call('POST', `${V3}/refresh`, { body: { refresh_token: token } });
const whoami = (world: ClientWorld, token: string) => world.call('GET', `${V3}/account/whoami`, { token });
const byPassword = (password = PASSWORD, session?: string) => ({ type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password, ...(session !== undefined && { session }) });

test('refresh tokens are for clients that ask for them, at log-in and registration', () => inWorld({}, async (world) => {
  const { body: registered } = await world.call('POST', `${V3}/register`, { body: { username: 'alice', password: PASSWORD, refresh_token: true, auth: { type: 'm.login.dummy' } } });
  const { body: loggedIn } = await login(world, 'alice', { refresh_token: true });
  for (const body of [registered, loggedIn]) assert.deepEqual([body.expires_in_ms, typeof body.refresh_token], [3_600_000, 'string']);
  const { body: plain } = await login(world, 'alice');
  assert.deepEqual([plain.expires_in_ms, plain.refresh_token], [undefined, undefined]);
  const stored = JSON.stringify([world.users.inputs, await world.userDatabase.query('SELECT * FROM access_tokens')]);
  assert.ok(!stored.includes(loggedIn.refresh_token) && !stored.includes(loggedIn.access_token));
}));

test('a refresh brings new tokens; the old ones are good until the new ones are used', () => inWorld({}, async (world) => {
  await world.register('alice');
  const { body: old } = await login(world, 'alice', { refresh_token: true, device_id: 'PHONE' });
  const { status, body: lost } = await refresh(world, old.refresh_token);
  assert.deepEqual([status, lost.expires_in_ms], [200, 3_600_000]);
  const { body: fresh } = await refresh(world, old.refresh_token);
  assert.equal((await whoami(world, old.access_token)).status, 200);
  assert.equal((await whoami(world, fresh.access_token)).body.device_id, 'PHONE');
  assert.deepEqual(soft(await whoami(world, old.access_token)), [401, 'M_UNKNOWN_TOKEN', true]);
  assert.equal((await whoami(world, lost.access_token)).status, 401);
  const { body: next } = await refresh(world, fresh.refresh_token);
  assert.equal((await refresh(world, next.refresh_token)).status, 200, 'a refresh token counts as used when it refreshes');
  assert.equal((await whoami(world, fresh.access_token)).status, 401);
}));

test('a refresh token that comes back ends the session, and no other one', () => inWorld({}, async (world) => {
  const other = await world.register('alice');
  const { body: first } = await login(world, 'alice', { refresh_token: true });
  const { body: second } = await refresh(world, first.refresh_token);
  assert.equal((await whoami(world, second.access_token)).status, 200);
  assert.deepEqual(soft(await refresh(world, first.refresh_token)), [401, 'M_UNKNOWN_TOKEN', true]);
  assert.deepEqual(soft(await whoami(world, second.access_token)), [401, 'M_UNKNOWN_TOKEN', true]);
  assert.deepEqual(soft(await refresh(world, second.refresh_token)), [401, 'M_UNKNOWN_TOKEN', true]);
  assert.equal((await whoami(world, other.token)).status, 200);
  const again = await login(world, 'alice', { refresh_token: true, device_id: first.device_id });
  assert.equal((await whoami(world, again.body.access_token)).body.device_id, first.device_id);
  assert.deepEqual(soft(await refresh(world, first.refresh_token)), [401, 'M_UNKNOWN_TOKEN', false]);
  assert.equal((await whoami(world, again.body.access_token)).status, 200, 'what is left of an old session does not end the new one');
}));

test('tokens expire: the client refreshes, and in the end logs in again', () => inWorld({ sessions: { ...SESSIONS_DEFAULT, accessTokenMs: 1000, refreshTokenMs: 2000, plainTokenMs: 3000 } }, async (world) => {
  await world.register('alice');
  const { body: refreshed } = await login(world, 'alice', { refresh_token: true });
  const { body: plain } = await login(world, 'alice');
  assert.equal(plain.expires_in_ms, 3000);
  await world.runtime.advance(999);
  assert.equal((await whoami(world, refreshed.access_token)).status, 200);
  await world.runtime.advance(1);
  assert.deepEqual(soft(await whoami(world, refreshed.access_token)), [401, 'M_UNKNOWN_TOKEN', true]);
  const { status, body } = await refresh(world, refreshed.refresh_token);
  assert.equal(status, 200);
  assert.equal((await whoami(world, plain.access_token)).status, 200);
  await world.runtime.advance(2000);
  assert.deepEqual(soft(await whoami(world, plain.access_token)), [401, 'M_UNKNOWN_TOKEN', true]);
  assert.deepEqual(soft(await refresh(world, body.refresh_token)), [401, 'M_UNKNOWN_TOKEN', true]);
}));

test('a locked account keeps its sessions, and gets no new ones and no new tokens', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const { body: session } = await login(world, 'alice', { refresh_token: true });
  const lock = (isSet: boolean) => world.users.submit({ inputId: '', traceId: '', ts: world.runtime.clock.now(), userId: alice.userId, setAccountFlag: { flag: 'locked', isSet } });
  await lock(true);
  for (const answer of [await login(world, 'alice'), await refresh(world, session.refresh_token), await whoami(world, session.access_token)]) assert.deepEqual(soft(answer), [401, 'M_USER_LOCKED', true]);
  assert.equal(failure(await login(world, 'alice', { password: 'wrong password' })), '403 M_FORBIDDEN');
  await lock(false);
  assert.equal((await whoami(world, session.access_token)).status, 200);
  assert.equal((await refresh(world, session.refresh_token)).status, 200);
}));

test('what is no refresh token is refused', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  for (const token of ['', 'x', alice.token, `myr_${'a'.repeat(22)}_${'b'.repeat(43)}`]) assert.deepEqual(soft(await refresh(world, token)), [401, 'M_UNKNOWN_TOKEN', false], token);
  assert.equal(failure(await world.call('POST', `${V3}/refresh`, { body: {} })), '400 M_MISSING_PARAM');
}));

test('a user is named in several ways; nobody has a third-party identifier', () => inWorld({}, async (world) => {
  await world.register('alice');
  const as = (more: object) => world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', password: PASSWORD, ...more } });
  for (const identifier of [{ type: 'm.id.thirdparty', medium: 'email', address: 'a@b.example' }, { type: 'm.id.phone', country: 'GB', phone: '1' }, { medium: 'email', address: 'a@b.example' }]) {
    assert.equal(failure(await as({ identifier })), '403 M_FORBIDDEN');
  }
  assert.equal(failure(await as({ medium: 'email', address: 'a@b.example' })), '403 M_FORBIDDEN');
  assert.equal(failure(await as({ identifier: { type: 'org.example.card' } })), '400 M_UNKNOWN');
  for (const identifier of [{ type: 'm.id.user' }, { user: 'alice' }, {}, { type: 'm.id.phone' }]) assert.equal(failure(await as({ identifier })), '400 M_MISSING_PARAM');
  assert.equal(failure(await as({ identifier: { type: 'm.id.user', user: 7 } })), '400 M_BAD_JSON');
}));

async function loginToken(world: ClientWorld, { token }: Session): Promise<string> {
  const { status, body } = await world.call('POST', '/_matrix/client/v1/login/get_token', { token, body: { auth: byPassword() } });
  assert.deepEqual([status, body.expires_in_ms], [200, 120_000]);
  return body.login_token as string;
}

test('a user has another client logged in by a token, once and for two minutes', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const by = (token: string) => world.call('POST', `${V3}/login`, { body: { type: 'm.login.token', token } });
  const asked = await world.call('POST', '/_matrix/client/v1/login/get_token', { token: alice.token, body: {} });
  assert.deepEqual([asked.status, asked.body.flows], [401, [{ stages: ['m.login.password'] }]]);
  const [first, second] = [await loginToken(world, alice), await loginToken(world, alice)];
  const { status, body } = await by(first);
  assert.deepEqual([status, body.user_id], [200, alice.userId]);
  assert.notEqual(body.device_id, alice.deviceId);
  assert.equal(failure(await by(first)), '403 M_FORBIDDEN');
  await world.runtime.advance(120_000);
  assert.equal(failure(await by(second)), '403 M_FORBIDDEN');
  assert.equal(failure(await by('x')), '403 M_FORBIDDEN');
  assert.equal(failure(await world.call('POST', `${V3}/login`, { body: { type: 'm.login.token' } })), '400 M_MISSING_PARAM');
  assert.deepEqual((await world.call('GET', `${V3}/login`)).body.flows, [{ type: 'm.login.password' }, { type: 'm.login.token', get_login_token: true }]);
}));

test('of two log-ins by one token at once, one succeeds', () => inWorld({}, async (world) => {
  const token = await loginToken(world, await world.register('alice'));
  const answers = await Promise.all([1, 2].map(() => world.call('POST', `${V3}/login`, { body: { type: 'm.login.token', token } })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403]);
}));

test('where login tokens are switched off there are none', () => inWorld({ sessions: { ...SESSIONS_DEFAULT, loginTokens: false } }, async (world) => {
  const alice = await world.register('alice');
  assert.equal(failure(await world.call('POST', '/_matrix/client/v1/login/get_token', { token: alice.token, body: {} })), '400 M_UNKNOWN');
  assert.equal(failure(await world.call('POST', `${V3}/login`, { body: { type: 'm.login.token', token: 'x' } })), '400 M_UNKNOWN');
  assert.deepEqual((await world.call('GET', `${V3}/login`)).body.flows, [{ type: 'm.login.password' }]);
  const { body } = await world.call('GET', `${V3}/capabilities`, { token: alice.token });
  assert.deepEqual(body.capabilities['m.get_login_token'], { enabled: false });
}));

test('devices are listed, named and shown with when and from where they were used', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const bob = await world.register('bob');
  const list = async () => (await world.call('GET', `${V3}/devices`, { token: alice.token })).body.devices;
  const seen = world.runtime.clock.now();
  assert.deepEqual(await list(), [{ device_id: alice.deviceId, last_seen_ts: seen, last_seen_ip: '127.0.0.1' }]);
  const path = `${V3}/devices/${alice.deviceId}`;
  assert.equal((await world.call('PUT', path, { token: alice.token, body: { display_name: 'My phone' } })).status, 200);
  assert.equal((await world.call('PUT', path, { token: alice.token, body: {} })).status, 200);
  assert.equal((await world.call('GET', path, { token: alice.token })).body.display_name, 'My phone');
  for (const method of ['GET', 'PUT']) assert.equal(failure(await world.call(method, path, { token: bob.token, ...(method === 'PUT' && { body: { display_name: 'Mine' } }) })), '404 M_NOT_FOUND');
  assert.equal(failure(await world.call('PUT', path, { token: alice.token, body: { display_name: 'x'.repeat(256) } })), '400 M_INVALID_PARAM');

  const inputs = () => world.users.inputs.filter((input) => input.seeDevice).length;
  await world.runtime.advance(SEEN_AGAIN_MS);
  await world.call('GET', path, { token: alice.token, address: '192.0.2.1' });
  await world.call('GET', path, { token: alice.token, address: '192.0.2.2' });
  await world.runtime.advance(NOTED_TOGETHER_MS);
  assert.equal(inputs(), 1, 'one note, however many requests');
  assert.deepEqual(await list(), [{ device_id: alice.deviceId, display_name: 'My phone', last_seen_ts: seen + SEEN_AGAIN_MS, last_seen_ip: '192.0.2.1' }]);
  await world.runtime.advance(SEEN_AGAIN_MS);
  await list();
  await world.runtime.advance(NOTED_TOGETHER_MS);
  assert.equal(inputs(), 2);
}));

test('removing devices takes the password, of the user who asks; their tokens die with them', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  await world.register('bob');
  const [one, two] = [(await login(world, 'alice')).body, (await login(world, 'alice')).body];
  const remove = (id: string, body: object | undefined, token = alice.token) => world.call('DELETE', `${V3}/devices/${id}`, { token, ...(body && { body }) });
  const asked = await remove(one.device_id, undefined);
  assert.deepEqual([asked.status, asked.body.flows, asked.body.params, typeof asked.body.session], [401, [{ stages: ['m.login.password'] }], {}, 'string']);
  const { session } = asked.body;
  assert.equal(failure(await remove(one.device_id, { auth: byPassword('wrong password', session) })), '401 M_FORBIDDEN');
  const asBob = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'bob' }, password: PASSWORD, session };
  assert.equal(failure(await remove(one.device_id, { auth: asBob })), '403 M_FORBIDDEN');
  assert.equal(failure(await remove(two.device_id, { auth: byPassword(PASSWORD, session) })), '403 M_FORBIDDEN', 'the session is for another device');
  assert.equal((await whoami(world, one.access_token)).status, 200);
  assert.equal((await remove(one.device_id, { auth: byPassword(PASSWORD, session) })).status, 200);
  assert.deepEqual(soft(await whoami(world, one.access_token)), [401, 'M_UNKNOWN_TOKEN', false]);
  assert.equal((await remove(one.device_id, { auth: byPassword() })).status, 200, 'what is gone is gone');
  assert.equal((await whoami(world, two.access_token)).status, 200);

  const many = (body: object) => world.call('POST', `${V3}/delete_devices`, { token: alice.token, body });
  assert.equal(failure(await many({})), '400 M_MISSING_PARAM');
  assert.equal(failure(await many({ devices: [1] })), '400 M_BAD_JSON');
  const begun = await many({ devices: [two.device_id, 'NONE'] });
  assert.equal(begun.status, 401);
  assert.equal((await many({ auth: byPassword(PASSWORD, begun.body.session) })).status, 200, 'the devices of the first request are meant');
  assert.equal((await whoami(world, two.access_token)).status, 401);
  assert.equal((await whoami(world, alice.token)).status, 200);
  const gone = world.userOutputs().flatMap(({ device }) => (device?.removed === true ? [device.deviceId] : []));
  assert.deepEqual(gone, [one.device_id, two.device_id]);
}));

test('an application service makes, names and removes devices of its users without a password', () => inWorld({}, async (world) => {
  const as = (path: string) => `${V3}${path}?user_id=${encodeURIComponent('@bot_1:test.example')}`;
  const body = { type: 'm.login.application_service', username: 'bot_1', inhibit_login: true };
  assert.equal((await world.call('POST', `${V3}/register`, { token: 'as-secret', body })).status, 200);
  assert.equal((await world.call('PUT', as('/devices/BOT'), { token: 'as-secret', body: { display_name: 'Bridge' } })).status, 201);
  assert.equal((await world.call('PUT', as('/devices/BOT'), { token: 'as-secret', body: { display_name: 'The bridge' } })).status, 200);
  assert.deepEqual((await world.call('GET', as('/devices'), { token: 'as-secret' })).body.devices, [{ device_id: 'BOT', display_name: 'The bridge' }]);
  assert.equal((await world.call('DELETE', as('/devices/BOT'), { token: 'as-secret' })).status, 200);
  assert.deepEqual((await world.call('GET', as('/devices'), { token: 'as-secret' })).body.devices, []);
  const who = await whoami(world, 'as-secret');
  assert.deepEqual([who.status, 'device_id' in who.body], [200, false]);
}, [{ id: 'bridge', url: null, asToken: 'as-secret', hsToken: 'hs-secret', senderLocalpart: 'bridge', isRateLimited: false, namespaces: { users: [{ regex: '@bot_.*', isExclusive: true }], aliases: [], rooms: [] }, protocols: [], receivesEphemeral: false }]));

test('a new password logs out all but the device that sets it, unless that is not wanted', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const other = (await login(world, 'alice')).body.access_token as string;
  const change = (body: object, token: string | undefined = alice.token) => world.call('POST', `${V3}/account/password`, { ...(token !== undefined && { token }), body });
  assert.equal(failure(await change({})), '400 M_MISSING_PARAM');
  assert.equal(failure(await change({ new_password: 'short' })), '400 M_WEAK_PASSWORD');
  const begun = await change({ new_password: NEW_PASSWORD, logout_devices: false });
  assert.deepEqual([begun.status, begun.body.flows], [401, [{ stages: ['m.login.password'] }]]);
  assert.equal(failure(await change({ new_password: NEW_PASSWORD, auth: byPassword('wrong password') })), '401 M_FORBIDDEN');
  assert.equal((await change({ auth: byPassword(PASSWORD, begun.body.session) })).status, 200);
  assert.deepEqual([(await whoami(world, alice.token)).status, (await whoami(world, other)).status], [200, 200]);
  assert.equal(failure(await login(world, 'alice')), '403 M_FORBIDDEN');
  assert.equal((await login(world, 'alice', { password: NEW_PASSWORD })).status, 200);
  assert.equal((await change({ new_password: PASSWORD, auth: byPassword(NEW_PASSWORD) })).status, 200);
  assert.deepEqual([(await whoami(world, alice.token)).status, (await whoami(world, other)).status], [200, 401]);
}));

test('who has no session changes the password of the account that they name, and whose password they know', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const change = (body: object) => world.call('POST', `${V3}/account/password`, { body: { new_password: NEW_PASSWORD, ...body } });
  assert.equal((await change({})).status, 401);
  assert.equal(failure(await change({ auth: { ...byPassword(), identifier: { type: 'm.id.user', user: 'nobody' } } })), '401 M_FORBIDDEN');
  assert.equal(failure(await change({ auth: { ...byPassword(), identifier: { type: 'm.id.thirdparty', medium: 'email', address: 'a@b.example' } } })), '403 M_FORBIDDEN');
  assert.equal(failure(await change({ auth: byPassword('wrong password') })), '401 M_FORBIDDEN');
  assert.equal((await change({ auth: byPassword() })).status, 200);
  assert.equal((await whoami(world, alice.token)).status, 401);
  assert.equal((await login(world, 'alice', { password: NEW_PASSWORD })).status, 200);
}));

test('an OpenID token tells others who somebody is, for an hour, and nothing else', () => inWorld({}, async (world) => {
  const alice = await world.register('alice');
  const bob = await world.register('bob');
  const ask = (token: string) => world.call('POST', `${V3}/user/${alice.userId}/openid/request_token`, { token, body: {} });
  assert.equal(failure(await ask(bob.token)), '403 M_FORBIDDEN');
  const { body } = await ask(alice.token);
  assert.deepEqual({ ...body, access_token: '' }, { access_token: '', token_type: 'Bearer', matrix_server_name: 'test.example', expires_in: 3600 });
  assert.equal(failure(await whoami(world, body.access_token)), '401 M_UNKNOWN_TOKEN');
  const federation = createRouter([openidRoute({ runtime: world.runtime, userQuery: userQuery(world.userDatabase, world.runtime.clock) })], { runtime: world.runtime });
  const userinfo = async (token: string) => {
    const { status, body: answer } = await federation.dispatch({
      method: 'GET', path: '/_matrix/federation/v1/openid/userinfo', queryString: new URLSearchParams({ access_token: token }).toString(), headers: {}, remoteAddress: '192.0.2.1', departure: new Departure(),
    });
    return [status, answer];
  };
  assert.deepEqual(await userinfo(body.access_token), [200, { sub: alice.userId }]);
  assert.equal((await userinfo(alice.token))[0], 401);
  await world.runtime.advance(3_600_000);
  assert.deepEqual((await userinfo(body.access_token))[0], 401);
}));
