/** Keys of end-to-end encryption. */
import { testDevice, testIdentity } from '../../../kit/e2ee-keys.ts';
import type { Scene } from '../scene.ts';
import { CLIENT, type Call } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

/** With all that a device can upload; the one-time key is a new one. */
function upload(scene: Scene): Call {
  const { alice } = scene;
  const device = testDevice(alice.userId, alice.deviceId);
  return of(scene, 'POST', '/keys/upload', { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(scene.next(), 1), fallback_keys: device.fallbackKey(90_000) });
}

async function newcomer(scene: Scene) {
  const account = await scene.world.register(`newcomer${scene.next()}`);
  return { ...account, identity: testIdentity(account.userId) };
}

async function tokenOf(scene: Scene): Promise<string> {
  return (await scene.world.ask(scene.alice, 'GET', '/sync')).next_batch as string;
}

export const KEY_REQUESTS: GoodRequests = {
  uploadKeys: upload,
  async queryKeys(s) {
    await s.world.call(upload(s));
    return of(s, 'POST', '/keys/query', { timeout: 1000, device_keys: { [s.alice.userId]: [s.alice.deviceId], [s.bob.userId]: [] } });
  },
  async claimKeys(s) {
    await s.world.call(upload(s));
    return of(s, 'POST', '/keys/claim', { timeout: 1000, one_time_keys: { [s.alice.userId]: { [s.alice.deviceId]: 'signed_curve25519' } } });
  },
  getKeysChanges: async (s) => of(s, 'GET', `/keys/changes?from=${await tokenOf(s)}&to=${await tokenOf(s)}`),
  async uploadCrossSigningKeys(s) {
    const { token, identity } = await newcomer(s);
    return { method: 'POST', path: `${CLIENT}/keys/device_signing/upload`, token, body: identity.keys };
  },
  async uploadCrossSigningSignatures(s) {
    const { userId, deviceId, token, identity } = await newcomer(s);
    const device = testDevice(userId, deviceId);
    for (const [path, body] of [['upload', { device_keys: device.deviceKeys }], ['device_signing/upload', identity.keys]] as const) await s.world.call({ method: 'POST', path: `${CLIENT}/keys/${path}`, token, body });
    return { method: 'POST', path: `${CLIENT}/keys/signatures/upload`, token, body: { [userId]: { [deviceId]: identity.selfSigning.sign(device.deviceKeys) } } };
  },
};
