/** Encrypted rooms, devices and what they trust, as matrix-js-sdk with its Rust crypto uses them. */
import assert from 'node:assert/strict';
import { Method, type AuthDict, type MatrixClient } from 'matrix-js-sdk';
import { CryptoEvent } from 'matrix-js-sdk/lib/crypto-api/CryptoEvent.js';
import { VerificationPhase, VerifierEvent, type ShowSasCallbacks, type VerificationRequest, type Verifier } from 'matrix-js-sdk/lib/crypto-api/verification.js';
import { until, within } from './js-sdk.ts';
import { challenge, type Place, type User } from './js-sdk-user.ts';
import { anotherDevice, cannotRead, crypto, eventually, knowsDevices, newCryptoUser, newEncryptedRoom, reads, sayTo, type SecretKey } from './encryption-clients.ts';

/** All devices of both read what each says; one that comes later reads from then on, and one that has gone is nobody's any more. */
export async function conversation(place: Place): Promise<void> {
  const [alice, bob] = await Promise.all([newCryptoUser(place, 'alice'), newCryptoUser(place, 'bob')]);
  const phone = await anotherDevice(place, alice);
  const roomId = await newEncryptedRoom(alice, [bob], [phone]);
  const early = await everybodyReads(roomId, [alice.client, phone, bob.client]);
  const tablet = await anotherDevice(place, alice);
  await cannotRead(tablet, roomId, early);
  for (const client of [alice.client, phone, bob.client]) await knowsDevices(client, alice.userId, [alice.client, phone, tablet]);
  await everybodyReads(roomId, [alice.client, phone, tablet, bob.client]);
  await phone.logout(true);
  for (const client of [alice.client, bob.client]) await knowsDevices(client, alice.userId, [alice.client, tablet]);
  await everybodyReads(roomId, [bob.client, alice.client, tablet]);
}

/** Each says something that all of them read; resolves with the last message. */
async function everybodyReads(roomId: string, devices: readonly MatrixClient[]): Promise<string> {
  let last = '';
  for (const speaker of devices) {
    const body = `${speaker.getUserId()} speaks at ${speaker.getDeviceId()}, before ${devices.length}`;
    last = await sayTo(speaker, roomId, body);
    await Promise.all(devices.map((device) => reads(device, roomId, last, body)));
  }
  return last;
}

/** A new Megolm session once somebody has left, and not before. */
export async function rotation(place: Place): Promise<void> {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((name) => newCryptoUser(place, name))) as [User, User, User];
  const roomId = await newEncryptedRoom(alice, [bob, carol]);
  const sessions: string[] = [];
  for (const body of ['one', 'two']) {
    const eventId = await sayTo(alice.client, roomId, body);
    const [session] = await Promise.all([bob, carol].map(({ client }) => reads(client, roomId, eventId, body)));
    sessions.push(session!);
  }
  await carol.client.leave(roomId);
  await until(() => 'carol to be gone', () => alice.client.getRoom(roomId)!.getMember(carol.userId)?.membership === 'leave');
  sessions.push(await reads(bob.client, roomId, await sayTo(alice.client, roomId, 'three'), 'three'));
  assert.equal(sessions[0], sessions[1]);
  assert.notEqual(sessions[1], sessions[2], 'who has left does not have the key of what is said now');
}

