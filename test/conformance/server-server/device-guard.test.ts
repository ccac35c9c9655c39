/** Two whole servers, one of which guards the devices of its users (setting `device_keys_guard`). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testDevice } from '../../kit/e2ee-keys.ts';
import { createServerNetwork, type NetworkServer } from '../../kit/server-network.ts';

const network = createServerNetwork();
const ALICE = '@alice:a.test';
const CLIENT = '/_matrix/client/v3';
let a: NetworkServer;
let b: NetworkServer;
let alice: string;
let bob: string;

before(async () => {
  a = await network.add('a.test', { deviceKeysGuard: 'other_servers' });
  b = await network.add('b.test');
  const body = { username: 'alice', password: 'correct horse battery', device_id: 'PHONE', auth: { type: 'm.login.dummy' } };
  alice = (await a.call('POST', `${CLIENT}/register`, { body })).access_token as string;
  bob = await b.register('bob');
  const device = testDevice(ALICE, 'PHONE');
  await a.call('POST', `${CLIENT}/keys/upload`, { token: alice, body: { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(1, 5) } });
});
after(() => network.close());

async function seen(): Promise<[devices: number, keys: number]> {
  const { device_keys: devices } = await b.call('POST', `${CLIENT}/keys/query`, { token: bob, body: { device_keys: { [ALICE]: [] } } }) as { device_keys: Record<string, object> };
  const { one_time_keys: keys } = await b.call('POST', `${CLIENT}/keys/claim`, { token: bob, body: { one_time_keys: { [ALICE]: { PHONE: 'signed_curve25519' } } } }) as { one_time_keys: object };
  return [Object.keys(devices[ALICE] ?? {}).length, Object.keys(keys).length];
}

test('another server learns the devices of who is in a room with a user of it, and of nobody else', async () => {
  assert.deepEqual(await seen(), [0, 0]);
  const { room_id: roomId } = await a.call('POST', `${CLIENT}/createRoom`, { token: alice, body: { preset: 'public_chat' } }) as { room_id: string };
  assert.deepEqual(await seen(), [0, 0]);
  await b.call('POST', `${CLIENT}/join/${encodeURIComponent(roomId)}?server_name=a.test`, { token: bob, body: {} });
  let found = await seen();
  for (let tries = 0; tries < 50 && found[0] === 0; tries += 1) found = await seen();
  assert.deepEqual(found, [1, 1]);
});
