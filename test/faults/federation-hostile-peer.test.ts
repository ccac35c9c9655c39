/**
 * Servers that are slow, silent, gone, answer garbage, gigabytes, redirects without end or JSON without bottom, lie about signatures, ask in others' names, and flood a user with invites, all at
 * once, over TLS: they cost bounded memory, and neither those who speak in other rooms nor a good server there waits for them. MYELIN_HOSTILE=full has 10,000 invites and a minute of it; the
 * figures are printed either way.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { register, V3, type ApiSession } from '../e2e/api-client.ts';
import { ok } from '../e2e/federation-rooms.ts';
import { neighbourhood, type Neighbourhood, type Peer } from '../e2e/peers.ts';
import { startHandPeer, type HandPeer } from '../kit/hand-peer.ts';
import type { AttackCounts, HostileSettings, Kind } from './hostile-peers.ts';

const IS_FULL = process.env['MYELIN_HOSTILE'] === 'full';
const QUIET_MS = IS_FULL ? 15_000 : 2000;
const ATTACK_MS = IS_FULL ? 60_000 : 7000;
const INVITES = IS_FULL ? 10_000 : 1500;
const SEND_EVERY_MS = 50;
/** Machines differ, and disks; who waited for hostile servers would wait for their deadlines, of 10,000 ms and more. */
const P99_MS_MAX = 8000;
/** It has its keys asked for, behind those of servers that never answer: without places of its own it waits for their deadlines, one after the other. */
const NEWCOMER_MS_MAX = 14_000;
/** A machine that is busy with other things, which the quiet time shows, is given more. */
const ALLOWANCE = 20;
const GROWTH_MB_MAX = 600;
const PROGRAM = join(import.meta.dirname, 'hostile-peers.ts');