/** A device with nothing but the key of the secret storage reads what was said before it was there. */
export async function backup(place: Place): Promise<void> {
  const secret: SecretKey = {};
  const [alice, bob] = await Promise.all([newCryptoUser(place, 'alice', secret), newCryptoUser(place, 'bob')]);
  await bootstrap(alice, true);
  const roomId = await newEncryptedRoom(alice, [bob]);
  const said: [eventId: string, body: string][] = [];
  for (const { client, userId } of [alice, bob]) {
    const body = `${userId} says this to be kept`;
    said.push([await sayTo(client, roomId, body), body]);
    for (const reader of [alice, bob]) await reads(reader.client, roomId, ...said.at(-1)!);
  }
  let kept: number | undefined;
  await eventually(() => `both keys to be in the backup, there are ${kept}`, async () => (kept = (await backupOf(alice.client)).count) === 2);
  await alice.client.logout(true);
  const fresh = await anotherDevice(place, alice, secret);
  for (const [eventId] of said) await cannotRead(fresh, roomId, eventId);
  await trustItself(fresh);
  await crypto(fresh).loadSessionBackupPrivateKeyFromSecretStorage();
  assert.ok(await crypto(fresh).checkKeyBackupAndEnable() !== null);
  assert.deepEqual(await crypto(fresh).restoreKeyBackup(), { total: 2, imported: 2 });
  for (const message of said) await reads(fresh, roomId, ...message);
  const { signatures } = await deviceKeys(bob.client, fresh);
  assert.equal(Object.keys(signatures![alice.userId]!).length, 2, 'the new device is signed by the self-signing key from the secret storage');
  await eventually(() => 'bob to see the signature', async () => (await crypto(bob.client).getDeviceVerificationStatus(alice.userId, fresh.getDeviceId()!))?.signedByOwner === true);
}

/** As the server has it: the client remembers what it was once told. */
export function backupOf(client: MatrixClient): Promise<{ version: string; count: number }> {
  return client.http.authedRequest(Method.Get, '/room_keys/version');
}

/** With the keys from the secret storage. */
export async function trustItself(device: MatrixClient): Promise<void> {
  await eventually(() => `${device.getDeviceId()} to have its user's public keys`, () => crypto(device).userHasCrossSigningKeys(device.getUserId()!, true));
  await crypto(device).bootstrapCrossSigning({});
}

/** Cross-signing keys, secret storage with them in it, and with `withBackup` a key backup. */
export async function bootstrap({ client }: Pick<User, 'client'>, withBackup: boolean): Promise<void> {
  await crypto(client).bootstrapCrossSigning({ authUploadDeviceSigningKeys: async (upload) => void (await upload(null)) });
  await crypto(client).bootstrapSecretStorage({ createSecretStorageKey: () => crypto(client).createRecoveryKeyFromPassphrase(), setupNewSecretStorage: true, setupNewKeyBackup: withBackup });
  assert.equal(await crypto(client).isCrossSigningReady(), true);
  assert.equal(await crypto(client).isSecretStorageReady(), true);
}

async function deviceKeys(asker: MatrixClient, device: MatrixClient): Promise<{ signatures?: Record<string, Record<string, string>> }> {
  const { device_keys: devices } = await asker.downloadKeysForUsers([device.getUserId()!]);
  return devices[device.getUserId()!]![device.getDeviceId()!]!;
}

/** A second device becomes trusted by comparing emoji, and is given the secrets; then two users verify each other in a room, which the second device learns. */
export async function verification(place: Place): Promise<void> {
  const [alice, bob] = await Promise.all([newCryptoUser(place, 'alice'), newCryptoUser(place, 'bob')]);
  await Promise.all([alice, bob].map((user) => bootstrap(user, false)));
  const phone = await anotherDevice(place, alice);
  await knowsDevices(alice.client, alice.userId, [alice.client, phone]);
  assert.equal((await crypto(alice.client).getDeviceVerificationStatus(alice.userId, phone.getDeviceId()!))!.crossSigningVerified, false);
  await compareEmoji(alice.client, () => crypto(phone).requestOwnUserVerification());
  await eventually(() => 'the phone to be trusted', async () => (await crypto(alice.client).getDeviceVerificationStatus(alice.userId, phone.getDeviceId()!))!.crossSigningVerified);
  await eventually(() => 'the phone to have the secrets', async () => Object.values((await crypto(phone).getCrossSigningStatus()).privateKeysCachedLocally).every(Boolean));
  const roomId = await newEncryptedRoom(alice, [bob], [phone]);
  await everybodyReads(roomId, [alice.client, bob.client, phone]);
  await compareEmoji(bob.client, () => crypto(alice.client).requestVerificationDM(bob.userId, roomId));
  for (const client of [alice.client, phone]) await trusts(client, bob.userId);
  await trusts(bob.client, alice.userId);
}

