/**
 * What is soft between two servers, each way: who types, has read and is there. The brokers and the database of servers of many processes are those of MYELIN_TEST_POSTGRES_URL,
 * MYELIN_TEST_NATS_URL and MYELIN_TEST_KAFKA_BROKERS, which `npm test` starts.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { register, V3, type Answer, type ApiSession } from './api-client.ts';
import { instanceModes } from './modes.ts';
import { neighbourhood, peerMissing, type Neighbourhood, type Peer } from './peers.ts';

const TIMEOUT_MS = 240_000;
const WAIT_MS_MAX = 30_000;

type Content = Readonly<Record<string, unknown>>;

interface Heard {
  readonly type: string;
  readonly sender?: string;
  readonly content: Content;
}

async function ok(asked: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await asked;
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** Follows /sync of a user; presence and the room's ephemeral events, in order. Lets nobody see the user. */
class Listener {
  readonly #session: ApiSession;
  readonly #roomId: string;
  #since = '';

  constructor(session: ApiSession, roomId: string) {
    this.#session = session;
    this.#roomId = roomId;
  }

  async next(timeoutMs: number): Promise<Heard[]> {
    const body = (await ok(this.#session.call('GET', `${V3}/sync?set_presence=offline&timeout=${this.#since === '' ? 0 : timeoutMs}${this.#since === '' ? '' : `&since=${this.#since}`}`))) as {
      next_batch: string; presence?: { events: Heard[] }; rooms?: { join?: Record<string, { ephemeral?: { events: Heard[] } }> };
    };
    this.#since = body.next_batch;
    return [...(body.presence?.events ?? []), ...(body.rooms?.join?.[this.#roomId]?.ephemeral?.events ?? [])];
  }

  async hears(what: string, is: (heard: Heard) => boolean): Promise<Heard> {
    const end = performance.now() + WAIT_MS_MAX;
    const all: Heard[] = [];
    while (performance.now() < end) {
      const heard = await this.next(2000);
      all.push(...heard);
      const found = heard.find(is);
      if (found !== undefined) return found;
    }
    assert.fail(`${this.#session.userId} heard nothing of ${what}: ${JSON.stringify(all)}`);
  }
}

const typists = ({ type, content }: Heard): unknown => (type === 'm.typing' ? content['user_ids'] : undefined);

/** What `from` does reaches `to`. */
async function reaches(from: ApiSession, to: ApiSession, roomId: string): Promise<void> {
  const room = `${V3}/rooms/${encodeURIComponent(roomId)}`;
  const listener = new Listener(to, roomId);
  await listener.next(0);
  await ok(from.call('PUT', `${room}/typing/${encodeURIComponent(from.userId)}`, { typing: true, timeout: 30_000 }));
  await listener.hears('typing', (heard) => String(typists(heard)) === from.userId);
  await ok(from.call('PUT', `${room}/typing/${encodeURIComponent(from.userId)}`, { typing: false }));
  await listener.hears('the end of typing', (heard) => String(typists(heard)) === '');

  const { event_id: eventId } = await ok(to.call('PUT', `${room}/send/m.room.message/t${performance.now()}`, { msgtype: 'm.text', body: 'tea' })) as { event_id: string };
  for (let tries = 0; (await from.call('GET', `${room}/event/${encodeURIComponent(eventId)}`)).status !== 200; tries += 1) {
    assert.ok(tries < 100, 'the message does not come');
    await sleep(100);
  }
  await ok(from.call('POST', `${room}/receipt/m.read.private/${encodeURIComponent(eventId)}`, {}));
  await ok(from.call('POST', `${room}/receipt/m.read/${encodeURIComponent(eventId)}`, { thread_id: 'main' }));
  const read = await listener.hears('the receipt', ({ type, content }) => type === 'm.receipt' && Object.hasOwn(content, eventId));
  const kinds = read.content[eventId] as Record<string, Record<string, { thread_id?: string }>>;
  assert.deepEqual([Object.keys(kinds), kinds['m.read']?.[from.userId]?.thread_id], [['m.read'], 'main']);

  const isOf = (presence: string) => ({ type, sender, content }: Heard): boolean => type === 'm.presence' && sender === from.userId && content['presence'] === presence;
  await ok(from.call('PUT', `${V3}/presence/${encodeURIComponent(from.userId)}/status`, { presence: 'unavailable', status_msg: 'tea' }));
  assert.equal((await listener.hears('idleness', isOf('unavailable'))).content['status_msg'], 'tea');
  await ok(from.call('PUT', `${V3}/presence/${encodeURIComponent(from.userId)}/status`, { presence: 'online' }));
  await listener.hears('presence', isOf('online'));
  assert.equal((await ok(to.call('GET', `${V3}/presence/${encodeURIComponent(from.userId)}/status`)) as Content)['presence'], 'online');
}

async function meet(place: Neighbourhood, start: (place: Neighbourhood) => Promise<readonly [Peer, Peer]>): Promise<void> {
  const [one, other] = await start(place);
  const [host, guest] = [await register(one.baseUrl), await register(other.baseUrl)];
  const { room_id: roomId } = await ok(host.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: '11' })) as { room_id: string };
  await ok(guest.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?via=${one.serverName}&server_name=${one.serverName}`, {}));
  try {
    await reaches(host, guest, roomId);
    await reaches(guest, host, roomId);
  } catch (error) {
    for (const { serverName, recentLog } of [one, other]) console.log(`The log of ${serverName}:\n${recentLog()}`);
    throw error;
  }
}

const PAIRS = [
  { name: 'two Myelins', missing: false, start: async (place: Neighbourhood) => [await place.start('Myelin'), await place.start('Myelin')] as const },
  { name: 'Myelin and Synapse', missing: peerMissing('Synapse'), start: async (place: Neighbourhood) => [await place.start('Myelin'), await place.start('Synapse', { presence: true })] as const },
  ...instanceModes().filter(({ of }) => of === 'one role a process').map(({ two }) => ({
    name: `Myelin as ${two.name} and as one process`, missing: two.missing ?? false, start: async (place: Neighbourhood) => [await place.start('Myelin', { mode: two }), await place.start('Myelin')] as const,
  })),
];

for (const { name, missing, start } of PAIRS) {
  suite(name, { skip: missing, concurrency: false }, () => {
    test('typing, receipts and presence reach the other', { timeout: TIMEOUT_MS }, async () => {
      const place = neighbourhood();
      try {
        await meet(place, start);
      } finally {
        await place.stop();
      }
    });
  });
}
