/** A rolling redeploy: each process of every role gets SIGTERM and is started again, in turn, while clients send and sync through the front. No request fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newRoom, readMessages, register, V3, type Answer, type ApiSession } from '../e2e/api-client.ts';
import { instancesMissing, startInstances, type BrokerName } from './instances.ts';

const SENDERS = 4;
const PACE_MS = 20;
const BETWEEN_MS = 500;
/** While a partition changes hands its sends wait. */
const SEND_MS_MAX = 5000;

for (const broker of ['NATS', 'Kafka'] as const) {
  const missing = instancesMissing(broker);
  test(`no request fails while every process is redeployed, on ${broker} and PostgreSQL`, { skip: missing ?? false, timeout: 240_000 }, async (t) => {
    for (const line of await redeploy(broker, (end) => t.after(end))) t.diagnostic(line);
  });
}

interface Traffic {
  over: boolean;
  readonly failures: string[];
  /** Of all sends, ms. */
  readonly sendMs: number[];
  /** By room: the bodies that were acknowledged. */
  readonly acknowledged: Map<string, string[]>;
  syncs: number;
}

async function redeploy(broker: BrokerName, atEnd: (end: () => Promise<void>) => void): Promise<string[]> {
  const instances = await startInstances(broker);
  atEnd(() => instances.stop());
  const traffic: Traffic = { over: false, failures: [], sendMs: [], acknowledged: new Map(), syncs: 0 };
  const work: Promise<void>[] = [];
  const rooms: { of: ApiSession; room: string }[] = [];
  for (let count = 0; count < SENDERS; count += 1) {
    const of = await register(instances.baseUrl);
    const room = await newRoom(of);
    rooms.push({ of, room });
    work.push(keepSending(of, room, traffic), keepPosting(of, room, traffic), keepSyncing(of, room, traffic));
  }
  const stops: string[] = [];
  // On Kafka, where each takes longer, one instance of every role.
  for (const { name, program } of broker === 'NATS' ? instances.all : instances.all.filter(({ name }) => name.endsWith('-1'))) {
    const startedAt = performance.now();
    assert.equal(await program.stop(), 0, `${name}: ${program.output().slice(-2000)}`);
    const stopMs = performance.now() - startedAt;
    await program.restart();
    await sleep(BETWEEN_MS);
    stops.push(`${name} stopped in ${(stopMs / 1000).toFixed(2)} s, longest send meanwhile ${Math.round(Math.max(...traffic.sendMs.splice(0)))} ms`);
  }
  traffic.over = true;
  await Promise.all(work);
  assert.deepEqual(traffic.failures, []);
  let messages = 0;
  for (const { of, room } of rooms) {
    const stored = (await readMessages(of, room)).map(({ body }) => body);
    assert.deepEqual(stored, traffic.acknowledged.get(room), 'what was acknowledged is there, once and in order');
    messages += stored.length;
  }
  return [...stops, `${messages} sends and ${traffic.syncs} syncs, none failed`];
}

async function keepSending(of: ApiSession, room: string, traffic: Traffic): Promise<void> {
  const acknowledged: string[] = [];
  traffic.acknowledged.set(room, acknowledged);
  for (let number = 0; !traffic.over; number += 1) {
    const startedAt = performance.now();
    await ask(traffic, 'send', () => of.call('PUT', `${V3}/rooms/${room}/send/m.room.message/${number}`, { msgtype: 'm.text', body: String(number) }));
    acknowledged.push(String(number));
    const tookMs = performance.now() - startedAt;
    traffic.sendMs.push(tookMs);
    if (tookMs > SEND_MS_MAX) traffic.failures.push(`a send took ${Math.round(tookMs)} ms`);
    await sleep(PACE_MS);
  }
}

/** What a front may not send twice. */
async function keepPosting(of: ApiSession, room: string, traffic: Traffic): Promise<void> {
  for (; !traffic.over; await sleep(PACE_MS)) await ask(traffic, 'read_markers', () => of.call('POST', `${V3}/rooms/${room}/read_markers`, {}));
}

/** Long polls; each goes on from the one before, and all messages come, without a gap. */
async function keepSyncing(of: ApiSession, room: string, traffic: Traffic): Promise<void> {
  let next = 0;
  for (let since = ''; !traffic.over;) {
    const answer = await ask(traffic, 'sync', () => of.call('GET', `${V3}/sync?timeout=${since === '' ? 0 : 5000}${since}`));
    if (answer === undefined) continue;
    const { timeline } = answer.body.rooms?.join?.[decodeURIComponent(room)] ?? {};
    if (since !== '' && timeline?.limited === true) traffic.failures.push('a gap in a sync');
    for (const event of timeline?.events ?? []) {
      if (event.type !== 'm.room.message') continue;
      if (since !== '' && Number(event.content.body) !== next) traffic.failures.push(`a sync gave ${event.content.body} instead of ${next}`);
      next = Number(event.content.body) + 1;
    }
    since = `&since=${answer.body.next_batch}`;
    traffic.syncs += 1;
  }
}

async function ask(traffic: Traffic, what: string, request: () => Promise<Answer>): Promise<Answer | undefined> {
  const answer = await request().catch((error: unknown) => String(error));
  if (typeof answer !== 'string' && answer.status === 200) return answer;
  traffic.failures.push(`${what}: ${typeof answer === 'string' ? answer : `${answer.status} ${JSON.stringify(answer.body)}`}`.slice(0, 300));
  return undefined;
}
