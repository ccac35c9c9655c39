/** Profiles, account data, filters, push rules and what the server says of itself, through the router. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClientWorld, type Answer, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';
const ROOM = encodeURIComponent('!room:test.example');

async function withAlice(work: (world: ClientWorld, alice: Session) => Promise<void>): Promise<void> {
  const world = await createClientWorld();
  try {
    await work(world, await world.register('alice'));
  } finally {
    await world.close();
  }
}

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;

test('profile fields are set, read by anyone, and removed', () => withAlice(async (world, { userId, token }) => {
  const path = `${V3}/profile/${userId}`;
  const put = (key: string, body: unknown) => world.call('PUT', `${path}/${key}`, { token, body });
  assert.deepEqual((await world.call('GET', path)).body, {});
  assert.equal((await put('displayname', { displayname: 'Al' })).status, 200);
  assert.equal((await put('org.example.job', { 'org.example.job': { title: 'x', pay: 1.5 } })).status, 200);
  assert.deepEqual((await world.call('GET', path)).body, { displayname: 'Al', 'org.example.job': { title: 'x', pay: 1.5 } });
  assert.deepEqual((await world.call('GET', `${path}/displayname`)).body, { displayname: 'Al' });
  assert.equal(failure(await world.call('GET', `${path}/avatar_url`)), '404 M_NOT_FOUND');
  assert.equal(failure(await world.call('GET', `${V3}/profile/@nobody:test.example`)), '404 M_NOT_FOUND');
  assert.equal((await world.call('DELETE', `${path}/org.example.job`, { token })).status, 200);
  assert.equal((await put('displayname', { displayname: '' })).status, 200);
  assert.deepEqual((await world.call('GET', path)).body, {});
}));

test('profile fields that cannot be are refused', () => withAlice(async (world, { userId, token }) => {
  const bob = await world.register('bob');
  const put = (key: string, body: unknown, who = token) => world.call('PUT', `${V3}/profile/${userId}/${key}`, { token: who, body });
  const cases: [key: string, body: unknown, expected: string][] = [
    ['displayname', {}, '400 M_MISSING_PARAM'],
    ['displayname', { displayname: 5 }, '400 M_BAD_JSON'],
    ['displayname', { displayname: 'x'.repeat(257) }, '400 M_INVALID_PARAM'],
    ['avatar_url', { avatar_url: 'https://x/y' }, '400 M_INVALID_PARAM'],
    ['nickname', { nickname: 'x' }, '400 M_INVALID_PARAM'],
    [`a.${'b'.repeat(254)}`, {}, '400 M_KEY_TOO_LARGE'],
    ['a.b', { 'a.b': 'x'.repeat(65_536) }, '400 M_PROFILE_TOO_LARGE'],
  ];
  for (const [key, body, expected] of cases) assert.equal(failure(await put(key, body)), expected, key);
  assert.equal(failure(await put('displayname', { displayname: 'x' }, bob.token)), '403 M_FORBIDDEN');
  assert.equal(failure(await put('displayname', { displayname: 'x' }, 'unknown')), '401 M_UNKNOWN_TOKEN');
}));

test('account data, global and of a room, belongs to its user', () => withAlice(async (world, { userId, token }) => {
  const bob = await world.register('bob');
  for (const base of [`${V3}/user/${userId}/account_data`, `${V3}/user/${userId}/rooms/${ROOM}/account_data`]) {
    assert.equal(failure(await world.call('GET', `${base}/a.b`, { token })), '404 M_NOT_FOUND');
    assert.equal((await world.call('PUT', `${base}/a.b`, { token, body: { n: 1.5, at: base.length } })).status, 200);
    assert.deepEqual((await world.call('GET', `${base}/a.b`, { token })).body, { n: 1.5, at: base.length });
    assert.equal(failure(await world.call('GET', `${base}/a.b`, { token: bob.token })), '403 M_FORBIDDEN');
    assert.equal(failure(await world.call('PUT', `${base}/a.b`, { token: bob.token, body: {} })), '403 M_FORBIDDEN');
    assert.equal(failure(await world.call('PUT', `${base}/m.fully_read`, { token, body: {} })), '405 M_BAD_JSON');
    assert.equal(failure(await world.call('PUT', `${base}/m.push_rules`, { token, body: {} })), '405 M_BAD_JSON');
    assert.equal(failure(await world.call('PUT', `${base}/a.b`, { token, body: { x: 'x'.repeat(65_536) } })), '413 M_TOO_LARGE');
    assert.equal(failure(await world.call('PUT', `${base}/a.b`, { token, body: '"text"' })), '400 M_BAD_JSON');
  }
  assert.equal(failure(await world.call('PUT', `${V3}/user/${userId}/rooms/room/account_data/a.b`, { token, body: {} })), '400 M_INVALID_PARAM');
  assert.equal(world.userOutputs().filter((output) => output.accountData).length, 2);
}));

test('a filter has one ID however often it is defined, and only its user reads it', () => withAlice(async (world, { userId, token }) => {
  const bob = await world.register('bob');
  const define = (body: unknown) => world.call('POST', `${V3}/user/${userId}/filter`, { token, body });
  const definition = { room: { timeline: { limit: 10, types: ['m.room.*'] }, state: { lazy_load_members: true } }, 'org.example.more': 1 };
  const { body: first } = await define(definition);
  assert.match(first.filter_id, /^[^{]+$/);
  assert.deepEqual((await define(definition)).body, first);
  assert.notEqual((await define({})).body.filter_id, first.filter_id);
  assert.deepEqual((await world.call('GET', `${V3}/user/${userId}/filter/${first.filter_id}`, { token })).body, definition);
  assert.equal(failure(await world.call('GET', `${V3}/user/${userId}/filter/none`, { token })), '404 M_NOT_FOUND');
  assert.equal(failure(await world.call('GET', `${V3}/user/${userId}/filter/${first.filter_id}`, { token: bob.token })), '403 M_FORBIDDEN');
  for (const bad of [{ room: [] }, { room: { timeline: { types: 'm.room.message' } } }, { event_fields: [1] }]) assert.equal(failure(await define(bad)), '400 M_BAD_JSON', JSON.stringify(bad));
  for (const bad of [{ event_format: 'paper' }, { room: { timeline: { limit: -1 } } }, { room: { rooms: ['#r:x'] } }, { room: { state: { not_senders: ['alice'] } } }]) assert.equal(failure(await define(bad)), '400 M_INVALID_PARAM', JSON.stringify(bad));
}));

test('push rules can be read whole and in parts', () => withAlice(async (world, { userId, token }) => {
  const get = (path: string) => world.call('GET', `${V3}/pushrules/${path}`, { token });
  const { body } = await get('');
  assert.ok(body.global.override.some((rule: { rule_id: string }) => rule.rule_id === '.m.rule.master'));
  assert.deepEqual((await get('global/')).body, body.global);
  assert.equal((await get('global/override/.m.rule.master')).body.rule_id, '.m.rule.master');
  assert.deepEqual((await get('global/override/.m.rule.master/enabled')).body, { enabled: false });
  assert.deepEqual((await get('global/override/.m.rule.master/actions')).body, { actions: [] });
  assert.equal(failure(await get('global/override/none')), '404 M_NOT_FOUND');
  assert.equal(failure(await get('global/sideways/.m.rule.master')), '400 M_INVALID_PARAM');
  assert.deepEqual((await world.call('GET', `${V3}/user/${userId}/account_data/m.push_rules`, { token })).body, body);
}));

test('push rules are added, moved, changed and deleted, and clients are told', () => withAlice(async (world, { userId, token }) => {
  const rules = `${V3}/pushrules/global`;
  const ask = (method: string, path: string, body?: unknown) => world.call(method, `${rules}/${path}`, { token, ...(body !== undefined && { body }) });
  const content = async (): Promise<string[]> => (await ask('GET', '')).body.content.map((rule: { rule_id: string }) => rule.rule_id);
  for (const name of ['a', 'b']) assert.equal((await ask('PUT', `content/${name}`, { pattern: name, actions: ['notify', 'dont_notify'] })).status, 200);
  assert.deepEqual(await content(), ['b', 'a']);
  assert.deepEqual((await ask('GET', 'content/a')).body, { rule_id: 'a', pattern: 'a', actions: ['notify'], default: false, enabled: true });
  assert.equal((await ask('PUT', 'content/b?after=a', { pattern: 'b*', actions: [] })).status, 200);
  assert.deepEqual(await content(), ['a', 'b']);
  assert.equal((await ask('PUT', 'content/b/enabled', { enabled: false })).status, 200);
  assert.equal((await ask('PUT', 'override/.m.rule.tombstone/actions', { actions: [] })).status, 200);
  assert.deepEqual((await ask('GET', 'content/b/enabled')).body, { enabled: false });
  assert.deepEqual((await ask('GET', 'override/.m.rule.tombstone/actions')).body, { actions: [] });
  assert.equal((await ask('DELETE', 'content/a')).status, 200);
  assert.deepEqual(await content(), ['b']);
  assert.equal(failure(await ask('DELETE', 'content/a')), '404 M_NOT_FOUND');
  const told = world.userOutputs().filter((output) => output.accountData);
  assert.equal(told.length, 6);
  assert.ok(told.every((output) => output.userId === userId && output.accountData?.roomId === '' && output.accountData.type === 'm.push_rules'));
  const whole = JSON.parse(Buffer.from(told.at(-1)!.accountData!.content).toString());
  assert.deepEqual(whole, { global: (await ask('GET', '')).body });
  assert.deepEqual((await world.call('GET', `${V3}/user/${userId}/account_data/m.push_rules`, { token })).body, whole);
  assert.equal(failure(await ask('PUT', 'content/big', { pattern: 'x', actions: [{ set_tweak: 'x', value: 'y'.repeat(65_536) }] })), '413 M_TOO_LARGE');
}));

test('two devices that change push rules at once lose nothing', () => withAlice(async (world, { token }) => {
  const names = Array.from({ length: 8 }, (_, index) => `r${index}`);
  await Promise.all(names.map((name) => world.call('PUT', `${V3}/pushrules/global/room/${name}`, { token, body: { actions: [] } })));
  const { body } = await world.call('GET', `${V3}/pushrules/global/`, { token });
  assert.deepEqual(body.room.map((rule: { rule_id: string }) => rule.rule_id).sort(), names);
}));

test('the server says what it can do', () => withAlice(async (world, { token }) => {
  const { body: versions } = await world.call('GET', '/_matrix/client/versions');
  assert.deepEqual([versions.versions[0], versions.versions.at(-1), versions.versions.length], ['r0.5.0', 'v1.19', 22]);
  const { body: capabilities } = await world.call('GET', `${V3}/capabilities`, { token });
  assert.deepEqual(capabilities.capabilities['m.room_versions'], { default: '12', available: Object.fromEntries(Array.from({ length: 12 }, (_, index) => [index + 1, 'stable'])) });
  assert.deepEqual((await world.call('GET', '/.well-known/matrix/client')).body, { 'm.homeserver': { base_url: 'https://matrix.test.example' } });
  assert.deepEqual((await world.call('GET', `${V3}/login`)).body, { flows: [{ type: 'm.login.password' }, { type: 'm.login.token', get_login_token: true }] });
  assert.deepEqual((await world.call('GET', `${V3}/voip/turnServer`, { token })).body, {});
  assert.deepEqual((await world.call('GET', `${V3}/thirdparty/protocols`, { token })).body, {});
}));

test('what is not there is said to be unrecognised', () => withAlice(async (world, { token }) => {
  for (const path of ['search/nothing', 'keys', 'no/such/thing']) assert.equal(failure(await world.call('POST', `${V3}/${path}`, { token, body: {} })), '404 M_UNRECOGNIZED');
  assert.equal(failure(await world.call('DELETE', `${V3}/login`)), '405 M_UNRECOGNIZED');
}));

test('no endpoint that needs a token answers without one', () => withAlice(async (world) => {
  const open = /^(getVersions|getWellknown|getRoomIdByAlias|register|checkUsernameAvailability|registrationTokenValidity|getLoginFlows|login|getUserProfile|getProfileField|getRegistrationNonce|registerBySharedSecret|deactivateAccount|changePassword|getConsentPage|acceptTerms|getAuthFallback|postAuthFallback|getLoginFallback|refresh|getRoomVisibilityOnDirectory|getPublicRooms|getRoomSummary|getWellknownSupport)$/;
  for (const route of world.router.routes.filter((one) => !open.test(one.operationId))) {
    const path = route.path.replace('{keyName}', 'displayname').replace(/\{roomId\w*\}/, ROOM).replace('{eventId}', '$e').replace(/\{\w+\}/g, 'x');
    const answer = await world.call(route.method, path, { body: { displayname: 'x' } });
    assert.equal(failure(answer), '401 M_MISSING_TOKEN', `${route.method} ${path}`);
  }
}));
