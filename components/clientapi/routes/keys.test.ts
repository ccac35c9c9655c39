import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FederationError, type FederationRequest, type FederationTransport } from '../../../pkg/federation/transport.ts';
import { createClientWorld, PASSWORD, type ClientWorld, type Session } from '../../../test/kit/client-world.ts';
import { testDevice, testIdentity } from '../../../test/kit/e2ee-keys.ts';

const KEYS = '/_matrix/client/v3/keys';
const CAROL = '@carol:far.example';

const post = (world: ClientWorld, { token }: Session, path: string, body: object) => world.call('POST', `${KEYS}/${path}`, { token, body });

test('keys that were uploaded are found and claimed; who is not there is left out', async () => {
  const world = await createClientWorld();
  const [alice, bob] = [await world.register('alice'), await world.register('bob')];
  const device = testDevice(alice.userId, alice.deviceId);
  const uploaded = await post(world, alice, 'upload', { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(1, 3) });
  assert.deepEqual([uploaded.status, uploaded.body], [200, { one_time_key_counts: { signed_curve25519: 3 } }]);
  const { body } = await post(world, bob, 'query', { device_keys: { [alice.userId]: [], [bob.userId]: [], '@nobody:test.example': [] } });
  assert.deepEqual(Object.keys(body.device_keys), [alice.userId, bob.userId]);
  assert.equal(body.device_keys[alice.userId][alice.deviceId].keys[`ed25519:${alice.deviceId}`], device.publicKey);
  const other = await post(world, bob, 'query', { device_keys: { [alice.userId]: ['OTHER'] } });
  assert.deepEqual(other.body.device_keys, { [alice.userId]: {} });
  const claim = { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519', OTHER: 'signed_curve25519' }, [bob.userId]: { [bob.deviceId]: 'signed_curve25519' }, '@nobody:test.example': { X: 'signed_curve25519' } } };
  const claimed = await post(world, bob, 'claim', claim);
  assert.deepEqual(claimed.body, { one_time_keys: { [alice.userId]: { [alice.deviceId]: device.oneTimeKeys(1, 1) } }, failures: {} });
  const left = await post(world, alice, 'upload', {});
  assert.deepEqual(left.body, { one_time_key_counts: { signed_curve25519: 2 } });
  await world.close();
});

test('64 claims at once of 100 keys get 64 keys', async () => {
  const world = await createClientWorld();
  const [alice, bob] = [await world.register('alice'), await world.register('bob')];
  await post(world, alice, 'upload', { one_time_keys: testDevice(alice.userId, alice.deviceId).oneTimeKeys(0, 100) });
  const claim = { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } };
  const answers = await Promise.all(Array.from({ length: 64 }, () => post(world, bob, 'claim', claim)));
  const names = answers.flatMap(({ body }) => Object.keys(body.one_time_keys[alice.userId][alice.deviceId]));
  assert.deepEqual([names.length, new Set(names).size], [64, 64]);
  await world.close();
});

test('the first cross-signing keys need no authentication, nor do the same again; others do', async () => {
  const world = await createClientWorld();
  const alice = await world.register('alice');
  const upload = (body: object) => post(world, alice, 'device_signing/upload', body);
  const [first, second] = [testIdentity(alice.userId), testIdentity(alice.userId, 'second')];
  assert.deepEqual([(await upload(first.keys)).status, (await upload(first.keys)).status], [200, 200]);
  const asked = await upload(second.keys);
  assert.deepEqual([asked.status, asked.body.flows], [401, [{ stages: ['m.login.password'] }]]);
  const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, session: asked.body.session };
  assert.equal((await upload({ ...second.keys, auth: { ...auth, password: 'wrong' } })).status, 401);
  assert.equal((await upload({ auth: { ...auth, password: PASSWORD } })).status, 200);
  const { body } = await post(world, alice, 'query', { device_keys: { [alice.userId]: [] } });
  assert.deepEqual(body.master_keys, { [alice.userId]: second.keys.master_key });
  assert.deepEqual(body.user_signing_keys, { [alice.userId]: second.keys.user_signing_key });
  await world.close();
});

