/**
 * `federation-in`: another server sends messages over TLS, 50 in a transaction, one transaction after the other as the protocol wants it, into a room that a user here follows by /sync: how many a second are there, from the
 * first request until the last one is in a /sync. By one server, and by eight at once with a room each. The messages are signed before the clock starts; the TLS of the sender is in the measurement.
 */
import { performance } from 'node:perf_hooks';
import { newRoom, register, V3, type ApiSession } from '../../test/e2e/api-client.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { startHandPeer, type HandPeer } from '../../test/kit/hand-peer.ts';
import { referenceTo, type EventReference } from '../../pkg/matrix/events/references.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { costOf, type RunningSubject, type Subject } from '../subject.ts';
import type { Figures, Row } from '../workload.ts';

const PDUS = 50;
const WARM_EVENTS = 1000;
const ROOM_VERSION = '12';
const FILTER = JSON.stringify({ room: { timeline: { limit: 50 } }, presence: { types: [] } });
const WAIT_MS_MAX = 120_000;

/** One row for one sending server, one for eight. */
export async function federationInWorkload(subject: Subject, options: { runs: number; events: number }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const servers of [1, 8]) rows.push({ mode: subject.name, what: servers === 1 ? '1 server' : `${servers} servers`, runs: await measure(subject, servers, options) });
  return rows;
}

async function measure(subject: Subject, servers: number, options: { runs: number; events: number }): Promise<Figures[]> {
  const running = await subject.start();
  try {
    const senders = await Promise.all(Array.from({ length: servers }, () => startSender(running)));
    const events = Math.ceil(options.events / servers / PDUS) * PDUS;
    // What is warm is measured.
    await deliver(running, senders, Math.min(events, WARM_EVENTS));
    const runs: Figures[] = [];
    for (let run = 0; run < options.runs; run += 1) runs.push(await deliver(running, senders, events));
    for (const { hand } of senders) hand.close();
    return runs;
  } finally {
    await running.stop();
  }
}

interface Sender {
  readonly hand: HandPeer;
  readonly reader: ApiSession;
  /** The next messages, as transactions, and the ID of the last one. */
  write(count: number): { transactions: unknown[][]; lastId: string };
}

/** A server by hand with a user in a room of a user of the server that is measured. */
async function startSender({ authority, baseUrl, serverName }: RunningSubject): Promise<Sender> {
  const reader = await register(baseUrl);
  const roomId = decodeURIComponent(await newRoom(reader));
  const hand = await startHandPeer({ certificate: authority.issue(['localhost']), authority: authority.cert, target: serverName });
  const joined = await hand.join(roomId, `@sender:${hand.name}`);
  const version = roomVersion(ROOM_VERSION)!;
  let tip: EventReference = referenceTo(joined, version);
  let depth = joined.pdu.depth;
  let number = 0;
  return {
    hand, reader,
    write(count) {
      const transactions: unknown[][] = [];
      let lastId = '';
      for (let index = 0; index < count; index += 1) {
        const built = hand.message(joined, `message ${(number += 1)} ${'x'.repeat(100)}`, { prevEvents: [tip], depth: (depth += 1) });
        tip = referenceTo(built, version);
        lastId = built.eventId;
        if (index % PDUS === 0) transactions.push([]);
        transactions.at(-1)!.push(built.pdu);
      }
      return { transactions, lastId };
    },
  };
}

async function deliver(running: RunningSubject, senders: readonly Sender[], events: number): Promise<Figures> {
  const work = senders.map((sender) => ({ sender, ...sender.write(events) }));
  const since = await Promise.all(senders.map(async ({ reader }) => (await sync(reader, {})).next_batch));
  const total = events * senders.length;
  let seconds = 0;
  const cost = await costOf(running, async () => {
    const began = performance.now();
    await Promise.all(work.flatMap(({ sender, transactions, lastId }, index) => [
      seen(sender.reader, since[index]!, lastId),
      sendAll(sender.hand, transactions),
    ]));
    seconds = (performance.now() - began) / 1000;
    return { events: total };
  });
  return { perSecond: total / seconds, ...cost };
}

async function sendAll(hand: HandPeer, transactions: readonly unknown[][]): Promise<void> {
  for (const pdus of transactions) {
    const { status, body } = await hand.send(pdus);
    const refused = Object.values((body as { pdus?: Record<string, { error?: string }> }).pdus ?? {}).find(({ error }) => error !== undefined);
    if (status !== 200 || refused !== undefined) throw new Error(`a transaction was answered with ${status}: ${JSON.stringify(refused ?? body)}`);
  }
}

interface SyncAnswer {
  readonly next_batch: string;
  readonly rooms?: { readonly join?: Record<string, { readonly timeline: { readonly events: readonly { readonly event_id: string }[] } }> };
}

async function sync(reader: ApiSession, query: Record<string, string>): Promise<SyncAnswer> {
  return await ok(reader.call('GET', `${V3}/sync?${new URLSearchParams({ ...query, filter: FILTER })}`)) as unknown as SyncAnswer;
}

/** Follows /sync until the event has come. */
async function seen(reader: ApiSession, from: string, eventId: string): Promise<void> {
  const end = performance.now() + WAIT_MS_MAX;
  for (let since = from; performance.now() < end;) {
    const answer = await sync(reader, { since, timeout: '10000' });
    since = answer.next_batch;
    if (Object.values(answer.rooms?.join ?? {}).some(({ timeline }) => timeline.events.some((event) => event.event_id === eventId))) return;
  }
  throw new Error(`${eventId} did not come within ${WAIT_MS_MAX / 1000} s`);
}
