/**
 * Sessions of two instances that share a broker and a database: what one has begun the other goes on with, and what ends at one has ended at the other. The servers are those of
 * MYELIN_TEST_POSTGRES_URL and MYELIN_TEST_NATS_URL, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, newRoom, PASSWORD, register, V3, type Answer, type ApiSession } from './api-client.ts';
import { instanceModes, type RunningMode } from './modes.ts';

const mode = instanceModes().find(({ log, of }) => log === 'NATS' && of === 'all roles a process')!.two;
const skip = mode.missing ?? false;
let running: RunningMode;
let [here, there]: string[] = [];

before(async () => {
  if (skip !== false) return;
  running = await mode.start({ MYELIN_RATE_LIMITS: 'off' });
  [here, there] = running.programs.map(({ baseUrl }) => baseUrl);
});
after(() => running?.stop());

const AUTH = (user: string) => ({ type: 'm.login.password', identifier: { type: 'm.id.user', user }, password: PASSWORD });
const post = (at: string | undefined, path: string, body: object, token?: string): Promise<Answer> => call(at!, 'POST', path.startsWith('/_matrix') ? path : V3 + path, { ...(token !== undefined && { token }), body });
const whoami = async (at: string | undefined, token: string): Promise<unknown[]> => {
  const { status, body } = await call(at!, 'GET', `${V3}/account/whoami`, { token });
  return [status, body.soft_logout];
};
const login = async (at: string | undefined, { userId }: ApiSession, more: object = {}) => (await post(at, '/login', { ...AUTH(userId), ...more })).body;

test('an authentication is begun here, its page is sent to the other instance, and the first one sees it', { skip }, async () => {
  const begun = await post(here, '/register', { username: 'newcomer', password: PASSWORD });
  assert.equal(begun.status, 401);
  const { session, flows } = begun.body;
  const [stage] = flows[0].stages;
  const path = `${V3}/auth/${stage}/fallback/web?session=${encodeURIComponent(session)}`;
  assert.equal((await fetch(there + path)).status, 200);
  const sent = await fetch(there + path, { method: 'POST', body: new URLSearchParams({ session }) });
  assert.match(await sent.text(), /onAuthDone/);
  const { status, body } = await post(here, '/register', { auth: { session } });
  assert.deepEqual([status, body.user_id], [200, '@newcomer:e2e.test']);
  assert.equal((await post(there, '/register', { username: 'other', auth: { session } })).status, 401);
});

test('tokens refreshed here are used there, and then the old ones have ended everywhere', { skip }, async () => {
  const alice = await register(here!, 'refresher');
  const old = await login(there, alice, { refresh_token: true });
  const lost = (await post(here, '/refresh', { refresh_token: old.refresh_token })).body;
  const fresh = (await post(there, '/refresh', { refresh_token: old.refresh_token })).body;
  assert.deepEqual(await whoami(here, old.access_token), [200, undefined]);
  assert.deepEqual(await whoami(there, fresh.access_token), [200, undefined]);
  assert.deepEqual(await whoami(here, old.access_token), [401, true]);
  assert.deepEqual((await whoami(here, lost.access_token))[0], 401);
  assert.equal((await post(here, '/refresh', { refresh_token: old.refresh_token })).status, 401);
  assert.deepEqual(await whoami(there, fresh.access_token), [401, true], 'a refresh token that comes back ends the session on all instances');
});

test('of many log-ins by one token on both instances, one succeeds', { skip }, async () => {
  const alice = await register(here!, 'once');
  const { login_token: token } = (await post(here, '/_matrix/client/v1/login/get_token', { auth: AUTH(alice.userId) }, alice.token)).body;
  const answers = await Promise.all(Array.from({ length: 6 }, (_, index) => post(index % 2 === 0 ? here : there, '/login', { type: 'm.login.token', token })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 403, 403, 403, 403, 403]);
});

test('a device that is removed here is gone there at once', { skip }, async () => {
  const alice = await register(here!, 'remover');
  const device = await login(there, alice);
  assert.deepEqual(await whoami(there, device.access_token), [200, undefined]);
  assert.equal((await post(here, '/delete_devices', { devices: [device.device_id], auth: AUTH(alice.userId) }, alice.token)).status, 200);
  assert.deepEqual(await whoami(there, device.access_token), [401, false]);
  assert.equal((await call(there!, 'POST', `${V3}/logout/all`, { token: alice.token })).status, 200);
  assert.deepEqual(await whoami(here, alice.token), [401, false]);
});

test('a transaction ID means the same event on every instance, also after a refresh, and another one from another device', { skip }, async () => {
  const alice = await register(here!, 'repeater');
  const room = await newRoom(alice);
  const send = async (at: string | undefined, token: string) => (await call(at!, 'PUT', `${V3}/rooms/${room}/send/m.room.message/t1`, { token, body: { msgtype: 'm.text', body: 'tea' } })).body.event_id as string;
  const session = await login(here, alice, { refresh_token: true });
  const [first, again] = await Promise.all([send(here, session.access_token), send(there, session.access_token)]);
  assert.equal(again, first);
  const refreshed = (await post(there, '/refresh', { refresh_token: session.refresh_token })).body;
  assert.equal(await send(there, refreshed.access_token), first);
  assert.notEqual(await send(there, alice.token), first);
});

test('an OpenID token that was issued here is known there', { skip }, async () => {
  const alice = await register(here!, 'opener');
  const { access_token: token } = (await post(here, `/user/${encodeURIComponent(alice.userId)}/openid/request_token`, {}, alice.token)).body;
  const answer = await call(there!, 'GET', `/_matrix/federation/v1/openid/userinfo?access_token=${token}`, {});
  assert.deepEqual([answer.status, answer.body], [200, { sub: alice.userId }]);
});
