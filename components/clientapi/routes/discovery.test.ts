/** What a server says of itself: versions, capabilities, well-known documents; and who may ask for what. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inClientWorld as inWorld, type Answer, type ClientWorld } from '../../../test/kit/client-world.ts';

const V3 = '/_matrix/client/v3';

const failure = ({ status, body }: Answer): string => `${status} ${body.errcode}`;

test('all versions from v1.1 to v1.19, to everybody', () => inWorld({}, async (world) => {
  const { token } = await world.register('alice');
  const { body } = await world.call('GET', '/_matrix/client/versions');
  for (let minor = 1; minor <= 19; minor += 1) assert.ok(body.versions.includes(`v1.${minor}`), `v1.${minor}`);
  assert.ok(!body.versions.includes('v1.20'));
  for (const options of [{ token }, { token: 'unknown' }]) assert.deepEqual((await world.call('GET', '/_matrix/client/versions', options)).body, body);
}));

const capabilitiesOf = async (world: ClientWorld, token: string) => (await world.call('GET', `${V3}/capabilities`, { token })).body.capabilities;

test('capabilities say what the one who asks can do', () => inWorld({ defaultRoomVersion: '11' }, async (world) => {
  const { token } = await world.register('alice');
  const capabilities = await capabilitiesOf(world, token);
  assert.equal(capabilities['m.room_versions'].default, '11');
  assert.equal(capabilities['m.room_versions'].available['12'], 'stable');
  for (const name of ['m.change_password', 'm.set_displayname', 'm.set_avatar_url', 'm.profile_fields']) assert.equal(capabilities[name].enabled, true, name);
  assert.equal(capabilities['m.3pid_changes'].enabled, false);
  assert.equal(capabilities['m.forget_forced_upon_leave'].enabled, false);
  assert.equal('m.account_moderation' in capabilities, false);
  await world.userDatabase.transaction((tx) => tx.run('UPDATE accounts SET admin = 1'));
  assert.deepEqual((await capabilitiesOf(world, token))['m.account_moderation'], { suspend: true, lock: true });
  await world.userDatabase.transaction((tx) => tx.run("UPDATE accounts SET password_hash = ''"));
  assert.equal((await capabilitiesOf(world, token))['m.change_password'].enabled, false);
}));

test('capabilities say what the settings make of rooms that are left', () => inWorld({ forgetOnLeave: true }, async (world) => {
  const { token } = await world.register('alice');
  assert.equal((await capabilitiesOf(world, token))['m.forget_forced_upon_leave'].enabled, true);
}));

const DISCOVERY = { identityServer: '', clientFields: {}, supportContacts: [], supportPage: '' };

test('the well-known document for clients has what the settings say, and is for scripts of any origin', async () => {
  await inWorld({ discovery: { ...DISCOVERY, identityServer: 'https://id.example', clientFields: { 'org.example.a': { b: 1 } } } }, async (world) => {
    const { body, headers } = await world.call('GET', '/.well-known/matrix/client');
    assert.deepEqual(body, { 'm.homeserver': { base_url: 'https://matrix.test.example' }, 'm.identity_server': { base_url: 'https://id.example' }, 'org.example.a': { b: 1 } });
    assert.deepEqual([headers['access-control-allow-origin'], headers['content-type']], ['*', 'application/json']);
  });
  await inWorld({}, async (world) => assert.deepEqual((await world.call('GET', '/.well-known/matrix/client')).body, { 'm.homeserver': { base_url: 'https://matrix.test.example' } }));
  await inWorld({ publicBaseUrl: '' }, async (world) => assert.equal(failure(await world.call('GET', '/.well-known/matrix/client')), '404 M_NOT_FOUND'));
});

test('the well-known document for support has contacts and page, each when there is one; 404 when there is none', async () => {
  const supportContacts = [{ role: 'm.role.admin', matrix_id: '@a:b' }];
  const supportOf = async (discovery: object | undefined): Promise<Answer> => {
    let answer: Answer | undefined;
    await inWorld(discovery === undefined ? {} : { discovery: { ...DISCOVERY, ...discovery } }, async (world) => void (answer = await world.call('GET', '/.well-known/matrix/support')));
    return answer!;
  };
  assert.deepEqual((await supportOf({ supportContacts, supportPage: 'https://a.example' })).body, { contacts: supportContacts, support_page: 'https://a.example' });
  assert.deepEqual((await supportOf({ supportContacts })).body, { contacts: supportContacts });
  assert.deepEqual((await supportOf({ supportPage: 'https://a.example' })).body, { support_page: 'https://a.example' });
  for (const discovery of [undefined, {}]) assert.equal(failure(await supportOf(discovery)), '404 M_NOT_FOUND');
});

test('guests get to what is for guests and to what is for everybody, and to nothing else', () => inWorld({}, async (world) => {
  const { token, userId } = await world.register('visitor');
  await world.userDatabase.transaction((tx) => tx.run("UPDATE accounts SET kind = 'guest'"));
  assert.deepEqual((await world.call('GET', `${V3}/account/whoami`, { token })).body.is_guest, true);
  assert.equal((await world.call('PUT', `${V3}/profile/${userId}/displayname`, { token, body: { displayname: 'Visitor' } })).status, 200);
  assert.equal((await world.call('GET', `${V3}/profile/${userId}`, { token })).status, 200);
  assert.equal((await world.call('GET', `${V3}/publicRooms`, { token })).status, 200);
  const refused = [
    ['PUT', `/profile/${userId}/avatar_url`, { avatar_url: 'mxc://a/b' }], ['POST', '/createRoom', {}], ['GET', '/capabilities', undefined], ['GET', '/pushrules/', undefined],
    ['POST', `/user/${userId}/filter`, {}], ['PUT', `/rooms/!a:b/typing/${userId}`, { typing: true }],
  ] as const;
  for (const [method, path, body] of refused) assert.equal(failure(await world.call(method, V3 + path, { token, body })), '403 M_GUEST_ACCESS_FORBIDDEN', path);
}));
