/**
 * `send`: messages of about 700 bytes by 1, 16, 64 and 256 connections (8 users in 8 rooms, each connection its own sender loop), and the time from the start of a send
 * until another user's waiting /sync has it.
 */
import { performance } from 'node:perf_hooks';
import type { Mode } from '../../test/e2e/modes.ts';
import { Connection } from '../http-client.ts';
import { median, quantile } from '../statistics.ts';
import { costOf, meterOf, type Meter, type Subject } from '../subject.ts';
import type { Row } from '../workload.ts';

export interface Sends {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the server's processes. */
  readonly cpuMsPerEvent: number;
  readonly withDatabaseCpuMsPerEvent: number;
  /** Resident memory of the server's processes. */
  readonly peakMb: number;
}

interface Account {
  readonly token: string;
  readonly userId: string;
}

/** Each has a room. */
const USERS = 8;
const FILLER = 'x'.repeat(600);
const SYNC_SENDS = 200;
/** Whoever sends without syncing is offline after a while: that would be told to who waits for a message. */
const NO_PRESENCE = encodeURIComponent(JSON.stringify({ presence: { not_types: ['m.presence'] } }));
/**
 * The first ten seconds of a process cost a fifth more. And PostgreSQL writes a page whole to its log when it changes for the first time after a checkpoint: event IDs are hashes, so in a database that is a copy of one with a
 * million events nearly every message changes two such pages at first.
 */
const WARM_SECONDS = 15;

export async function sendWorkload(subject: Subject, options: { seconds: number; runs: number; connections: readonly number[] }): Promise<Row[]> {
  const running = await subject.start();
  try {
    const load = await prepareSends(running, { ...options, users: USERS });
    await sendFor(load, { connections: Math.max(...options.connections), seconds: Math.min(WARM_SECONDS, 2 * options.seconds), run: 'warmer' });
    const sends = options.connections.map((connections) => ({ connections, runs: [] as Sends[] }));
    const toSync: { p50Ms: number; p99Ms: number }[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      for (const { connections, runs } of sends) runs.push(await sendFor(load, { connections, seconds: options.seconds, run: `run${run}-${connections}` }));
      toSync.push(await measureSendToSync(load, run));
    }
    return [
      ...sends.map(({ connections, runs }) => ({ mode: subject.name, what: connections === 1 ? '1 connection' : `${connections} connections`, runs: runs.map((one) => ({ ...one })) })),
      { mode: subject.name, what: 'send to /sync', runs: toSync },
    ];
  } finally {
    await running.stop();
  }
}

/** A mode that runs, and has warmed up. */
export interface RunningSends {
  /** Sends by so many connections for so long. */
  measure(how: { connections: number; seconds: number; run: string }): Promise<Sends>;
  stop(): Promise<void>;
}

/** What warms a process is what it does: of `instances` of each role, each does a part of it. V8 still compiles after half a minute of it. */
const WARM_SENDS = 60_000;
const WARM_SECONDS_MAX = 90;

