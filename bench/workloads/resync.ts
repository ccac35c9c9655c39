/**
 * `resync`: 500 clients of a room with 10,000 members lost their connection at once, and come back at once with the tokens that they had: how long each waits for its /sync, and what
 * that takes of the server.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { call, V3 } from '../../test/e2e/api-client.ts';
import { CROWD_SERVICE, CROWD_TOKEN, gatherCrowd } from '../../test/e2e/crowd.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import type { Mode, RunningMode } from '../../test/e2e/modes.ts';
import { Connection } from '../http-client.ts';
import { cpuSeconds, residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { quantile, rounded } from '../statistics.ts';

export interface ResyncResult {
  readonly mode: string;
  readonly clients: string;
  readonly members: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly answerKb: number;
  /** Of the server's processes, not of its database. */
  readonly cpuSeconds: number;
  readonly residentMb: number;
  /** Of the server so far. */
  readonly peakResidentMb: number;
}

export const resyncColumns: readonly Column<ResyncResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'clients', text: (row) => row.clients },
  { title: 'members', text: (row) => String(row.members) },
  { title: 'p50 ms', text: (row) => row.p50Ms.toFixed(0) },
  { title: 'p99 ms', text: (row) => row.p99Ms.toFixed(0) },
  { title: 'max ms', text: (row) => row.maxMs.toFixed(0) },
  { title: 'answer kB', text: (row) => row.answerKb.toFixed(0) },
  { title: 'CPU s', text: (row) => row.cpuSeconds.toFixed(2) },
  { title: 'resident MB', text: (row) => row.residentMb.toFixed(0) },
  { title: 'peak MB', text: (row) => row.peakResidentMb.toFixed(0) },
];

const SERVER_NAME = 'resync.test';
const CLIENTS = 500;
/** While the clients are away: so many say something, so many leave and come back. */
const MESSAGES = 300;
const MOVES = 100;
const FILTER = { room: { state: { lazy_load_members: true }, timeline: { limit: 20 } } };

interface Client {
  readonly token: string;
  readonly since: string;
}

/** Rows for the way back, as often as `runs` says (the tokens stay the old ones), and for clients that have no token any more. */
export async function resyncWorkload(mode: Mode, options: { runs: number; members: number }): Promise<ResyncResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-resync-'));
  writeFileSync(join(folder, 'crowd.yaml'), CROWD_SERVICE);
  const running = await mode.start({ MYELIN_SERVER_NAME: SERVER_NAME, MYELIN_APPSERVICE_DIR: folder });
  try {
    const began = performance.now();
    const roomId = await gatherCrowd({ ...running, serverName: SERVER_NAME }, options.members);
    console.log(`${options.members} members after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const clients: Client[] = [];
    for (let index = 1; index <= CLIENTS; index += 1) {
      const token = await logIn(running, `crowd_${index}`);
      clients.push({ token, since: await nextBatch(running, token) });
    }
    await haveTheRoomGoOn(running, roomId);
    const common = { mode: mode.name, members: options.members };
    const results: ResyncResult[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      results.push({ ...common, clients: `${CLIENTS} come back`, ...(await syncAtOnce(running, clients.map(({ token, since }) => ({ token, path: pathOf({ since }) })))) });
    }
    results.push({ ...common, clients: `${CLIENTS} begin anew`, ...(await syncAtOnce(running, clients.map(({ token }) => ({ token, path: pathOf({}) })))) });
    return results;
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function logIn({ baseUrl }: RunningMode, user: string): Promise<string> {
  const { access_token: token } = await ok(call(baseUrl, 'POST', `${V3}/login`, { token: CROWD_TOKEN, body: { type: 'm.login.application_service', identifier: { type: 'm.id.user', user } } })) as { access_token: string };
  return token;
}

async function nextBatch({ baseUrl }: RunningMode, token: string): Promise<string> {
  return (await ok(call(baseUrl, 'GET', pathOf({}), { token })) as { next_batch: string }).next_batch;
}

function pathOf(query: Record<string, string>): string {
  return `${V3}/sync?${new URLSearchParams({ ...query, timeout: '30000', filter: JSON.stringify(FILTER) })}`;
}

/** Messages by many, and among them members who leave and come back. */
async function haveTheRoomGoOn({ baseUrl }: RunningMode, roomId: string): Promise<void> {
  const room = `${V3}/rooms/${encodeURIComponent(roomId)}`;
  const as = (index: number): string => `user_id=${encodeURIComponent(`@crowd_${index}:${SERVER_NAME}`)}`;
  for (let number = 0; number < MESSAGES; number += 1) {
    const index = CLIENTS + 1 + number;
    await ok(call(baseUrl, 'PUT', `${room}/send/m.room.message/m${number}?${as(index)}`, { token: CROWD_TOKEN, body: { msgtype: 'm.text', body: `message ${number}`, filler: 'x'.repeat(300) } }));
    if (number >= MOVES) continue;
    await ok(call(baseUrl, 'POST', `${room}/leave?${as(index)}`, { token: CROWD_TOKEN, body: {} }));
    await ok(call(baseUrl, 'POST', `${room}/join?${as(index)}`, { token: CROWD_TOKEN, body: {} }));
  }
}

/** All at the same moment, each on a connection of its own that is there already. */
async function syncAtOnce({ baseUrl, programs }: RunningMode, requests: readonly { token: string; path: string }[]): Promise<Omit<ResyncResult, 'mode' | 'clients' | 'members'>> {
  const connections = await Promise.all(requests.map(() => Connection.open(baseUrl)));
  const cpu = (): number => programs.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0);
  const cpuBefore = cpu();
  const began = performance.now();
  const answers = await Promise.all(requests.map(async ({ token, path }, index) => {
    const { status, body } = await connections[index]!.request('GET', path, { token });
    if (status !== 200) throw new Error(`a /sync was answered with ${status}: ${body.slice(0, 300)}`);
    return { ms: performance.now() - began, bytes: Buffer.byteLength(body) };
  }));
  for (const connection of connections) connection.close();
  const times = answers.map(({ ms }) => ms);
  const memory = programs.map(({ pid }) => residentMb(pid));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return {
    p50Ms: rounded(quantile(times, 0.5)), p99Ms: rounded(quantile(times, 0.99)), maxMs: rounded(quantile(times, 1)),
    answerKb: rounded(quantile(answers.map(({ bytes }) => bytes), 0.5) / 1000), cpuSeconds: rounded(cpu() - cpuBefore),
    residentMb: rounded(sum(memory.map(({ now }) => now))), peakResidentMb: rounded(sum(memory.map(({ peak }) => peak))),
  };
}
