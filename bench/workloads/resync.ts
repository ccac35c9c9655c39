/**
 * `resync`: 500 clients of a room with 10,000 members lost their connection at once, and come back at once with the tokens that they had: how long each waits for its /sync, and what
 * that takes of the server.
 */
import { performance } from 'node:perf_hooks';
import { call, V3 } from '../../test/e2e/api-client.ts';
import { CROWD_SERVICE, CROWD_TOKEN, gatherCrowd } from '../../test/e2e/crowd.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { neighbourhood, type Peer } from '../../test/e2e/peers.ts';
import { Connection } from '../http-client.ts';
import { cpuSeconds, residentMb } from '../process-usage.ts';
import type { Column } from '../report/table.ts';
import { quantile, rounded } from '../statistics.ts';

export interface ResyncResult {
  readonly clients: string;
  readonly members: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly answerKb: number;
  readonly cpuSeconds: number;
  readonly residentMb: number;
  /** Of the server so far. */
  readonly peakResidentMb: number;
}

export const resyncColumns: readonly Column<ResyncResult>[] = [
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
export async function resyncWorkload(options: { runs: number; members: number }): Promise<ResyncResult[]> {
  const place = neighbourhood();
  try {
    const peer = await place.start('Myelin', { appservices: [CROWD_SERVICE] });
    const began = performance.now();
    const roomId = await gatherCrowd(peer, options.members);
    console.log(`${options.members} members after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, index) => logIn(peer, `crowd_${index + 1}`)));
    const known: Client[] = [];
    for (const token of clients) known.push({ token, since: await nextBatch(peer, token) });
    await haveTheRoomGoOn(peer, roomId);
    const results: ResyncResult[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      results.push({ clients: `${CLIENTS} come back`, members: options.members, ...(await syncAtOnce(peer, known.map(({ token, since }) => ({ token, path: pathOf({ since }) })))) });
    }
    results.push({ clients: `${CLIENTS} begin anew`, members: options.members, ...(await syncAtOnce(peer, clients.map((token) => ({ token, path: pathOf({}) })))) });
    return results;
  } finally {
    await place.stop();
  }
}

async function logIn({ baseUrl }: Peer, user: string): Promise<string> {
  const { access_token: token } = await ok(call(baseUrl, 'POST', `${V3}/login`, { token: CROWD_TOKEN, body: { type: 'm.login.application_service', identifier: { type: 'm.id.user', user } } })) as { access_token: string };
  return token;
}

async function nextBatch({ baseUrl }: Peer, token: string): Promise<string> {
  return (await ok(call(baseUrl, 'GET', pathOf({}), { token })) as { next_batch: string }).next_batch;
}

function pathOf(query: Record<string, string>): string {
  return `${V3}/sync?${new URLSearchParams({ ...query, timeout: '30000', filter: JSON.stringify(FILTER) })}`;
}

/** Messages by many, and among them members who leave and come back. */
async function haveTheRoomGoOn({ baseUrl, serverName }: Peer, roomId: string): Promise<void> {
  const room = `${V3}/rooms/${encodeURIComponent(roomId)}`;
  const as = (index: number): string => `user_id=${encodeURIComponent(`@crowd_${index}:${serverName}`)}`;
  for (let number = 0; number < MESSAGES; number += 1) {
    const index = CLIENTS + 1 + number;
    await ok(call(baseUrl, 'PUT', `${room}/send/m.room.message/m${number}?${as(index)}`, { token: CROWD_TOKEN, body: { msgtype: 'm.text', body: `message ${number}`, filler: 'x'.repeat(300) } }));
    if (number >= MOVES) continue;
    await ok(call(baseUrl, 'POST', `${room}/leave?${as(index)}`, { token: CROWD_TOKEN, body: {} }));
    await ok(call(baseUrl, 'POST', `${room}/join?${as(index)}`, { token: CROWD_TOKEN, body: {} }));
  }
}

/** All at the same moment, each on a connection of its own that is there already. */
async function syncAtOnce({ baseUrl, pid = 0 }: Peer, requests: readonly { token: string; path: string }[]): Promise<Omit<ResyncResult, 'clients' | 'members'>> {
  const connections = await Promise.all(requests.map(() => Connection.open(baseUrl)));
  const cpuBefore = cpuSeconds(pid);
  const began = performance.now();
  const answers = await Promise.all(requests.map(async ({ token, path }, index) => {
    const { status, body } = await connections[index]!.request('GET', path, { token });
    if (status !== 200) throw new Error(`a /sync was answered with ${status}: ${body.slice(0, 300)}`);
    return { ms: performance.now() - began, bytes: Buffer.byteLength(body) };
  }));
  for (const connection of connections) connection.close();
  const times = answers.map(({ ms }) => ms);
  const { now, peak } = residentMb(pid);
  return {
    p50Ms: rounded(quantile(times, 0.5)), p99Ms: rounded(quantile(times, 0.99)), maxMs: rounded(quantile(times, 1)),
    answerKb: rounded(quantile(answers.map(({ bytes }) => bytes), 0.5) / 1000), cpuSeconds: rounded(cpuSeconds(pid) - cpuBefore), residentMb: rounded(now), peakResidentMb: rounded(peak),
  };
}
