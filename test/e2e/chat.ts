/**
 * Two real clients (matrix-js-sdk) that register, meet in a room and chat through long-polling /sync. By hand, against any server with open registration:
 *
 *     node test/e2e/chat.ts http://127.0.0.1:8008 [messages]
 *
 * It throws on the first thing that is not as it should be, and answers with what it saw.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientEvent, createClient, EventStatus, Filter, KnownMembership, Method, RoomEvent, type MatrixClient, type MatrixEvent } from 'matrix-js-sdk';
import { SILENT, until, within } from './js-sdk.ts';
import { recordSyncs, type SyncRecord } from './sync-record.ts';

export interface ChatOptions {
  readonly baseUrl: string;
  /** In all, half of them each way. */
  readonly messages: number;
  /** Called once, when half of the messages have been sent: kill something. */
  readonly inTheMiddle?: () => Promise<void>;
  /** Sends until this has ended instead of `messages`, with a pause of `paceMs` after each; `retry` lets the clients sync at once. */
  readonly during?: { readonly paceMs: number; readonly work: (retry: () => void) => Promise<void> };
  readonly roomVersion?: string;
}

export interface ChatReport {
  readonly messages: number;
  readonly seconds: number;
  readonly retriedSends: number;
}

interface Person {
  readonly client: MatrixClient;
  readonly userId: string;
  readonly record: SyncRecord;
}

export async function chat(options: ChatOptions): Promise<ChatReport> {
  const people: Person[] = [];
  try {
    for (const name of ['alice', 'bob']) people.push(await enter(options.baseUrl, `${name}-${randomBytes(5).toString('hex')}`));
    return await talk(options, people[0]!, people[1]!);
  } finally {
    for (const { client } of people) client.stopClient();
  }
}

async function enter(baseUrl: string, username: string): Promise<Person> {
  const password = randomBytes(12).toString('hex');
  const guest = createClient({ baseUrl, logger: SILENT });
  const session = await guest.registerRequest({ username, password }).then(() => assert.fail('registration without authentication'), (error: { data?: { session?: string } }) => error.data?.session);
  const registered = await guest.registerRequest({ username, password, auth: { type: 'm.login.dummy', session }, inhibit_login: true } as never);
  const record = recordSyncs();
  const loggedIn = await guest.loginRequest({ type: 'm.login.password', identifier: { type: 'm.id.user', user: username }, password });
  assert.equal(loggedIn.user_id, registered.user_id);
  const client = createClient({ baseUrl, logger: SILENT, accessToken: loggedIn.access_token, userId: loggedIn.user_id, deviceId: loggedIn.device_id, fetchFn: record.fetch });
  assert.equal((await client.whoami()).user_id, loggedIn.user_id);
  const prepared = new Promise<void>((resolve) => client.on(ClientEvent.Sync, (state) => state === 'PREPARED' && resolve()));
  // A timeline limit that no burst exceeds: then every message comes in some /sync, and a gap would be the server's fault.
  const filter = new Filter(loggedIn.user_id);
  filter.setTimelineLimit(250);
  await client.startClient({ filter, initialSyncLimit: 250, pollTimeout: 10_000 });
  await within('PREPARED', prepared);
  return { client, userId: loggedIn.user_id, record };
}

async function talk(options: ChatOptions, alice: Person, bob: Person): Promise<ChatReport> {
  const invited = new Promise<string>((resolve) => bob.client.on(RoomEvent.MyMembership, (room, membership) => membership === KnownMembership.Invite && resolve(room.roomId)));
  const { room_id: roomId } = await alice.client.createRoom({ name: 'Chat', preset: 'private_chat' as never, ...(options.roomVersion === undefined ? {} : { room_version: options.roomVersion }) });
  await alice.client.invite(roomId, bob.userId);
  assert.equal(await within('the invite', invited), roomId);
  await bob.client.joinRoom(roomId);
  const startedAt = Date.now();
  const counted = { retried: 0 };
  const counts = await (options.during === undefined ? speakWithMiddle : speakDuring)(options, [alice, bob], { roomId, counted });
  const expected = [alice, bob].map((person, index) => bodies(person, counts[index]!));
  const total = expected.flat().length;
  for (const { userId, record } of [alice, bob]) {
    await until(() => `${userId} to have all messages; of ${total} it has ${record.messages(roomId).length}, with ${record.limited(roomId)} gaps`, () => record.messages(roomId).length >= total);
  }
  const seconds = (Date.now() - startedAt) / 1000;
  await sleep(300);
  for (const person of [alice, bob]) checkSeen(person, roomId, { people: [alice, bob], expected });
  assert.deepEqual(...([alice, bob].map(({ record }) => record.messages(roomId).map((event) => event.event_id)) as [string[], string[]]), 'both got the messages in one order');
  await checkRest(roomId, alice, bob);
  return { messages: total, seconds, retriedSends: counted.retried };
}

type Place = { readonly roomId: string; readonly counted: { retried: number } };

/** Half of `options.messages` each, as fast as they can; resolves with how many each has sent. */
async function speakWithMiddle(options: ChatOptions, people: readonly Person[], place: Place): Promise<number[]> {
  const half = Math.floor(options.messages / 2);
  let sent = 0;
  let middle: Promise<void> | undefined;
  const onSent = async (): Promise<void> => {
    sent += 1;
    if (sent < half || middle !== undefined) return;
    // The SDK waits 5 to 10 s after a failed sync by itself; hundreds of messages would come meanwhile.
    middle = (options.inTheMiddle?.() ?? Promise.resolve()).then(() => people.forEach(({ client }) => client.retryImmediately()));
  };
  const counts = await Promise.all(people.map((person) => speak(person, { ...place, goesOn: (index) => index < half, onSent })));
  await middle;
  return counts;
}