export function trusts(client: MatrixClient, userId: string): Promise<void> {
  return eventually(() => `${client.getDeviceId()} to trust ${userId}`, async () => (await crypto(client).getUserVerificationStatus(userId)).isCrossSigningVerified());
}

export async function compareEmoji(asked: MatrixClient, ask: () => Promise<VerificationRequest>): Promise<void> {
  const coming = new Promise<VerificationRequest>((resolve) => asked.once(CryptoEvent.VerificationRequestReceived, resolve));
  const request = await ask();
  const received = await within('the request', coming);
  await received.accept();
  await until(() => `the request to be accepted, it is in phase ${request.phase}`, () => request.phase === VerificationPhase.Ready);
  const first = await request.startVerification('m.sas.v1');
  await until(() => `the verification to begin, it is in phase ${received.phase}`, () => received.verifier !== undefined);
  const verifiers = [first, received.verifier!];
  const shown = Promise.all(verifiers.map(shownBy));
  const done = Promise.all(verifiers.map((verifier) => verifier.verify()));
  const [one, other] = await within('emoji on both sides', Promise.race([shown, done.then(() => assert.fail('done without emoji'))]));
  assert.equal(one!.sas.emoji!.length, 7);
  assert.deepEqual(one!.sas.emoji, other!.sas.emoji);
  await Promise.all([one!.confirm(), other!.confirm()]);
  // That it has failed is told by a promise; that it has ended, by both requests: under load one run in some tens waited in vain for a promise of the SDK, though both sides had had and answered all.
  done.catch((error: unknown) => assert.fail(`the verification failed: ${String(error)}`));
  await until(() => `the end of the verification, it is in phases ${request.phase} and ${received.phase}`, () => [request, received].every(({ phase }) => phase === VerificationPhase.Done));
}

function shownBy(verifier: Verifier): Promise<ShowSasCallbacks> {
  return new Promise((resolve) => verifier.once(VerifierEvent.ShowSas, resolve));
}

/** New cross-signing keys after a password: the other devices and users see that they are others, and the backup is a new one. */
export async function reset(place: Place): Promise<void> {
  const secret: SecretKey = {};
  const [alice, bob] = await Promise.all([newCryptoUser(place, 'alice', secret), newCryptoUser(place, 'bob')]);
  await bootstrap(alice, true);
  const phone = await anotherDevice(place, alice, secret);
  await trustItself(phone);
  const roomId = await newEncryptedRoom(alice, [bob], [phone]);
  await everybodyReads(roomId, [alice.client, bob.client, phone]);
  const signed = (device: MatrixClient, wanted: boolean): Promise<void> =>
    eventually(() => `bob to see ${device.getDeviceId()} signed or not: ${wanted}`, async () => (await crypto(bob.client).getDeviceVerificationStatus(alice.userId, device.getDeviceId()!))?.signedByOwner === wanted);
  for (const device of [alice.client, phone]) await signed(device, true);
  const before = { backup: await backupOf(alice.client), master: await masterKey(bob.client, alice.userId) };
  await resetEncryption(alice.client, alice);
  assert.notEqual(await masterKey(bob.client, alice.userId), before.master);
  assert.notEqual((await backupOf(phone)).version, before.backup.version);
  await eventually(() => 'bob to see another identity', async () => (await crypto(bob.client).getUserVerificationStatus(alice.userId)).needsUserApproval);
  await signed(phone, false);
  await signed(alice.client, true);
  await eventually(() => 'the phone to trust itself no more', async () => (await crypto(phone).getDeviceVerificationStatus(alice.userId, phone.getDeviceId()!))?.crossSigningVerified === false);
  await everybodyReads(roomId, [alice.client, phone, bob.client]);
}

/** New keys, for which the server asks for the password. */
export function resetEncryption(client: MatrixClient, { userId, password }: Omit<User, 'client'>): Promise<void> {
  return crypto(client).resetEncryption(async (upload) => {
    const { session } = await challenge(upload(null));
    await upload({ type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password, session } as AuthDict);
  });
}

export async function masterKey(asker: MatrixClient, userId: string): Promise<string> {
  return Object.values((await asker.downloadKeysForUsers([userId])).master_keys![userId]!.keys)[0]!;
}
