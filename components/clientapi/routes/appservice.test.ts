/** Application services through the router, over the real userapi: registration, log-in, acting as a user, and what they keep from people. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppserviceRegistration } from '../../../schemas/config/appservice.ts';
import { inClientWorld, PASSWORD, type Answer, type ClientWorld } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';
const TYPE = 'm.login.application_service';
const GHOST = '@_irc_ghost:test.example';

function registration(id: string, regex: string, more: Partial<AppserviceRegistration> & { exclusive?: boolean } = {}): AppserviceRegistration {
  const { exclusive = true, ...fields } = more;
  return {
    id, url: null, asToken: `as-${id}`, hsToken: `hs-${id}`, senderLocalpart: `_${id}_bot`, namespaces: { users: [{ regex, isExclusive: exclusive }], aliases: [], rooms: [] },
    isRateLimited: false, protocols: [], receivesEphemeral: false, ...fields,
  };
}

const SERVICES = [registration('irc', '@_irc_.*:test[.]example'), registration('watcher', '@.*', { exclusive: false, isRateLimited: true })];

const inWorld = (...[settings, work]: Parameters<typeof inClientWorld>) => inClientWorld(settings, work, SERVICES);

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;
const makeGhost = (world: ClientWorld, username = '_irc_ghost', token: string | undefined = 'as-irc', more: object = {}) =>
  world.call('POST', `${V3}/register`, { ...(token === undefined ? {} : { token }), body: { type: TYPE, username, ...more } });
const whoami = (world: ClientWorld, query: string, token = 'as-irc') => world.call('GET', `${V3}/account/whoami?${query}`, { token });

test('an application service registers its users without passwords while registration is closed, and no others', () => inWorld({ registration: 'closed' }, async (world) => {
  const made = await makeGhost(world, '_irc_ghost', 'as-irc', { device_id: 'GHOST' });
  assert.deepEqual([made.status, made.body.user_id, made.body.device_id], [200, GHOST, 'GHOST']);
  assert.equal((await world.call('GET', `${V3}/account/whoami`, { token: made.body.access_token })).body.user_id, GHOST);
  assert.equal((await makeGhost(world, '_irc_quiet', 'as-irc', { inhibit_login: true })).body.access_token, undefined);
  assert.equal((await makeGhost(world, '_irc_bot')).status, 200, 'its sender too');
  assert.equal(failure(await makeGhost(world)), '400 M_USER_IN_USE');
  assert.equal(failure(await makeGhost(world, 'alice')), '400 M_EXCLUSIVE');
  assert.equal(failure(await makeGhost(world, '_irc_other', 'as-watcher')), '400 M_EXCLUSIVE', 'exclusive to another');
  assert.equal(failure(await makeGhost(world, '_irc_Ghost')), '400 M_INVALID_USERNAME');
  assert.equal(failure(await world.call('POST', `${V3}/register`, { token: 'as-irc', body: { type: TYPE } })), '400 M_MISSING_PARAM');
  assert.equal(failure(await world.call('POST', `${V3}/register`, { body: { type: TYPE, username: '_irc_x' } })), '401 M_MISSING_TOKEN');
  assert.equal(failure(await makeGhost(world, '_irc_x', 'hs-irc')), '401 M_UNKNOWN_TOKEN');
  for (const password of ['', PASSWORD]) assert.equal(failure(await world.call('POST', `${V3}/login`, { body: { type: 'm.login.password', user: GHOST, password } })), '403 M_FORBIDDEN');
}));

test('people cannot take what is exclusive to an application service', () => inWorld({}, async (world) => {
  for (const username of ['_irc_me', '_IRC_me', '_irc_bot', '_watcher_bot']) {
    assert.equal(failure(await world.call('POST', `${V3}/register`, { body: { username, password: PASSWORD, auth: { type: 'm.login.dummy' } } })), '400 M_EXCLUSIVE', username);
    assert.equal(failure(await world.call('GET', `${V3}/register/available?username=${username}`)), '400 M_EXCLUSIVE');
  }
  assert.equal((await world.register('irc_me')).userId, '@irc_me:test.example');
}));

test('it acts as its users, on their devices or on none, and as nobody else', () => inWorld({}, async (world) => {
  await makeGhost(world, '_irc_ghost', 'as-irc', { device_id: 'GHOST' });
  await world.register('alice');
  assert.deepEqual((await whoami(world, '')).body, { user_id: '@_irc_bot:test.example', is_guest: false }, 'its sender, who needs no account');
  assert.deepEqual((await whoami(world, `user_id=${GHOST}`)).body, { user_id: GHOST, is_guest: false });
  assert.deepEqual((await whoami(world, `user_id=${GHOST}&device_id=GHOST`)).body, { user_id: GHOST, device_id: 'GHOST', is_guest: false });
  assert.equal(failure(await world.call('GET', `${V3}/account/whoami?user_id=${GHOST}&access_token=as-irc`)), '401 M_MISSING_TOKEN');
  assert.equal(failure(await whoami(world, `user_id=${GHOST}&device_id=OTHER`)), '400 M_UNKNOWN_DEVICE');
  for (const stranger of ['@alice:test.example', '@_irc_ghost:other.example', '@_irc_unknown:test.example', 'x', '']) {
    assert.equal(failure(await whoami(world, `user_id=${stranger}`)), '403 M_FORBIDDEN', stranger);
  }
  assert.equal(failure(await whoami(world, `user_id=${GHOST}`, 'as-watcher')), '403 M_FORBIDDEN', 'exclusive to another');
  assert.equal((await whoami(world, 'user_id=@alice:test.example', 'as-watcher')).body.user_id, '@alice:test.example', 'not exclusive, but in its namespace');
  await world.userDatabase.transaction((tx) => tx.run('UPDATE accounts SET deactivated = 1'));
  assert.equal(failure(await whoami(world, `user_id=${GHOST}`)), '403 M_USER_DEACTIVATED');
}));

test('a user of it makes a room; a log-out without a device is refused and takes no device along', () => inWorld({}, async (world) => {
  await makeGhost(world, '_irc_ghost', 'as-irc', { device_id: 'GHOST' });
  const room = await world.call('POST', `${V3}/createRoom?user_id=${GHOST}`, { token: 'as-irc', body: {} });
  assert.equal(room.status, 200, JSON.stringify(room.body));
  assert.deepEqual((await world.state(room.body.room_id, 'm.room.member', GHOST))?.['membership'], 'join');
  const sent = await world.call('PUT', `${V3}/rooms/${room.body.room_id}/send/m.room.message/t?user_id=${GHOST}`, { token: 'as-irc', body: { body: 'x' } });
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  assert.equal(failure(await world.call('POST', `${V3}/logout?user_id=${GHOST}`, { token: 'as-irc' })), '403 M_FORBIDDEN');
  assert.equal((await whoami(world, `user_id=${GHOST}&device_id=GHOST`)).status, 200);
  assert.equal((await world.call('POST', `${V3}/logout?user_id=${GHOST}&device_id=GHOST`, { token: 'as-irc' })).status, 200);
  assert.equal(failure(await whoami(world, `user_id=${GHOST}&device_id=GHOST`)), '400 M_UNKNOWN_DEVICE');
}));

test('it logs in as its users, and the flow is announced where there are application services', () => inWorld({}, async (world) => {
  await makeGhost(world);
  const login = (user: string, token?: string) => world.call('POST', `${V3}/login`, { ...(token === undefined ? {} : { token }), body: { type: TYPE, identifier: { type: 'm.id.user', user } } });
  const { status, body } = await login('_irc_ghost', 'as-irc');
  assert.deepEqual([status, body.user_id], [200, GHOST]);
  assert.equal((await world.call('GET', `${V3}/account/whoami`, { token: body.access_token })).body.device_id, body.device_id);
  assert.equal(failure(await login(GHOST)), '401 M_MISSING_TOKEN');
  for (const token of [body.access_token, 'unknown']) assert.equal(failure(await login(GHOST, token)), '403 M_FORBIDDEN');
  assert.equal(failure(await login('alice', 'as-irc')), '403 M_EXCLUSIVE');
  assert.equal(failure(await login('@_irc_ghost:other.example', 'as-irc')), '403 M_EXCLUSIVE');
  assert.equal(failure(await login('_irc_unknown', 'as-irc')), '403 M_FORBIDDEN');
  assert.deepEqual((await world.call('GET', `${V3}/login`)).body.flows, [{ type: 'm.login.password' }, { type: 'm.login.token', get_login_token: true }, { type: TYPE }]);
}));

test('rate limits count only for those whose registration says so, and never for the sender', () => inWorld({ rateLimits: true }, async (world) => {
  await makeGhost(world);
  await world.register('alice');
  const rooms = async (user: string, token: string): Promise<number[]> => {
    const statuses: number[] = [];
    for (let n = 0; n < 12; n += 1) statuses.push((await world.call('POST', `${V3}/createRoom?user_id=${user}`, { token, body: {} })).status);
    return [...new Set(statuses)];
  };
  assert.deepEqual(await rooms(GHOST, 'as-irc'), [200]);
  assert.deepEqual(await rooms('@alice:test.example', 'as-watcher'), [200, 429]);
  assert.deepEqual(await rooms('@_watcher_bot:test.example', 'as-watcher'), [200]);
}));
