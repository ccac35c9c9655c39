/** What servers tell each other of their users: who types, has read and is there; names and pictures; devices and what is sent to them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { testDevice } from '../kit/e2ee-keys.ts';
import { logIn, register, V3, type ApiSession } from './api-client.ts';
import { closeRoom } from './closing.ts';
import { ok } from './federation-rooms.ts';
import type { Peer } from './peers.ts';

const WAIT_MS_MAX = 30_000;

type Content = Readonly<Record<string, unknown>>;

interface Heard {
  readonly type: string;
  readonly sender?: string;
  readonly content: Content;
}

interface Told {
  readonly next_batch: string;
  readonly presence?: { readonly events: readonly Heard[] };
  readonly to_device?: { readonly events: readonly Heard[] };
  readonly device_lists?: { readonly changed?: readonly string[]; readonly left?: readonly string[] };
  readonly rooms?: { readonly join?: Readonly<Record<string, { readonly ephemeral?: { readonly events: readonly Heard[] } }>> };
}

/** Follows /sync of a user, and lets nobody see the user. */
class Listener {
  readonly #session: ApiSession;
  #since = '';

  constructor(session: ApiSession) {
    this.#session = session;
  }

  async next(timeoutMs: number): Promise<Told> {
    const since = this.#since === '' ? 'timeout=0' : `timeout=${timeoutMs}&since=${encodeURIComponent(this.#since)}`;
    const told = (await ok(this.#session.call('GET', `${V3}/sync?set_presence=offline&${since}`))) as unknown as Told;
    this.#since = told.next_batch;
    return told;
  }

  /** The first that is looked for in what each /sync tells. */
  async hears<T>(what: string, find: (told: Told) => T | undefined): Promise<T> {
    const all: Told[] = [];
    for (const endsAt = performance.now() + WAIT_MS_MAX; performance.now() < endsAt;) {
      const told = await this.next(2000);
      all.push(told);
      const found = find(told);
      if (found !== undefined) return found;
    }
    assert.fail(`${this.#session.userId} heard nothing of ${what}: ${JSON.stringify(all)}`);
  }
}

/** What `from` does reaches `to`. */
async function softNews(from: ApiSession, to: ApiSession, roomId: string): Promise<void> {
  const room = `${V3}/rooms/${encodeURIComponent(roomId)}`;
  const listener = new Listener(to);
  const ephemeral = (told: Told): readonly Heard[] => told.rooms?.join?.[roomId]?.ephemeral?.events ?? [];
  const typing = (users: string) => (told: Told): Heard | undefined => ephemeral(told).find(({ type, content }) => type === 'm.typing' && String(content['user_ids']) === users);
  await listener.next(0);
  await ok(from.call('PUT', `${room}/typing/${encodeURIComponent(from.userId)}`, { typing: true, timeout: 30_000 }));
  await listener.hears('typing', typing(from.userId));
  await ok(from.call('PUT', `${room}/typing/${encodeURIComponent(from.userId)}`, { typing: false }));
  await listener.hears('the end of typing', typing(''));

  const { event_id: eventId } = await ok(to.call('PUT', `${room}/send/m.room.message/t${performance.now()}`, { msgtype: 'm.text', body: 'tea' })) as { event_id: string };
  for (let tries = 0; (await from.call('GET', `${room}/event/${encodeURIComponent(eventId)}`)).status !== 200; tries += 1) {
    assert.ok(tries < 300, 'the message does not come');
    await sleep(50);
  }
  await ok(from.call('POST', `${room}/receipt/m.read.private/${encodeURIComponent(eventId)}`, {}));
  await ok(from.call('POST', `${room}/receipt/m.read/${encodeURIComponent(eventId)}`, { thread_id: 'main' }));
  const read = await listener.hears('the receipt', (told) => ephemeral(told).find(({ type, content }) => type === 'm.receipt' && Object.hasOwn(content, eventId)));
  const kinds = read.content[eventId] as Record<string, Record<string, { thread_id?: string }>>;
  assert.deepEqual([Object.keys(kinds), kinds['m.read']?.[from.userId]?.thread_id], [['m.read'], 'main']);

  const presence = (state: string) => (told: Told): Heard | undefined => told.presence?.events.find(({ type, sender, content }) => type === 'm.presence' && sender === from.userId && content['presence'] === state);
  await ok(from.call('PUT', `${V3}/presence/${encodeURIComponent(from.userId)}/status`, { presence: 'unavailable', status_msg: 'tea' }));
  assert.equal((await listener.hears('idleness', presence('unavailable'))).content['status_msg'], 'tea');
  await ok(from.call('PUT', `${V3}/presence/${encodeURIComponent(from.userId)}/status`, { presence: 'online' }));
  await listener.hears('presence', presence('online'));
  assert.equal((await ok(to.call('GET', `${V3}/presence/${encodeURIComponent(from.userId)}/status`)) as Content)['presence'], 'online');
}

/** Users of the two servers in a room of the first. */
async function acquaint(one: Peer, other: Peer): Promise<{ host: ApiSession; guest: ApiSession; roomId: string }> {
  const [host, guest] = [await register(one.baseUrl), await register(other.baseUrl)];
  const { room_id: roomId } = await ok(host.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: '11' })) as { room_id: string };
  await ok(guest.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?via=${one.serverName}&server_name=${one.serverName}`, {}));
  return { host, guest, roomId };
}

/** Typing, receipts and presence, each way. `closing` compares the room afterwards. */
export async function ephemeral(one: Peer, other: Peer, closing = true): Promise<void> {
  const { host, guest, roomId } = await acquaint(one, other);
  await softNews(host, guest, roomId);
  await softNews(guest, host, roomId);
  if (closing) await closeRoom(roomId, [{ peer: one, session: host }, { peer: other, session: guest }]);
}

/** The guest's name and picture, as the host's server is told and as it asks; and what is answered of nobody. */
export async function profiles(one: Peer, other: Peer): Promise<void> {
  const { host, guest, roomId } = await acquaint(one, other);
  const member = async (): Promise<Content> => await ok(host.call('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(guest.userId)}`)) as Content;
  const url = `mxc://${other.serverName}/picture`;
  const profile = `${V3}/profile/${encodeURIComponent(guest.userId)}`;
  await ok(guest.call('PUT', `${profile}/displayname`, { displayname: 'The guest' }));
  await ok(guest.call('PUT', `${profile}/avatar_url`, { avatar_url: url }));
  for (const endsAt = performance.now() + WAIT_MS_MAX; ; await sleep(50)) {
    const { displayname, avatar_url: avatar } = await member();
    if (displayname === 'The guest' && avatar === url) break;
    assert.ok(performance.now() < endsAt, `the host sees ${JSON.stringify(await member())}`);
  }
  const { displayname, avatar_url: avatar } = await ok(host.call('GET', profile)) as Content;
  assert.deepEqual([displayname, avatar], ['The guest', url]);
  assert.deepEqual(await ok(host.call('GET', `${profile}/displayname`)), { displayname: 'The guest' });
  assert.deepEqual(await ok(host.call('GET', `${profile}/avatar_url`)), { avatar_url: url });
  const { status, body } = await host.call('GET', `${V3}/profile/${encodeURIComponent(`@nobody${randomBytes(4).toString('hex')}:${other.serverName}`)}`);
  assert.deepEqual([status, body['errcode']], [404, 'M_NOT_FOUND']);
  await closeRoom(roomId, [{ peer: one, session: host }, { peer: other, session: guest }]);
}

