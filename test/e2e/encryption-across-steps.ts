/** Users of two servers whose devices verify each other, talk, have their keys backed up and reset who they are. */
import assert from 'node:assert/strict';
import { Direction, type MatrixClient } from 'matrix-js-sdk';
import { crypto, eventually, knowsDevices, type SecretKey } from './encryption-clients.ts';
import type { Party } from './encryption-crowd.ts';
import { insist, newJsDevice, readingOf, type Device, type JsDevice, type Reading } from './encryption-devices.ts';
import { backupOf, bootstrap, compareEmoji, masterKey, resetEncryption, trustItself, trusts } from './encryption-steps.ts';
import { startTalk, whenAll, type Talk } from './encryption-talk.ts';
import { newAccount, type Place, type User } from './js-sdk-user.ts';
import type { NioDevices } from './nio-devices.ts';

type Account = Omit<User, 'client'>;

/** Somebody whose first device is of matrix-js-sdk. */
export interface JsParty extends Party {
  readonly place: Place;
  readonly account: Account;
  readonly secret: SecretKey;
  readonly first: JsDevice;
}

export interface Scene {
  readonly alice: JsParty;
  readonly bob: JsParty;
  readonly nina: Party;
  readonly talk: Talk;
}

const MEGOLM = 'm.megolm.v1.aes-sha2';
const PAGE = 100;

/** Alice and nina, who is at matrix-nio, on one server, bob on the other; all in an encrypted room. */
export async function gather(here: Place, there: Place, nio: NioDevices): Promise<Scene> {
  const [alice, bob, nina] = await Promise.all([jsParty(here, 'alice'), jsParty(there, 'bob'), nioParty(here, nio)]);
  const { room_id: roomId } = await alice.first.client.createRoom({
    name: 'Tea', invite: [bob.userId, nina.userId], initial_state: [
      { type: 'm.room.encryption', state_key: '', content: { algorithm: MEGOLM } },
      // Otherwise matrix-js-sdk hands those whom it invites the keys of what was said before, in a file.
      { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'invited' } },
    ],
  });
  const guests = [...bob.devices, ...nina.devices];
  await whenAll(guests, ({ key }) => `${key} to see the invite`, (device) => device.invited(roomId));
  for (const device of guests) await device.join(roomId);
  const talk = startTalk(roomId);
  const everybody = [...alice.devices, ...guests];
  await whenAll(everybody, ({ key }) => `${key} to be in the room`, (device) => device.inside(roomId));
  await talk.enter(...everybody);
  return { alice, bob, nina, talk };
}

async function jsParty(place: Place, word: string): Promise<JsParty> {
  const [account, secret]: [Account, SecretKey] = [await newAccount(place, word), {}];
  const logIn = (): Promise<JsDevice> => newJsDevice(place, account, secret);
  const first = await logIn();
  return { userId: account.userId, place, account, secret, first, devices: [first], kept: 1, logIn };
}

async function nioParty(place: Place, nio: NioDevices): Promise<Party> {
  const account = await newAccount(place, 'nina');
  const logIn = (): Promise<Device> => nio.logIn(place, account);
  return { userId: account.userId, devices: [await logIn()], kept: 0, logIn };
}

/** Everybody says something, which everybody reads. */
export async function everybodySpeaks({ talk }: Scene, when: string): Promise<void> {
  for (const device of talk.present()) await talk.say(device, `${device.key} speaks ${when}`);
  await talk.allRead();
}

