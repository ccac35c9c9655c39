/** Somebody at a matrix-js-sdk client with its Rust crypto, whose keys are in memory. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientEvent, createClient, Filter, type LoginResponse, type MatrixClient, type MatrixEvent } from 'matrix-js-sdk';
import type { CryptoApi } from 'matrix-js-sdk/lib/crypto-api/index.js';
import { RustBackupManager } from 'matrix-js-sdk/lib/rust-crypto/backup.js';
import { SILENT, until, within } from './js-sdk.ts';
import { logIn, newAccount, newRoom, seen, type Place, type User } from './js-sdk-user.ts';

const WAIT_MS_MAX = 60_000;
const MEGOLM = 'm.megolm.v1.aes-sha2';
// Up to 10 s otherwise, so that not all clients back up at once.
Object.assign(RustBackupManager, { maxBackupLoopStartDelayMillis: 0 });

/** What opens the user's secret storage: kept by the user, so that every device can have it. */
export type SecretKey = { bytes?: Uint8Array<ArrayBuffer> };

export async function newCryptoUser(place: Place, word: string, secret: SecretKey = {}): Promise<User> {
  const account = await newAccount(place, word);
  return { ...account, client: await anotherDevice(place, account, secret) };
}

/** A new device of the user, which has done its first sync and uploaded its keys. */
export async function anotherDevice(place: Place, account: Omit<User, 'client'>, secret: SecretKey = {}, fetchFn = globalThis.fetch): Promise<MatrixClient> {
  const client = cryptoClient(place, await logIn(place, account), { secret, fetchFn });
  await client.initRustCrypto({ useIndexedDB: false });
  const prepared = new Promise<void>((resolve) => client.on(ClientEvent.Sync, (state) => state === 'PREPARED' && resolve()));
  // A timeline limit that no burst exceeds, after a first sync that is short.
  const filter = new Filter(account.userId);
  filter.setTimelineLimit(250);
  filter.setLazyLoadMembers(true);
  await client.startClient({ filter, initialSyncLimit: 20, lazyLoadMembers: true, threadSupport: true, pollTimeout: 10_000 });
  await within('the first sync', prepared);
  await eventually(() => `the keys of ${client.getDeviceId()} to be on the server`, async () => {
    const { device_keys: devices } = await client.downloadKeysForUsers([account.userId]);
    return devices[account.userId]?.[client.getDeviceId()!] !== undefined;
  });
  return client;
}

function cryptoClient(place: Place, { user_id: userId, access_token: accessToken, device_id: deviceId }: LoginResponse, { secret, fetchFn }: { secret: SecretKey; fetchFn: typeof fetch }): MatrixClient {
  const client = createClient({
    baseUrl: place.baseUrl, logger: SILENT, fetchFn, accessToken, userId, deviceId, timelineSupport: true, cryptoCallbacks: {
      getSecretStorageKey: ({ keys }) => Promise.resolve(secret.bytes === undefined ? null : [Object.keys(keys)[0]!, secret.bytes]),
      cacheSecretStorageKey: (_id, _info, bytes) => void (secret.bytes = bytes),
    },
  });
  place.clients.push(client);
  return client;
}

export function crypto(client: MatrixClient): CryptoApi {
  return client.getCrypto()!;
}

/** A private room in which all is encrypted, and all of them know it. */
export async function newEncryptedRoom(creator: User, others: readonly User[], more: readonly MatrixClient[] = []): Promise<string> {
  const roomId = await newRoom(creator, others, { initial_state: [{ type: 'm.room.encryption', state_key: '', content: { algorithm: MEGOLM } }] });
  for (const client of [creator.client, ...others.map((other) => other.client), ...more]) {
    await until(() => `${client.getDeviceId()} to know that ${roomId} is encrypted`, () => client.getRoom(roomId)?.hasEncryptionStateEvent() === true);
  }
  return roomId;
}

export async function sayTo(client: MatrixClient, roomId: string, body: string): Promise<string> {
  return (await client.sendTextMessage(roomId, body)).event_id;
}

/** The device reads what was said; resolves with the Megolm session in which it was encrypted. */
export async function reads(client: MatrixClient, roomId: string, eventId: string, body: string): Promise<string> {
  const event = await seen(client, roomId, eventId);
  await until(() => `${client.getUserId()} at ${client.getDeviceId()} to decrypt '${body}', ${state(event)}`, () => event.getContent()['body'] === body);
  assert.equal(event.getWireType(), 'm.room.encrypted');
  return event.getWireContent()['session_id'] as string;
}

/** The device has the event, and no key for it. */
export async function cannotRead(client: MatrixClient, roomId: string, eventId: string): Promise<void> {
  const event = await seen(client, roomId, eventId);
  await until(() => `${client.getDeviceId()} to find that it cannot decrypt, ${state(event)}`, () => !event.isBeingDecrypted() && event.isDecryptionFailure());
}

function state(event: MatrixEvent): string {
  return `it is ${event.getType()}, ${event.isDecryptionFailure() ? event.decryptionFailureReason : 'without failure'}`;
}

/** The devices of the user that `client` knows to be exactly these. */
export async function knowsDevices(client: MatrixClient, userId: string, devices: readonly MatrixClient[]): Promise<void> {
  const wanted = devices.map((device) => device.getDeviceId()!).sort().join();
  let known = '';
  await eventually(() => `${client.getUserId()} to know devices ${wanted} of ${userId}, it knows ${known}`, async () => {
    known = [...((await crypto(client).getUserDeviceInfo([userId])).get(userId)?.keys() ?? [])].sort().join();
    return known === wanted;
  });
}

/** Asks again and again; fails with `what` when it does not come true within a minute. */
export async function eventually(what: () => string, holds: () => Promise<boolean>): Promise<void> {
  for (const endsAt = Date.now() + WAIT_MS_MAX; !(await holds()); await sleep(20)) if (Date.now() > endsAt) assert.fail(`waited ${WAIT_MS_MAX / 1000} s for ${what()}`);
}