const deviceOf = async (session: ApiSession): Promise<string> => (await ok(session.call('GET', `${V3}/account/whoami`)))['device_id'] as string;

/** The guest's devices come and go; the host is told, asks for their keys, takes one-time keys, and writes to them. Who shares no room any more is somebody who left. */
export async function devices(one: Peer, other: Peer): Promise<void> {
  const { host, guest, roomId } = await acquaint(one, other);
  const listener = new Listener(host);
  await listener.next(0);
  const hostDevice = testDevice(host.userId, await deviceOf(host));
  await ok(host.call('POST', `${V3}/keys/upload`, { device_keys: hostDevice.deviceKeys }));
  const upload = async (session: ApiSession): Promise<string> => {
    const deviceId = await deviceOf(session);
    const device = testDevice(guest.userId, deviceId);
    await ok(session.call('POST', `${V3}/keys/upload`, { device_keys: device.deviceKeys, one_time_keys: device.oneTimeKeys(0, 2) }));
    return deviceId;
  };
  const known = async (): Promise<string[]> => {
    const { device_keys: keys } = await ok(host.call('POST', `${V3}/keys/query`, { device_keys: { [guest.userId]: [] } })) as { device_keys: Record<string, Record<string, unknown>> };
    return Object.keys(keys[guest.userId] ?? {}).sort();
  };
  const changes = (): Promise<true> => listener.hears('changed devices', ({ device_lists: lists }) => (lists?.changed?.includes(guest.userId) === true ? true : undefined));
  const knows = async (expected: readonly string[]): Promise<void> => {
    for (const endsAt = performance.now() + WAIT_MS_MAX; (await known()).join() !== [...expected].sort().join(); await changes()) assert.ok(performance.now() < endsAt, `the host knows ${(await known()).join()}, not ${expected.join()}`);
  };
  const first = await upload(guest);
  await knows([first]);
  const tablet = await logIn(other.baseUrl, guest.userId);
  const second = await upload(tablet);
  await knows([first, second]);
  const claim = await ok(host.call('POST', `${V3}/keys/claim`, { one_time_keys: { [guest.userId]: { [first]: 'signed_curve25519', [second]: 'signed_curve25519' } } })) as { one_time_keys: Record<string, Record<string, object>> };
  assert.deepEqual(Object.keys(claim.one_time_keys[guest.userId] ?? {}).sort(), [first, second].sort());
  const ears = [new Listener(guest), new Listener(tablet)];
  for (const ear of ears) await ear.next(0);
  const body = `dummy ${randomBytes(4).toString('hex')}`;
  await ok(host.call('PUT', `${V3}/sendToDevice/org.example.news/${encodeURIComponent(body)}`, { messages: { [guest.userId]: { '*': { body } } } }));
  for (const ear of ears) await ear.hears('the message', ({ to_device: toDevice }) => toDevice?.events.find(({ sender, content }) => sender === host.userId && content['body'] === body));
  await ok(tablet.call('POST', `${V3}/logout`, {}));
  await knows([first]);
  await closeRoom(roomId, [{ peer: one, session: host }, { peer: other, session: guest }]);
  await ok(guest.call('POST', `${V3}/rooms/${encodeURIComponent(roomId)}/leave`, {}));
  await listener.hears('the end of all shared rooms', ({ device_lists: lists }) => (lists?.left?.includes(guest.userId) === true ? true : undefined));
}