/** By emoji: a new device of alice, in messages to devices; alice and bob of the other server, in the room; and her new device and his, in messages to devices of the other server. */
export async function verifyAll({ alice, bob, talk }: Scene): Promise<void> {
  await Promise.all([bootstrap(alice.first, true), bootstrap(bob.first, false)]);
  const phone = await newJsDevice(alice.place, alice.account);
  alice.devices.push(phone);
  await whenAll([phone], ({ key }) => `${key} to see the room`, (device) => device.inside(talk.roomId));
  await talk.enter(phone);
  await knowsDevices(alice.first.client, alice.userId, [alice.first.client, phone.client]);
  await compareEmoji(alice.first.client, () => crypto(phone.client).requestOwnUserVerification());
  await eventually(() => 'the phone to have the secrets', async () => Object.values((await crypto(phone.client).getCrossSigningStatus()).privateKeysCachedLocally).every(Boolean));
  await verifyEachOther({ alice, bob, talk });
  await compareEmoji(bob.first.client, () => crypto(phone.client).requestDeviceVerification(bob.userId, bob.first.deviceId));
  await trusts(phone.client, bob.userId);
}

async function verifyEachOther({ alice, bob, talk }: Pick<Scene, 'alice' | 'bob' | 'talk'>): Promise<void> {
  await compareEmoji(bob.first.client, () => crypto(alice.first.client).requestVerificationDM(bob.userId, talk.roomId));
  await trusts(alice.first.client, bob.userId);
  await trusts(bob.first.client, alice.userId);
}

/** A fresh device of alice reads, with keys from the backup, all that her first one has read. Resolves with the numbers of keys and messages. */
export async function restoreBackup({ alice, talk }: Scene): Promise<{ keys: number; messages: number }> {
  const wanted = (await crypto(alice.first.client).exportRoomKeys()).length;
  let kept = 0;
  await eventually(() => `${wanted} keys to be in the backup, there are ${kept}`, async () => (kept = (await backupOf(alice.first.client)).count) >= wanted);
  const { client } = await newJsDevice(alice.place, alice.account, alice.secret);
  await trustItself(client);
  await crypto(client).loadSessionBackupPrivateKeyFromSecretStorage();
  assert.ok(await crypto(client).checkKeyBackupAndEnable() !== null);
  const { imported, total } = await crypto(client).restoreKeyBackup();
  assert.ok(imported === total && total >= wanted, `${imported} of ${total} keys came out of the backup, which had ${wanted}`);
  const history = await readHistory(client, talk.roomId);
  const lost = talk.said.filter(({ by, entitled }) => by === alice.first || entitled.includes(alice.first)).filter(({ eventId, body }) => history.get(eventId)?.body !== body);
  assert.deepEqual(lost.map(({ eventId, body }) => [body, history.get(eventId)]), [], 'the fresh device reads everything');
  await client.logout(true);
  return { keys: imported, messages: talk.said.length };
}

/** All encrypted events of the room, read backwards. */
async function readHistory(client: MatrixClient, roomId: string): Promise<Map<string, Reading>> {
  const readings = new Map<string, Reading>();
  const toEvent = client.getEventMapper({ decrypt: false, preventReEmit: true });
  for (let from: string | null | undefined = null; from !== undefined;) {
    const page = await insist(client, () => client.createMessagesRequest(roomId, from ?? null, PAGE, Direction.Backward));
    for (const event of page.chunk.map(toEvent).filter((one) => one.getWireType() === 'm.room.encrypted')) {
      await client.decryptEventIfNeeded(event);
      readings.set(event.getId()!, readingOf(event));
    }
    from = page.end;
  }
  return readings;
}

/** Alice has new cross-signing keys: bob of the other server sees another identity, and verifies her again. */
export async function resetIdentity(scene: Scene): Promise<void> {
  const { alice, bob } = scene;
  const before = await masterKey(bob.first.client, alice.userId);
  await resetEncryption(alice.first.client, alice.account);
  await eventually(() => 'bob to be told of another key', async () => await masterKey(bob.first.client, alice.userId) !== before);
  await eventually(() => 'bob not to trust her any more', async () => {
    const status = await crypto(bob.first.client).getUserVerificationStatus(alice.userId);
    return !status.isVerified() && status.wasCrossSigningVerified();
  });
  await everybodySpeaks(scene, 'after new keys');
  await verifyEachOther(scene);
}
