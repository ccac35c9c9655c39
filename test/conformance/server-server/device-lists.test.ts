/** Two whole servers: whose keys have changed, and the keys themselves, go between them. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import { testDevice, testIdentity } from '../../kit/e2ee-keys.ts';
import { createServerNetwork, type NetworkServer } from '../../kit/server-network.ts';

const asked: string[] = [];
const network = createServerNetwork({ asked: ({ path }) => void asked.push(path) });
const BOB = '@bob:b.test';
const bobsPhone = testDevice(BOB, 'PHONE');
let a: NetworkServer;
let b: NetworkServer;
let alice: string;
let bob: string;
let roomId: string;
let since: string;

const CLIENT = '/_matrix/client/v3';
const asAlice = (method: string, path: string, body?: object) => a.call(method, CLIENT + path, { token: alice, ...(body && { body }) });
const asBob = (method: string, path: string, body?: object) => b.call(method, CLIENT + path, { token: bob, ...(body && { body }) });

before(async () => {
  a = await network.add('a.test');
  b = await network.add('b.test');
  alice = await a.register('alice');
  const body = { username: 'bob', password: 'correct horse battery', device_id: 'PHONE', initial_device_display_name: 'Phone', auth: { type: 'm.login.dummy' } };
  bob = (await b.call('POST', `${CLIENT}/register`, { body })).access_token as string;
  roomId = (await asAlice('POST', '/createRoom', { preset: 'public_chat' })).room_id as string;
  since = (await asAlice('GET', '/sync')).next_batch as string;
});
after(() => network.close());

/** Alice syncs until there is something about devices. */
async function news(): Promise<{ changed: string[]; left: string[] }> {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await asAlice('GET', `/sync?since=${since}`);
    since = answer.next_batch as string;
    if (answer.device_lists !== undefined) return answer.device_lists as { changed: string[]; left: string[] };
    await sleep(50);
  }
  assert.fail('nothing came');
}

test('a user of another server who joins is new; so are their keys, their names, their identity, and their end', async () => {
  await asBob('POST', `/join/${encodeURIComponent(roomId)}?server_name=a.test`, {});
  assert.deepEqual(await news(), { changed: [BOB], left: [] });
  await asBob('POST', '/keys/upload', { device_keys: bobsPhone.deviceKeys, one_time_keys: bobsPhone.oneTimeKeys(1, 2) });
  assert.deepEqual(await news(), { changed: [BOB], left: [] });
  const queried = await asAlice('POST', '/keys/query', { device_keys: { [BOB]: [] } });
  assert.deepEqual(queried.device_keys, { [BOB]: { PHONE: { ...bobsPhone.deviceKeys, unsigned: { device_display_name: 'Phone' } } } });
  await asBob('PUT', '/devices/PHONE', { display_name: 'New phone' });
  assert.deepEqual(await news(), { changed: [BOB], left: [] });
  const identity = testIdentity(BOB);
  await asBob('POST', '/keys/device_signing/upload', identity.keys);
  assert.deepEqual(await news(), { changed: [BOB], left: [] });
  const { master_keys: masters, self_signing_keys: selfSigning, user_signing_keys: userSigning } = await asAlice('POST', '/keys/query', { device_keys: { [BOB]: [] } });
  assert.deepEqual([masters, selfSigning, userSigning], [{ [BOB]: identity.keys.master_key }, { [BOB]: identity.keys.self_signing_key }, {}]);
});

test('what is known here of devices elsewhere is not asked for again, and is what the other server says', async () => {
  const query = async () => {
    const before = asked.length;
    const { device_keys: devices } = await asAlice('POST', '/keys/query', { device_keys: { [BOB]: [] } }) as { device_keys: Record<string, Record<string, { unsigned: object }>> };
    return { isAsked: asked.slice(before).some((path) => path.endsWith('/user/keys/query')), phone: devices[BOB]!['PHONE']! };
  };
  for (let tries = 0; (await query()).isAsked; tries += 1) {
    assert.ok(tries < 100, 'their devices never come to be known');
    await sleep(100);
  }
  await asBob('PUT', '/devices/PHONE', { display_name: 'Newest phone' });
  assert.deepEqual(await news(), { changed: [BOB], left: [] });
  const { isAsked, phone } = await query();
  assert.deepEqual([isAsked, phone], [false, { ...bobsPhone.deviceKeys, unsigned: { device_display_name: 'Newest phone' } }]);
});

test('one-time keys are claimed by way of the other server, each once; a server that is not there is named', async () => {
  const claim = () => asAlice('POST', '/keys/claim', { one_time_keys: { [BOB]: { PHONE: 'signed_curve25519' }, '@eve:nowhere.test': { X: 'signed_curve25519' } }, timeout: 2000 });
  const got: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    const { one_time_keys: keys, failures } = await claim() as { one_time_keys: Record<string, { PHONE: object }>; failures: object };
    got.push(...Object.keys(keys[BOB]?.PHONE ?? {}));
    assert.deepEqual(Object.keys(failures), ['nowhere.test']);
  }
  assert.deepEqual(got, ['signed_curve25519:K00001', 'signed_curve25519:K00002']);
});

test('a signature of a user elsewhere is seen by who made it alone', async () => {
  const aliceId = testIdentity('@alice:a.test');
  await asAlice('POST', '/keys/device_signing/upload', aliceId.keys);
  const bobId = testIdentity(BOB);
  const { failures } = await asAlice('POST', '/keys/signatures/upload', { [BOB]: { [bobId.master.publicKey]: aliceId.userSigning.sign(bobId.keys.master_key) } });
  assert.deepEqual(failures, {});
  const mastersOf = async (ask: typeof asAlice) => (await ask('POST', '/keys/query', { device_keys: { [BOB]: [] } })).master_keys as Record<string, { signatures?: Record<string, object> }>;
  assert.deepEqual(Object.keys((await mastersOf(asAlice))[BOB]!.signatures ?? {}), ['@alice:a.test']);
  assert.equal((await mastersOf(asBob))[BOB]!.signatures, undefined);
  await news();
});

test('who shares no room any more is left', async () => {
  await asBob('POST', `/rooms/${encodeURIComponent(roomId)}/leave`, {});
  assert.deepEqual(await news(), { changed: [], left: [BOB] });
  await asBob('PUT', '/devices/PHONE', { display_name: 'Secret phone' });
  await sleep(300);
  assert.equal('device_lists' in (await asAlice('GET', `/sync?since=${since}`)), false);
  // Their server tells no more of changes: what is known is not shown any more.
  const before = asked.length;
  await asAlice('POST', '/keys/query', { device_keys: { [BOB]: [] } });
  assert.ok(asked.slice(before).some((path) => path.endsWith('/user/keys/query')));
  await asBob('POST', `/join/${encodeURIComponent(roomId)}?server_name=a.test`, {});
  assert.deepEqual(await news(), { changed: [BOB], left: [] });
  const { device_keys: devices } = await asAlice('POST', '/keys/query', { device_keys: { [BOB]: [] } }) as { device_keys: Record<string, Record<string, { unsigned: object }>> };
  assert.deepEqual(devices[BOB]!['PHONE']!.unsigned, { device_display_name: 'Secret phone' }, 'changes in between are not missed');
});
