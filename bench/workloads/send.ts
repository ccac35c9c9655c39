/**
 * `send`: messages of about 700 bytes by one and by 64 connections (8 users in 8 rooms, each connection its own sender loop), and the time from the start of a send
 * until another user's waiting /sync has it.
 */
import { performance } from 'node:perf_hooks';
import type { Mode, RunningMode } from '../../test/e2e/modes.ts';
import { Connection } from '../http-client.ts';
import { cpuSeconds, residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { median, quantile, rounded } from '../statistics.ts';

export interface Sends {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of the server's processes for one send. */
  readonly cpuMsPerSend: number;
}

export interface SendResult {
  readonly mode: string;
  readonly sends1: Sends;
  readonly sends64: Sends;
  readonly sendToSync: { readonly p50Ms: number; readonly p99Ms: number };
  readonly peakMb: number;
}

interface Account {
  readonly token: string;
  readonly userId: string;
}

const USERS = 8;
const FILLER = 'x'.repeat(600);
const SYNC_SENDS = 200;
const WARM_SECONDS = 15;

export const sendColumns: readonly Column<SendResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: '1 conn /s', text: (row) => String(Math.round(row.sends1.perSecond)) },
  { title: 'p50 ms', text: (row) => row.sends1.p50Ms.toFixed(2) },
  { title: 'p99 ms', text: (row) => row.sends1.p99Ms.toFixed(2) },
  { title: '64 conn /s', text: (row) => String(Math.round(row.sends64.perSecond)) },
  { title: 'p50 ms', text: (row) => row.sends64.p50Ms.toFixed(1) },
  { title: 'p99 ms', text: (row) => row.sends64.p99Ms.toFixed(1) },
  { title: 'CPU ms/send', text: (row) => row.sends64.cpuMsPerSend.toFixed(2) },
  { title: 'to sync p50', text: (row) => row.sendToSync.p50Ms.toFixed(2) },
  { title: 'p99', text: (row) => row.sendToSync.p99Ms.toFixed(2) },
  { title: 'peak MB', text: (row) => String(Math.round(row.peakMb)) },
];

export async function sendWorkload(mode: Mode, options: { seconds: number; runs: number }): Promise<SendResult> {
  const running = await mode.start();
  try {
    const load = await prepareSends(running, options);
    const ones: Sends[] = [];
    const sixtyFours: Sends[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      ones.push(await sendFor(load, { connections: 1, seconds: options.seconds, run: `one${run}` }));
      sixtyFours.push(await sendFor(load, { connections: 64, seconds: options.seconds, run: `many${run}` }));
    }
    const sendToSync = await measureSendToSync(load);
    const peakMb = running.programs.reduce((sum, program) => sum + residentMb(program.pid).peak, 0);
    return { mode: mode.name, sends1: medians(ones), sends64: medians(sixtyFours), sendToSync, peakMb: rounded(peakMb, 0) };
  } finally {
    await running.stop();
  }
}

/** Medians of sends by so many connections in that mode, after its processes have warmed up: the first ten seconds of a process cost a fifth more. */
export async function sendsOf(mode: Mode, options: { seconds: number; runs: number; connections: number }): Promise<Sends> {
  const running = await mode.start();
  try {
    const load = await prepareSends(running, options);
    const { connections } = options;
    await sendFor(load, { connections, seconds: WARM_SECONDS, run: 'warmer' });
    const sends: Sends[] = [];
    for (let run = 0; run < options.runs; run += 1) sends.push(await sendFor(load, { connections, seconds: options.seconds, run: `many${run}` }));
    return medians(sends);
  } finally {
    await running.stop();
  }
}