test('a log-in does not end what was signed; a log-out ends the keys', async () => {
  const world = await createClientWorld();
  const alice = await world.register('alice');
  const device = testDevice(alice.userId, alice.deviceId);
  const identity = testIdentity(alice.userId);
  await post(world, alice, 'upload', { device_keys: device.deviceKeys });
  await post(world, alice, 'device_signing/upload', identity.keys);
  await post(world, alice, 'signatures/upload', { [alice.userId]: { [alice.deviceId]: identity.selfSigning.sign(device.deviceKeys) } });
  const again = await world.call('POST', '/_matrix/client/v3/login', { body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD, device_id: alice.deviceId } });
  const session = { ...alice, token: again.body.access_token as string };
  const signaturesOf = async () => (await post(world, session, 'query', { device_keys: { [alice.userId]: [] } })).body.device_keys[alice.userId][alice.deviceId].signatures[alice.userId] as object;
  assert.deepEqual(Object.keys(await signaturesOf()).sort(), [`ed25519:${alice.deviceId}`, `ed25519:${identity.selfSigning.publicKey}`].sort());
  const bob = await world.register('bob');
  await world.call('POST', '/_matrix/client/v3/logout', { token: session.token });
  assert.deepEqual((await post(world, bob, 'query', { device_keys: { [alice.userId]: [] } })).body.device_keys, { [alice.userId]: {} });
  await world.close();
});

test('other servers are asked once each, and those that fail are named; nothing is believed that they may not say', async () => {
  const asked: FederationRequest[] = [];
  const device = testDevice(CAROL, 'PC');
  const stolen = testDevice('@alice:test.example', 'PC');
  const signedTransport: FederationTransport = {
    request(request) {
      asked.push(request);
      if (request.destination !== 'far.example') return Promise.reject(new FederationError('unreachable', 'nobody there'));
      if (request.path.endsWith('/claim')) return Promise.resolve({ status: 200, body: { one_time_keys: { [CAROL]: { PC: device.oneTimeKeys(1, 1), PHONE: device.oneTimeKeys(2, 1) }, '@alice:test.example': { PC: stolen.oneTimeKeys(1, 1) } } } });
      return Promise.resolve({ status: 200, body: {
        device_keys: { [CAROL]: { PC: device.deviceKeys, PHONE: device.deviceKeys }, '@dora:far.example': {}, '@alice:test.example': { PC: stolen.deviceKeys } },
        master_keys: { [CAROL]: testIdentity(CAROL).keys.master_key, '@dora:far.example': testIdentity(CAROL).keys.master_key }, user_signing_keys: { [CAROL]: testIdentity(CAROL).keys.user_signing_key },
      } });
    },
  };
  const world = await createClientWorld({}, [], { signedTransport });
  const alice = await world.register('alice');
  const { body } = await post(world, alice, 'query', { timeout: 500, device_keys: { [CAROL]: [], '@dora:far.example': [], '@eve:down.example': [], [alice.userId]: [] } });
  assert.deepEqual(asked.map(({ destination, body: sent }) => [destination, sent]), [['far.example', { device_keys: { [CAROL]: [], '@dora:far.example': [] } }], ['down.example', { device_keys: { '@eve:down.example': [] } }]]);
  assert.ok(asked.every(({ deadlineMs }) => deadlineMs <= 500));
  assert.deepEqual(body.device_keys, { [alice.userId]: {}, [CAROL]: { PC: device.deviceKeys }, '@dora:far.example': {} });
  assert.deepEqual([body.master_keys, body.user_signing_keys, Object.keys(body.failures)], [{ [CAROL]: testIdentity(CAROL).keys.master_key }, {}, ['down.example']]);
  const claimed = await post(world, alice, 'claim', { one_time_keys: { [CAROL]: { PC: 'signed_curve25519' }, '@eve:down.example': { X: 'signed_curve25519' } } });
  assert.deepEqual([claimed.body.one_time_keys, Object.keys(claimed.body.failures)], [{ [CAROL]: { PC: device.oneTimeKeys(1, 1) } }, ['down.example']]);
  await world.close();
});