/** One message after another, with pauses, as long as `options.during` has work. */
async function speakDuring(options: ChatOptions, people: readonly Person[], place: Place): Promise<number[]> {
  const { paceMs, work } = options.during!;
  let over = false;
  const speaking = people.map((person) => speak(person, { ...place, goesOn: () => !over, onSent: () => sleep(paceMs) }));
  try {
    await work(() => people.forEach(({ client }) => client.retryImmediately()));
  } finally {
    over = true;
  }
  return Promise.all(speaking);
}

function bodies(person: Person, count: number): string[] {
  return Array.from({ length: count }, (_, index) => bodyOf(person, index));
}

function bodyOf(person: Person, index: number): string {
  return `${person.userId} says ${index + 1}`;
}

/** Sends one message after another; a send that got no answer is sent again with its transaction ID. Resolves with how many it has sent. */
async function speak(person: Person, how: Place & { goesOn: (index: number) => boolean; onSent: () => Promise<unknown> }): Promise<number> {
  const { client } = person;
  let index = 0;
  for (; how.goesOn(index); index += 1) {
    const body = bodyOf(person, index);
    const txnId = `m${index}`;
    const path = `/rooms/${encodeURIComponent(how.roomId)}/send/m.room.message/${txnId}`;
    for (let tries = 1; ; tries += 1) {
      try {
        // Through the SDK's local echo at first; what failed is repeated as the same request.
        if (tries === 1) await client.sendEvent(how.roomId, 'm.room.message' as never, { msgtype: 'm.text', body } as never, txnId);
        else await client.http.authedRequest(Method.Put, path, undefined, { msgtype: 'm.text', body });
        break;
      } catch (error) {
        if (tries > 200) throw error;
        how.counted.retried += 1;
        await sleep(200);
        client.retryImmediately();
      }
    }
    await how.onSent();
  }
  return index;
}

/** On the wire: every message once, the sends of each in order, no gap, and no second initial sync. */
function checkSeen(person: Person, roomId: string, all: { people: readonly Person[]; expected: readonly string[][] }): void {
  const seen = person.record.messages(roomId);
  assert.equal(new Set(seen.map((event) => event.event_id)).size, seen.length, `${person.userId} got an event twice`);
  for (const [index, sender] of all.people.entries()) {
    const theirs = seen.filter((event) => event.sender === sender.userId).map((event) => event.content.body);
    assert.deepEqual(theirs, all.expected[index], `${person.userId} got the messages of ${sender.userId} once and in order`);
  }
  assert.equal(person.record.initialSyncs, 1, `${person.userId} went on with its old token`);
  assert.equal(person.record.limited(roomId), 0, `${person.userId} got no gap`);
}

/** Redaction, receipts, typing, profile and history, seen by the other one. */
async function checkRest(roomId: string, alice: Person, bob: Person): Promise<void> {
  const target = alice.record.messages(roomId)[0]!;
  const redacted = new Promise<MatrixEvent>((resolve) => bob.client.getRoom(roomId)!.on(RoomEvent.Redaction, (event) => resolve(event)));
  const author = [alice, bob].find((person) => person.userId === target.sender)!;
  await author.client.redactEvent(roomId, target.event_id);
  await within('the redaction', redacted);
  const after = await bob.client.fetchRoomEvent(roomId, target.event_id);
  assert.deepEqual(after.content, {}, 'a redacted event has lost its content');
  const typing = until(() => 'typing', () => alice.record.typing(roomId).includes(bob.userId));
  await bob.client.sendTyping(roomId, true, 20_000);
  await typing;
  const last = bob.client.getRoom(roomId)!.getLiveTimeline().getEvents().findLast((event) => event.getType() === 'm.room.message' && event.status !== EventStatus.NOT_SENT)!;
  await bob.client.sendReadReceipt(last);
  await until(() => 'the receipt', () => alice.record.receipts(roomId).some((one) => one.eventId === last.getId() && one.userId === bob.userId));
  await alice.client.setDisplayName('Alice A.');
  assert.equal((await bob.client.getProfileInfo(alice.userId)).displayname, 'Alice A.');
  const page = await bob.client.createMessagesRequest(roomId, null, 30, 'b' as never);
  assert.equal(page.chunk.length, 30);
  assert.deepEqual((await bob.client.getJoinedRooms()).joined_rooms, [roomId]);
  assert.deepEqual(await alice.client.turnServer(), {}, 'there is no TURN server, which is no error');
  assert.ok((await alice.client.getPushRules()).global.override!.some((rule) => rule.rule_id === '.m.rule.master'));
  await bob.client.leave(roomId);
  await assert.rejects(bob.client.sendTextMessage(roomId, 'from outside'), { errcode: 'M_FORBIDDEN' });
}

if (import.meta.main) {
  const [baseUrl = 'http://127.0.0.1:8008', messages = '1000'] = process.argv.slice(2);
  const report = await chat({ baseUrl, messages: Number(messages) });
  console.log(`${report.messages} messages in ${report.seconds.toFixed(1)} s, each received once and in order by both`);
  process.exit(0);
}