/** Accounts and their rooms, on a server that is warm. */
async function prepareSends(running: RunningMode, { seconds }: { seconds: number }): Promise<Load> {
  const accounts: Account[] = [];
  for (let index = 0; index < USERS; index += 1) accounts.push(await register(running.baseUrl, `bench${index}`));
  const rooms: string[] = [];
  for (const account of accounts) rooms.push(await createRoom(running.baseUrl, account));
  const load = { running, accounts, rooms };
  await sendFor(load, { connections: 16, seconds: Math.min(3, seconds), run: 'warm' });
  return load;
}

interface Load {
  readonly running: RunningMode;
  readonly accounts: readonly Account[];
  readonly rooms: readonly string[];
}

async function sendFor(load: Load, how: { connections: number; seconds: number; run: string }): Promise<Sends> {
  const { running, accounts, rooms } = load;
  const connections = await Promise.all(Array.from({ length: how.connections }, () => Connection.open(running.baseUrl)));
  const latencies: number[] = [];
  const cpuBefore = serverCpu(running);
  const startedAt = performance.now();
  const endsAt = startedAt + how.seconds * 1000;
  await Promise.all(connections.map(async (connection, index) => {
    const user = index % USERS;
    for (let number = 0; performance.now() < endsAt; number += 1) {
      const began = performance.now();
      await send(connection, { roomId: rooms[user]!, token: accounts[user]!.token, txnId: `${how.run}-${index}-${number}` });
      latencies.push(performance.now() - began);
    }
  }));
  const elapsed = (performance.now() - startedAt) / 1000;
  const cpu = serverCpu(running) - cpuBefore;
  connections.forEach((connection) => connection.close());
  return {
    perSecond: rounded(latencies.length / elapsed, 0), p50Ms: rounded(quantile(latencies, 0.5)), p99Ms: rounded(quantile(latencies, 0.99)),
    cpuMsPerSend: rounded((cpu / latencies.length) * 1000, 3),
  };
}

async function send(connection: Connection, what: { roomId: string; token: string; txnId: string }): Promise<string> {
  const answer = await connection.request('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(what.roomId)}/send/m.room.message/${what.txnId}`,
    { token: what.token, body: JSON.stringify({ msgtype: 'm.text', body: what.txnId, filler: FILLER }) });
  return fieldOf(answer, 'event_id');
}

async function measureSendToSync(load: Load): Promise<{ p50Ms: number; p99Ms: number }> {
  const { running, accounts } = load;
  const [sender, reader] = [accounts[0]!, accounts[1]!];
  const [sending, syncing] = [await Connection.open(running.baseUrl), await Connection.open(running.baseUrl)];
  const roomId = await createRoom(running.baseUrl, sender, [reader.userId]);
  expectOk(await sending.request('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/join`, { token: reader.token, body: '{}' }));
  const first = await syncing.request('GET', '/_matrix/client/v3/sync?timeout=0', { token: reader.token });
  let since = fieldOf(first, 'next_batch');
  const latencies: number[] = [];
  for (let number = 0; number < SYNC_SENDS; number += 1) {
    const waiting = syncing.request('GET', `/_matrix/client/v3/sync?timeout=30000&since=${encodeURIComponent(since)}`, { token: reader.token });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const began = performance.now();
    const sent = send(sending, { roomId, token: sender.token, txnId: `sync-${number}` });
    const answer = await waiting;
    latencies.push(performance.now() - began);
    if (!answer.body.includes(await sent)) throw new Error(`the waiting /sync answered without the message: ${answer.body.slice(0, 300)}`);
    since = fieldOf(answer, 'next_batch');
  }
  sending.close();
  syncing.close();
  return { p50Ms: rounded(quantile(latencies, 0.5)), p99Ms: rounded(quantile(latencies, 0.99)) };
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

function serverCpu(running: RunningMode): number {
  return running.programs.reduce((sum, program) => sum + cpuSeconds(program.pid), 0);
}

function medians(runs: readonly Sends[]): Sends {
  const of = (field: keyof Sends): number => median(runs.map((run) => run[field]));
  return { perSecond: of('perSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMsPerSend: of('cpuMsPerSend') };
}
