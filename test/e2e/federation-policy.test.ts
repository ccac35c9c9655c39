/** Two Myelins and a policy server over TLS, which signs, refuses, is silent, lies, and is gone. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { SPAM, startPolicyServer } from '../kit/policy-server.ts';
import { readMessages, register, V3, type Answer, type ApiSession } from './api-client.ts';
import { neighbourhood } from './peers.ts';

const VERSION = '12';
/** What a send into the room may take at most, whatever its policy server does. */
const SEND_MS_MAX = 5000;
const OTHER_SENDS = 100;

let txn = 0;
const say = (who: ApiSession, room: string, body: string): Promise<Answer> => who.call('PUT', `${V3}/rooms/${room}/send/m.room.message/t${(txn += 1)}`, { msgtype: 'm.text', body });

async function made(answer: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await answer;
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const bodiesOf = async (who: ApiSession, room: string): Promise<string[]> => (await readMessages(who, room)).map(({ body }) => body);

/** Milliseconds of sends into a room without a policy server, one after the other: the 99th of a hundred. */
async function p99(who: ApiSession, room: string): Promise<number> {
  const took: number[] = [];
  for (let count = 0; count < OTHER_SENDS; count += 1) {
    const from = performance.now();
    await made(say(who, room, `${count}`));
    took.push(performance.now() - from);
  }
  return took.sort((a, b) => a - b)[Math.floor(OTHER_SENDS * 0.99) - 1]!;
}

test('a room with a policy server, on two servers', { timeout: 120_000 }, async (t) => {
  const place = neighbourhood();
  t.after(() => place.stop());
  const policy = await startPolicyServer(place.authority);
  let isGone = false;
  t.after(() => (isGone ? undefined : policy.close()));
  const [a, b] = await Promise.all([place.start('Myelin'), place.start('Myelin')]);
  const [alice, bob] = [await register(a.baseUrl), await register(b.baseUrl)];
  const { room_id: roomId } = await made(alice.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: VERSION })) as { room_id: string };
  const room = encodeURIComponent(roomId);
  await made(bob.call('POST', `${V3}/join/${room}?via=${encodeURIComponent(a.serverName)}`, {}));
  await policy.join(a, roomId, VERSION);
  const policyState = (content: object) => alice.call('PUT', `${V3}/rooms/${room}/state/m.room.policy/`, content);
  await made(policyState(policy.content));

  await t.test('it signs: the event goes to the other server with its signature, which need not ask again', async () => {
    const { event_id: eventId } = await made(say(alice, room, 'signed')) as { event_id: string };
    await eventually('b has it', async () => (await bodiesOf(bob, room)).includes('signed'));
    assert.deepEqual(policy.askedBy, [a.serverName]);
    const { body } = await policy.ask(b, 'GET', `/_matrix/federation/v1/event/${encodeURIComponent(eventId)}`);
    const [pdu] = body['pdus'] as { signatures: Record<string, object> }[];
    assert.deepEqual(Object.keys(pdu!.signatures[policy.name]!), ['ed25519:policy_server']);
    await made(say(bob, room, 'and back'));
    await eventually('a has it', async () => (await bodiesOf(alice, room)).includes('and back'));
    assert.deepEqual(policy.askedBy, [a.serverName, b.serverName]);
  });

  await t.test('it refuses: the client is told in its words; a wrong signature is an error, too', async () => {
    policy.mood = 'refuses';
    const refused = await say(alice, room, 'SPAM');
    assert.deepEqual([refused.status, refused.body], [403, SPAM]);
    policy.mood = 'lies';
    assert.deepEqual(await say(alice, room, 'lie').then(({ status, body }) => [status, body.errcode]), [502, 'M_UNKNOWN']);
    policy.mood = 'signs';
    await made(say(alice, room, 'after'));
    await eventually('b has what came after', async () => (await bodiesOf(bob, room)).includes('after'));
    for (const who of [alice, bob]) assert.deepEqual((await bodiesOf(who, room)).filter((body) => body === 'SPAM' || body === 'lie'), []);
  });

  await t.test('an event that comes without its signature is asked for by each server, or not shown', async () => {
    const send = async (body: string) => {
      const { pdu } = await policy.event(a, roomId, VERSION, { type: 'm.room.message', content: { msgtype: 'm.text', body } });
      for (const to of [a, b]) assert.equal((await policy.ask(to, 'PUT', `/_matrix/federation/v1/send/${body}`, { origin: policy.name, origin_server_ts: Date.now(), pdus: [pdu] })).status, 200);
    };
    const before = policy.askedBy.length;
    await send('unsigned');
    for (const who of [alice, bob]) await eventually('it is shown', async () => (await bodiesOf(who, room)).includes('unsigned'));
    assert.deepEqual(policy.askedBy.slice(before).sort(), [a.serverName, b.serverName].sort());
    policy.mood = 'refuses';
    await send('refused');
    await eventually('both have asked', () => Promise.resolve(policy.askedBy.length >= before + 4));
    policy.mood = 'signs';
    await send('later');
    for (const who of [alice, bob]) await eventually('what came later is shown', async () => (await bodiesOf(who, room)).includes('later'));
    for (const who of [alice, bob]) assert.ok(!(await bodiesOf(who, room)).includes('refused'));
  });

  await t.test('it is silent: sends into its room fail in time, other rooms do not notice, and it can be put out of office', async (context) => {
    const other = encodeURIComponent((await made(alice.call('POST', `${V3}/createRoom`, { room_version: VERSION })) as { room_id: string }).room_id);
    const usual = await p99(alice, other);
    policy.mood = 'silent';
    let running = true;
    const slowest: number[] = [];
    const senders = Array.from({ length: 20 }, async () => {
      while (running) {
        const from = performance.now();
        const { status, body } = await say(alice, room, 'anybody?');
        slowest.push(performance.now() - from);
        assert.deepEqual([status, body.errcode], [504, 'M_UNKNOWN']);
      }
    });
    await sleep(200);
    const meanwhile = await p99(alice, other);
    running = false;
    await Promise.all(senders);
    assert.ok(Math.max(...slowest) < SEND_MS_MAX, `a send took ${Math.max(...slowest)} ms`);
    context.diagnostic(`p99 of ${OTHER_SENDS} sends into another room: ${usual.toFixed(1)} ms, with 20 waiting senders at a silent policy server ${meanwhile.toFixed(1)} ms; they were told after ${Math.max(...slowest).toFixed(0)} ms at most`);
    assert.ok(meanwhile < Math.max(10 * usual, 500), `${meanwhile} ms instead of ${usual} ms`);
    const from = performance.now();
    await made(policyState({}));
    await made(say(alice, room, 'without'));
    assert.ok(performance.now() - from < 2000);
    await eventually('b has it', async () => (await bodiesOf(bob, room)).includes('without'));
  });

  await t.test('it is gone: sends fail at once', async () => {
    policy.mood = 'signs';
    await made(policyState(policy.content));
    await made(say(alice, room, 'signed again'));
    await policy.close();
    isGone = true;
    const from = performance.now();
    assert.deepEqual(await say(alice, room, 'gone').then(({ status, body }) => [status, body.errcode]), [502, 'M_UNKNOWN']);
    assert.ok(performance.now() - from < SEND_MS_MAX);
  });
});
