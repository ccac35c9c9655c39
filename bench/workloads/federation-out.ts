/**
 * `federation-out`: a room with a member of each of 200 other servers, who take what they are sent over TLS: how many messages of users here are a second with all of them, and what each costs for each
 * server. The receiving servers are in the load driver and share the cores.
 */
import { performance } from 'node:perf_hooks';
import { register, V3 } from '../../test/e2e/api-client.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { startHandPeer, type HandPeer } from '../../test/kit/hand-peer.ts';
import { costOf, type RunningSubject, type Subject } from '../subject.ts';
import type { Figures, Row } from '../workload.ts';
import { sendWhile } from './local-sends.ts';

const SENDERS = 4;
const JOINING_AT_ONCE = 8;
const WARM_EVENTS = 10;
const WAIT_MS_MAX = 300_000;

export async function federationOutWorkload(subject: Subject, options: { runs: number; destinations: number; events: number }): Promise<Row[]> {
  const running = await subject.start();
  const crowd = new Receivers();
  try {
    const sender = await register(running.baseUrl);
    const { room_id: roomId } = await ok(sender.call('POST', `${V3}/createRoom`, { preset: 'public_chat', room_version: '11' })) as { room_id: string };
    await crowd.gather(running, roomId, options.destinations);
    const places = Array.from({ length: SENDERS }, () => ({ token: sender.token, roomId }));
    const run = (events: number): Promise<Figures> => measure(running, crowd, (): Promise<unknown> => sendWhile(running.baseUrl, places, (sent) => sent < events - SENDERS + 1));
    await run(WARM_EVENTS);
    const runs: Figures[] = [];
    for (let number = 0; number < options.runs; number += 1) runs.push(await run(options.events));
    return [{ mode: subject.name, what: `${options.destinations} servers`, runs }];
  } finally {
    crowd.close();
    await running.stop();
  }
}

async function measure(running: RunningSubject, crowd: Receivers, send: () => Promise<unknown>): Promise<Figures> {
  let [seconds, transactions, events] = [0, 0, 0];
  const cost = await costOf(running, async () => {
    const began = performance.now();
    const before = crowd.taken();
    events = ((await send()) as { sends: number }).sends;
    await crowd.untilEachHas(events);
    seconds = (performance.now() - began) / 1000;
    transactions = crowd.taken() - before;
    return { events };
  });
  const servers = crowd.size;
  return {
    perSecond: events / seconds, deliveriesPerSecond: (events * servers) / seconds, ...cost, cpuMsPerDelivery: cost.cpuMsPerEvent / servers,
    eventsATransaction: (events * servers) / transactions,
  };
}

/** The other servers. Each counts the messages that it was sent. */
class Receivers {
  readonly #peers: HandPeer[] = [];
  readonly #had: Set<string>[] = [];
  #expected = 0;
  #transactions = 0;
  #whole: () => void = () => undefined;

  get size(): number {
    return this.#peers.length;
  }

  /** Transactions so far. */
  taken(): number {
    return this.#transactions;
  }

  async gather({ authority, serverName }: RunningSubject, roomId: string, count: number): Promise<void> {
    const certificate = authority.issue(['localhost']);
    let next = 0;
    await Promise.all(Array.from({ length: JOINING_AT_ONCE }, async () => {
      while (next < count) {
        next += 1;
        const peer = await startHandPeer({ certificate, authority: authority.cert, target: serverName });
        this.#take(peer);
        await peer.join(roomId, `@member:${peer.name}`);
      }
    }));
  }

  /** Since the last call, or the beginning. */
  async untilEachHas(events: number): Promise<void> {
    this.#expected = events;
    if (this.#isWhole()) return this.#forget();
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#whole = () => void (this.#isWhole() && resolve());
      timer = setTimeout(() => reject(new Error(`after ${WAIT_MS_MAX / 1000} s, ${this.#had.filter((had) => had.size < events).length} servers do not have all messages`)), WAIT_MS_MAX);
    });
    clearTimeout(timer);
    this.#forget();
  }

  close(): void {
    for (const peer of this.#peers) peer.close();
  }

  #isWhole(): boolean {
    return this.#had.every((had) => had.size >= this.#expected);
  }

  #forget(): void {
    this.#whole = () => undefined;
    for (const had of this.#had) had.clear();
  }

  #take(peer: HandPeer): void {
    const had = new Set<string>();
    this.#peers.push(peer);
    this.#had.push(had);
    peer.answer = (request, body, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.method !== 'PUT') return void response.writeHead(404).end('{"errcode":"M_NOT_FOUND"}');
      this.#transactions += 1;
      const { pdus = [] } = JSON.parse(body.toString()) as { pdus?: { type: string; content: { body?: string } }[] };
      for (const { type, content } of pdus) if (type === 'm.room.message') had.add(content.body ?? '');
      response.end('{"pdus":{}}');
      this.#whole();
    };
  }
}