interface Latencies {
  readonly sends: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

interface Measured {
  readonly sent: Latencies;
  /** From the beginning of a send until the good server has it. */
  readonly delivered: Latencies;
  readonly lost: number;
}

test('hostile servers cost bounded memory and delay nobody else', { timeout: 300_000 }, async (t) => {
  const place = neighbourhood();
  t.after(() => place.stop());
  const victim = await place.start('Myelin', { env: { MYELIN_FEDERATION_IP_ALLOWED: '127.0.0.0/8,::1', MYELIN_RATE_LIMITS: 'on', MYELIN_RATE_LIMIT_CLASSES: 'message=1000/1000,room-creation=100/100,lookup=1000/1000' } });
  const [alice, bait] = [await register(victim.baseUrl, 'alice'), await register(victim.baseUrl, 'bait')];
  const good = await goodServer(t, place, victim);
  const room = await newRoom(alice);
  await good.peer.join(room, `@bob:${good.peer.name}`);
  const hostile = await startHostile(t, place, { target: victim.serverName, victim: bait.userId, invites: INVITES });
  const traps = await Promise.all(Object.keys(hostile.names).map(() => newRoom(bait)));
  await hostile.order(`join ${traps.join(',')}`);

  // The same work with servers that are honest still: what is left is what their hostility costs.
  const stirring = stir(bait, traps, Object.values(hostile.names));
  const quiet = await withCpu(victim.pid!, () => measure(alice, good, { room, ms: QUIET_MS }));
  const memory = watchMemory(victim.pid!);
  await hostile.order('attack');
  const [attacked, newcomerMs] = await Promise.all([withCpu(victim.pid!, () => measure(alice, good, { room, ms: ATTACK_MS })), newcomer(t, place, { victim, room })]);
  await stirring.stop();
  const counts = await hostile.stop();
  const grownMb = memory.stop();

  t.diagnostic(JSON.stringify({ quiet, attacked, newcomerMs, memory: { beforeMb: memory.beforeMb, grownMb }, counts, stirred: stirring.counts }));
  assert.ok(counts.gaps > 10 && counts.lies > 0 && counts.strangers > 50, 'there was an attack');
  assert.ok(Object.values(counts.invites).reduce((sum, count) => sum + count, 0) > 100, 'there was a flood');
  assert.equal(attacked.lost + quiet.lost, 0, 'the good server was sent everything');
  assert.ok(attacked.sent.p99 < P99_MS_MAX, `sends took ${attacked.sent.p99} ms (p99)`);
  assert.ok(attacked.delivered.p99 < P99_MS_MAX, `deliveries to a good server took ${attacked.delivered.p99} ms (p99)`);
  assert.ok(newcomerMs < NEWCOMER_MS_MAX + ALLOWANCE * quiet.sent.p99, `a good server that nobody had met needed ${newcomerMs} ms to join`);
  assert.ok(grownMb < GROWTH_MB_MAX, `memory grew by ${grownMb} MB`);
});

async function newRoom(of: ApiSession): Promise<string> {
  return (await ok(of.call('POST', `${V3}/createRoom`, { preset: 'public_chat' }))).room_id as string;
}

interface Good {
  readonly peer: HandPeer;
  /** When it got the message with this text, by `performance.now()`. */
  readonly heard: ReadonlyMap<string, number>;
}

async function goodServer(t: TestContext, { authority }: Neighbourhood, { serverName: target }: Peer): Promise<Good> {
  const peer = await startHandPeer({ certificate: authority.issue(['localhost']), authority: authority.cert, target });
  t.after(() => peer.close());
  const heard = new Map<string, number>();
  peer.answer = (_request, body, response) => {
    const { pdus = [] } = JSON.parse(body.toString() || '{}') as { pdus?: { content: { body?: string } }[] };
    for (const { content } of pdus) if (content.body !== undefined) heard.set(content.body, performance.now());
    response.end('{"pdus":{}}');
  };
  return { peer, heard };
}

/** Adds what share of a core a process took meanwhile: tells a busy server from a busy machine. */
async function withCpu<T extends object>(pid: number, work: () => Promise<T>): Promise<T & { cores: number }> {
  const ticks = (): number => {
    const [, utime = '0', stime = '0'] = /\) (?:\S+ ){11}(\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return Number(utime) + Number(stime);
  };
  const [before, startedAt] = [ticks(), performance.now()];
  const result = await work();
  return { ...result, cores: Math.round(((ticks() - before) * 1000) / (performance.now() - startedAt)) / 100 };
}

/** Sends at a steady pace, whether or not the sends before have been answered. */
async function measure(alice: ApiSession, { heard }: Good, { room, ms }: { room: string; ms: number }): Promise<Measured> {
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

/** How long a server that the victim has never met needs for its first join, in the midst of it, in ms. */
async function newcomer(t: TestContext, place: Neighbourhood, { victim, room }: { victim: Peer; room: string }): Promise<number> {
  await sleep(ATTACK_MS / 2);
  const { peer } = await goodServer(t, place, victim);
  const startedAt = performance.now();
  await peer.join(room, `@carol:${peer.name}`);
  return Math.round(performance.now() - startedAt);
}

/** Gives the victim reasons to ask and tell the hostile servers: messages into their rooms, profiles of their users. */
function stir(bait: ApiSession, rooms: readonly string[], names: readonly string[]): { counts: Record<string, number>; stop(): Promise<void> } {
  const counts: Record<string, number> = {};
  let isOver = false;
  const work = async (name: string, index: number): Promise<void> => {
    for (let turn = 0; !isOver; turn += 1) {
      await ok(bait.call('PUT', `${V3}/rooms/${encodeURIComponent(rooms[index]!)}/send/m.room.message/${index}-${turn}`, { msgtype: 'm.text', body: 'hello?' }));
      const aside = bait.call('GET', `${V3}/profile/${encodeURIComponent(`@x:${name}`)}`).then(({ status }) => { counts[status] = (counts[status] ?? 0) + 1; });
      await Promise.race([aside, sleep(1000)]);
    }
  };
  const all = Promise.all(names.map(work));
  return { counts, stop: async () => { isOver = true; await all; } };
}

/** Resident memory of a process, as it grows from now on. */
function watchMemory(pid: number): { readonly beforeMb: number; stop(): number } {
  const residentMb = (): number => Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  const beforeMb = residentMb();
  let peakMb = beforeMb;
  const timer = setInterval(() => { peakMb = Math.max(peakMb, residentMb()); }, 50);
  return { beforeMb, stop() { clearInterval(timer); return peakMb - beforeMb; } };
}

interface Hostile {
  readonly names: Record<Kind, string>;
  order(text: string): Promise<void>;
  stop(): Promise<AttackCounts>;
}

async function startHostile(t: TestContext, { authority }: Neighbourhood, about: Pick<HostileSettings, 'target' | 'victim' | 'invites'>): Promise<Hostile> {
  const settings: HostileSettings = { ...about, ...authority.issue(['localhost']), authority: authority.cert };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(settings)], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => void child.kill('SIGKILL'));
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
  };
}
