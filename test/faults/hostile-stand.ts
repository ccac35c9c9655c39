/** Hostile servers, a good one beside them, and what both do to a server that federates with all of them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { V3, type ApiSession } from '../e2e/api-client.ts';
import { ok } from '../e2e/federation-rooms.ts';
import type { Authority } from '../kit/certificates.ts';
import { startHandPeer, type HandPeer } from '../kit/hand-peer.ts';
import type { AttackCounts, HostileSettings, Kind } from './hostile-kinds.ts';

/** Settings of the server that is attacked. */
export const VICTIM_ENV = { MYELIN_FEDERATION_IP_ALLOWED: '127.0.0.0/8,::1', MYELIN_RATE_LIMITS: 'on', MYELIN_RATE_LIMIT_CLASSES: 'message=1000/1000,room-creation=100/100,lookup=1000/1000' };
const SEND_EVERY_MS = 50;
/** Of one server: what is measured is what hostility costs, not what as many messages as there is time for cost. */
const STIR_EVERY_MS = 100;
const PROGRAM = join(import.meta.dirname, 'hostile-peers.ts');

export interface Latencies {
  readonly sends: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Measured {
  readonly sent: Latencies;
  /** From the beginning of a send until the good server has it. */
  readonly delivered: Latencies;
  readonly lost: number;
}

export async function newRoom(of: ApiSession): Promise<string> {
  return (await ok(of.call('POST', `${V3}/createRoom`, { preset: 'public_chat' }))).room_id as string;
}

export interface Good {
  readonly peer: HandPeer;
  /** When it got the message with this text, by `performance.now()`. */
  readonly heard: ReadonlyMap<string, number>;
}

/** `target`: name of the server that it federates with. */
export async function goodServer(authority: Authority, target: string): Promise<Good> {
  const peer = await startHandPeer({ certificate: authority.issue(['localhost']), authority: authority.cert, target });
  const heard = new Map<string, number>();
  peer.answer = (_request, body, response) => {
    const { pdus = [] } = JSON.parse(body.toString() || '{}') as { pdus?: { content: { body?: string } }[] };
    for (const { content } of pdus) if (content.body !== undefined) heard.set(content.body, performance.now());
    response.end('{"pdus":{}}');
  };
  return { peer, heard };
}

/** Sends at a steady pace, whether or not the sends before have been answered. */
export async function measure(alice: ApiSession, { heard }: Good, { room, ms }: { room: string; ms: number }): Promise<Measured> {
  const sent: number[] = [];
  const begun = new Map<string, number>();
  const path = `${V3}/rooms/${encodeURIComponent(room)}/send/m.room.message`;
  const sends: Promise<void>[] = [];
  for (const endsAt = performance.now() + ms; performance.now() < endsAt; await sleep(SEND_EVERY_MS)) {
    const body = `message ${performance.now()}`;
    const startedAt = performance.now();
    begun.set(body, startedAt);
    sends.push(ok(alice.call('PUT', `${path}/${encodeURIComponent(body)}`, { msgtype: 'm.text', body })).then(() => void sent.push(performance.now() - startedAt)));
  }
  await Promise.all(sends);
  for (const endsAt = performance.now() + 10_000; performance.now() < endsAt && [...begun.keys()].some((body) => !heard.has(body));) await sleep(20);
  const delivered = [...begun].flatMap(([body, at]) => (heard.has(body) ? [heard.get(body)! - at] : []));
  return { sent: summary(sent), delivered: summary(delivered), lost: begun.size - delivered.length };
}

function summary(values: readonly number[]): Latencies {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  return { sends: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Gives the victim reasons to ask and tell the hostile servers: messages into their rooms, profiles of their users. */
export function stir(bait: ApiSession, rooms: readonly string[], names: readonly string[]): { counts: Record<string, number>; stop(): Promise<void> } {
  const counts: Record<string, number> = {};
  let isOver = false;
  const work = async (name: string, index: number): Promise<void> => {
    for (let turn = 0; !isOver; turn += 1) {
      await ok(bait.call('PUT', `${V3}/rooms/${encodeURIComponent(rooms[index]!)}/send/m.room.message/${index}-${turn}`, { msgtype: 'm.text', body: 'hello?' }));
      const aside = bait.call('GET', `${V3}/profile/${encodeURIComponent(`@x:${name}`)}`).then(({ status }) => { counts[status] = (counts[status] ?? 0) + 1; }).catch(() => undefined);
      await Promise.all([Promise.race([aside, sleep(1000)]), sleep(STIR_EVERY_MS)]);
    }
  };
  const all = Promise.all(names.map(work));
  // Who stops hears of it; when the server has ended before, what went wrong there is the news.
  all.catch(() => undefined);
  return { counts, stop: async () => { isOver = true; await all; } };
}

export interface Hostile {
  readonly names: Record<Kind, string>;
  order(text: string): Promise<void>;
  stop(): Promise<AttackCounts>;
  kill(): void;
}

export async function startHostile(authority: Authority, about: Pick<HostileSettings, 'target' | 'victim' | 'invites'>): Promise<Hostile> {
  const settings: HostileSettings = { ...about, ...authority.issue(['localhost']), authority: authority.cert };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    assert.ok(done !== true, 'the hostile servers have gone');
    return JSON.parse(value as string) as unknown;
  };
  const names = (await answer()) as Record<Kind, string>;
  return {
    names,
    async order(text) {
      child.stdin.write(`${text}\n`);
      await answer();
    },
    async stop() {
      child.stdin.write('stop\n');
      return (await answer()) as AttackCounts;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
