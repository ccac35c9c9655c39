/**
 * `federation-in`: another server sends messages over TLS, 50 in a transaction, one transaction after the other as the protocol wants it, into a room that a user here follows by /sync: how many a second are there, from the
 * first request until the last one is in a /sync. By one server, and by eight at once with a room each. The messages are signed before the clock starts; the TLS of the sender is in the measurement.
 */
import { performance } from 'node:perf_hooks';
import { register, V3, type ApiSession } from '../../test/e2e/api-client.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { startHandPeer, type HandPeer } from '../../test/kit/hand-peer.ts';
import { referenceTo, type EventReference } from '../../pkg/matrix/events/references.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { costOf, type RunningSubject, type Subject } from '../subject.ts';
import type { Figures, Row } from '../workload.ts';

const PDUS = 50;
const WARM_EVENTS = 1000;
/** Another server takes a hundred times as long: so it gets fewer events. */
const OTHERS_SHARE = 20;
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
    const load = subject.isMyelin ? { events: options.events, unseenMax: Infinity } : { events: options.events / OTHERS_SHARE, unseenMax: PDUS };
    const senders: Sender[] = [];
    while (senders.length < servers) senders.push(await startSender(running));
    const events = Math.ceil(load.events / servers / PDUS) * PDUS;
    // What is warm is measured.
    await deliver(running, senders, { ...load, events: Math.min(events, WARM_EVENTS) });
    const runs: Figures[] = [];
    for (let run = 0; run < options.runs; run += 1) runs.push(await deliver(running, senders, { ...load, events }));
    for (const { hand } of senders) hand.close();
    return runs;
  } finally {
    await running.stop();
  }
}

interface Sender {
  readonly hand: HandPeer;
  readonly reader: ApiSession;
  /** The next messages, as transactions; each has its number in its body. */
  write(count: number): { transactions: unknown[][]; firstNumber: number };
}

/** A server by hand with a user in a room of a user of the server that is measured. */
async function startSender({ authority, baseUrl, serverName }: RunningSubject): Promise<Sender> {
  const reader = await register(baseUrl);
  const { room_id: roomId } = await ok(reader.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: ROOM_VERSION })) as { room_id: string };
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
      const firstNumber = number + 1;
      for (let index = 0; index < count; index += 1) {
        const built = hand.message(joined, `message ${(number += 1)} ${'x'.repeat(100)}`, { prevEvents: [tip], depth: (depth += 1) });
        tip = referenceTo(built, version);
        if (index % PDUS === 0) transactions.push([]);
        transactions.at(-1)!.push(built.pdu);
      }
      return { transactions, firstNumber };
    },
  };
}

/**
 * `unseenMax`: a transaction is sent when so few messages are under way to the reader. Synapse drops what waits when that is more than 100 events of a room, and asks for it again; one that is sent the next
 * transaction only when the one before has arrived does not have to.
 */
async function deliver(running: RunningSubject, senders: readonly Sender[], { events, unseenMax }: { events: number; unseenMax: number }): Promise<Figures> {
  const work = await Promise.all(senders.map(async (sender) => ({ sender, ...sender.write(events), since: (await sync(sender.reader, {})).next_batch })));
  const total = events * senders.length;
  let seconds = 0;
  const cost = await costOf(running, async () => {
    const began = performance.now();
    await Promise.all(work.map(async ({ sender, transactions, firstNumber, since }) => {
      const progress = follow(sender.reader, { since, first: firstNumber, last: firstNumber + events - 1 });
      for (const [index, pdus] of transactions.entries()) {
        await progress.reached(firstNumber + index * PDUS - 1 - (unseenMax - PDUS));
        await sendOne(sender.hand, pdus);
      }
      await progress.end;
    }));
    seconds = (performance.now() - began) / 1000;
    return { events: total };
  });
  return { perSecond: total / seconds, ...cost };
}

async function sendOne(hand: HandPeer, pdus: readonly unknown[]): Promise<void> {
  const { status, body } = await hand.send(pdus);
  const refused = Object.values((body as { pdus?: Record<string, { error?: string }> }).pdus ?? {}).find(({ error }) => error !== undefined);
  if (status !== 200 || refused !== undefined) throw new Error(`a transaction was answered with ${status}: ${JSON.stringify(refused ?? body)}`);
}

interface SyncAnswer {
  readonly next_batch: string;
  readonly rooms?: { readonly join?: Record<string, { readonly timeline: { readonly events: readonly { readonly content: { readonly body?: string } }[] } }> };
}

async function sync(reader: ApiSession, query: Record<string, string>): Promise<SyncAnswer> {
  return await ok(reader.call('GET', `${V3}/sync?${new URLSearchParams({ ...query, filter: FILTER })}`)) as unknown as SyncAnswer;
}

/** Follows /sync until the message with the number `last` has come; on the way, says when others have. Those before `first` had come before. */
function follow(reader: ApiSession, { since, first, last }: { since: string; first: number; last: number }): { reached(number: number): Promise<void>; end: Promise<void> } {
  let seen = first - 1;
  let waiting: { number: number; resolve: () => void }[] = [];
  const read = async (): Promise<void> => {
    const endsAt = performance.now() + WAIT_MS_MAX;
    for (let from = since; seen < last; ) {
      if (performance.now() > endsAt) throw new Error(`message ${last} did not come within ${WAIT_MS_MAX / 1000} s`);
      const answer = await sync(reader, { since: from, timeout: '10000' });
      from = answer.next_batch;
      for (const { timeline } of Object.values(answer.rooms?.join ?? {})) for (const { content } of timeline.events) seen = Math.max(seen, Number(/^message (\d+) /.exec(content.body ?? '')?.[1] ?? 0));
      for (const one of waiting) if (one.number <= seen) one.resolve();
      waiting = waiting.filter(({ number }) => number > seen);
    }
  };
  return {
    reached: (number) => (number <= seen ? Promise.resolve() : new Promise((resolve) => void waiting.push({ number, resolve }))),
    end: read(),
  };
}