/** Starts it, and lets each of `instances` of each role do as much as one. Each of `users` has a room. */
export async function startSends(mode: Mode, options: { seconds: number; connections: readonly number[]; instances: number; users: number }): Promise<RunningSends> {
  const running = await mode.start();
  try {
    const load = await prepareSends({ baseUrl: running.baseUrl, ...meterOf(() => running.programs.map(({ pid }) => pid)) }, options);
    await warmUp(load, options);
    return { measure: (how) => sendFor(load, how), stop: () => running.stop() };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function warmUp(load: Load, { connections, instances }: { connections: readonly number[]; instances: number }): Promise<void> {
  const endsAt = performance.now() + WARM_SECONDS_MAX * 1000;
  for (let sent = 0, part = 0; sent < WARM_SENDS * instances && performance.now() < endsAt; part += 1) {
    const seconds = 5;
    const { perSecond } = await sendFor(load, { connections: Math.max(...connections), seconds, run: `warmer${part}` });
    sent += perSecond * seconds;
  }
}

/** Accounts and their rooms, on a server that is warm. */
async function prepareSends(running: MeteredServer, { seconds, users }: { seconds: number; users: number }): Promise<Load> {
  const accounts: Account[] = [];
  for (let index = 0; index < users; index += 1) accounts.push(await register(running.baseUrl, `bench${index}`));
  const rooms: string[] = [];
  for (const account of accounts) rooms.push(await createRoom(running.baseUrl, account));
  const load = { running, accounts, rooms };
  await sendFor(load, { connections: 16, seconds: Math.min(3, seconds), run: 'warm' });
  return load;
}

interface MeteredServer extends Meter {
  readonly baseUrl: string;
}

interface Load {
  readonly running: MeteredServer;
  readonly accounts: readonly Account[];
  readonly rooms: readonly string[];
}

async function sendFor(load: Load, how: { connections: number; seconds: number; run: string }): Promise<Sends> {
  const { running, accounts, rooms } = load;
  const connections = await Promise.all(Array.from({ length: how.connections }, () => Connection.open(running.baseUrl)));
  const latencies: number[] = [];
  let elapsed = 0;
  const cost = await costOf(running, async () => {
    const startedAt = performance.now();
    const endsAt = startedAt + how.seconds * 1000;
    await Promise.all(connections.map(async (connection, index) => {
      const user = index % accounts.length;
      for (let number = 0; performance.now() < endsAt; number += 1) {
        const began = performance.now();
        await send(connection, { roomId: rooms[user]!, token: accounts[user]!.token, txnId: `${how.run}-${index}-${number}` });
        latencies.push(performance.now() - began);
      }
    }));
    elapsed = (performance.now() - startedAt) / 1000;
    return { events: latencies.length };
  });
  connections.forEach((connection) => connection.close());
  return { perSecond: latencies.length / elapsed, p50Ms: median(latencies), p99Ms: quantile(latencies, 0.99), ...cost };
}

async function send(connection: Connection, what: { roomId: string; token: string; txnId: string }): Promise<string> {
  const answer = await connection.request('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(what.roomId)}/send/m.room.message/${what.txnId}`,
    { token: what.token, body: JSON.stringify({ msgtype: 'm.text', body: what.txnId, filler: FILLER }) });
  return fieldOf(answer, 'event_id');
}

async function measureSendToSync(load: Load, run: number): Promise<{ p50Ms: number; p99Ms: number }> {
  const { running, accounts } = load;
  const [sender, reader] = [accounts[0]!, accounts[1]!];
  const [sending, syncing] = [await Connection.open(running.baseUrl), await Connection.open(running.baseUrl)];
  const roomId = await createRoom(running.baseUrl, sender, [reader.userId]);
  expectOk(await sending.request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/join`, { token: reader.token, body: '{}' }));
  const sync = async (query: string): Promise<{ status: number; body: string }> => await syncing.request('GET', `/_matrix/client/v3/sync?filter=${NO_PRESENCE}&${query}`, { token: reader.token });
  let since = await settled(sync, fieldOf(await sync('timeout=0'), 'next_batch'));
  const latencies: number[] = [];
  for (let number = 0; number < SYNC_SENDS; number += 1) {
    const waiting = sync(`timeout=30000&since=${encodeURIComponent(since)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    const began = performance.now();
    const sent = send(sending, { roomId, token: sender.token, txnId: `sync-${run}-${number}` });
    const answer = await waiting;
    latencies.push(performance.now() - began);
    if (!answer.body.includes(await sent)) throw new Error(`the waiting /sync answered without the message: ${answer.body.slice(0, 300)}`);
    since = await settled(sync, fieldOf(answer, 'next_batch'));
  }
  sending.close();
  syncing.close();
  return { p50Ms: median(latencies), p99Ms: quantile(latencies, 0.99) };
}

/** A token with nothing new behind it: some servers tell of a message and of what is unread by it in two answers. */
async function settled(sync: (query: string) => Promise<{ status: number; body: string }>, from: string): Promise<string> {
  for (let since = from; ;) {
    const answer = await sync(`timeout=0&since=${encodeURIComponent(since)}`);
    const next = fieldOf(answer, 'next_batch');
    if (next === since || !('rooms' in (JSON.parse(answer.body) as object))) return next;
    since = next;
  }
}

async function register(baseUrl: string, username: string): Promise<Account> {
  const connection = await Connection.open(baseUrl);
  const path = '/_matrix/client/v3/register';
  const asked = { username, password: `password of ${username}` };
  const session = (JSON.parse((await connection.request('POST', path, { body: JSON.stringify(asked) })).body) as { session: string }).session;
  const answer = await connection.request('POST', path, { body: JSON.stringify({ ...asked, auth: { type: 'm.login.dummy', session } }) });
  connection.close();
  return { token: fieldOf(answer, 'access_token'), userId: fieldOf(answer, 'user_id') };
}

async function createRoom(baseUrl: string, account: Account, invite: readonly string[] = []): Promise<string> {
  const connection = await Connection.open(baseUrl);
  const answer = await connection.request('POST', '/_matrix/client/v3/createRoom', { token: account.token, body: JSON.stringify({ preset: 'private_chat', invite }) });
  connection.close();
  return fieldOf(answer, 'room_id');
}

function expectOk(answer: { status: number; body: string }): void {
  if (answer.status !== 200) throw new Error(`the server answered ${answer.status}: ${answer.body.slice(0, 300)}`);
}

function fieldOf(answer: { status: number; body: string }, field: string): string {
  expectOk(answer);
  return (JSON.parse(answer.body) as Record<string, string>)[field]!;
}
