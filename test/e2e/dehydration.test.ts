/** matrix-js-sdk leaves a dehydrated device behind (MSC3814), logs out everywhere, and reads later what was said meanwhile. */
// Before the SDK itself, some parts of which take hold of the logger as they are loaded.
import './js-sdk.ts';
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Method, type MatrixClient } from 'matrix-js-sdk';
import { clientModes } from './client-modes.ts';
import { anotherDevice, cannotRead, crypto, eventually, newCryptoUser, newEncryptedRoom, reads, sayTo, type SecretKey } from './encryption-clients.ts';
import type { Place } from './js-sdk-user.ts';
import type { RunningMode } from './modes.ts';

const PREFIX = '/_matrix/client/unstable/org.matrix.msc3814.v1';
const { mode, settings, stage } = clientModes()[0]!;

async function dehydrated(client: MatrixClient): Promise<string> {
  return (await client.http.authedRequest<{ device_id: string }>(Method.Get, '/dehydrated_device', undefined, undefined, { prefix: PREFIX, priority: undefined })).device_id;
}

/** Cross-signing keys, and a secret storage that holds them. */
async function setUp(client: MatrixClient): Promise<void> {
  await crypto(client).bootstrapCrossSigning({ authUploadDeviceSigningKeys: async (upload) => void (await upload(null)) });
  await crypto(client).bootstrapSecretStorage({ createSecretStorageKey: () => crypto(client).createRecoveryKeyFromPassphrase(), setupNewSecretStorage: true });
}

/** The client sees a cross-signed device of that name, or none. */
function seesDevice(client: MatrixClient, userId: string, deviceId: string, isThere: boolean): Promise<void> {
  return eventually(() => `${client.getUserId()} to see ${deviceId}: ${isThere}`, async () => {
    const device = (await crypto(client).getUserDeviceInfo([userId])).get(userId)?.get(deviceId);
    if (!isThere || device === undefined) return !isThere && device === undefined;
    return device.dehydrated && (await crypto(client).getDeviceVerificationStatus(userId, deviceId))!.signedByOwner;
  });
}

suite(`dehydrated devices: ${mode.name}`, { skip: mode.missing === undefined ? false : `${mode.missing} is not here`, timeout: 120_000 }, () => {
  const clients: Place['clients'] = [];
  let running: RunningMode;
  before(async () => void (running = await mode.start(settings)));
  after(async () => {
    for (const client of clients) client.stopClient();
    await running?.stop();
  });

  test('who was logged in nowhere reads what was said, by the device left behind', async () => {
    const place: Place = { baseUrl: running.baseUrl, stage, clients };
    const secret: SecretKey = {};
    const [alice, bob] = await Promise.all([newCryptoUser(place, 'alice', secret), newCryptoUser(place, 'bob')]);
    await setUp(alice.client);
    assert.equal(await crypto(alice.client).isDehydrationSupported(), true);
    await crypto(alice.client).startDehydration();
    const left = await dehydrated(alice.client);
    const roomId = await newEncryptedRoom(alice, [bob]);
    await seesDevice(bob.client, alice.userId, left, true);
    await alice.client.logout(true);
    const body = 'said while nobody was there';
    const eventId = await sayTo(bob.client, roomId, body);
    await reads(bob.client, roomId, eventId, body);

    const fresh = await anotherDevice(place, alice, secret);
    await cannotRead(fresh, roomId, eventId);
    await eventually(() => 'the new device to have the public keys of its user', () => crypto(fresh).userHasCrossSigningKeys(alice.userId, true));
    await crypto(fresh).bootstrapCrossSigning({});
    await crypto(fresh).startDehydration();
    await reads(fresh, roomId, eventId, body);
    const next = await dehydrated(fresh);
    assert.notEqual(next, left, 'another one is left behind');
    await seesDevice(bob.client, alice.userId, next, true);
    await seesDevice(bob.client, alice.userId, left, false);
  });
});
