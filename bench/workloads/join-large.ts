/**
 * `join-large`: a server joins a room with 5,000 members (MYELIN_BENCH_MEMBERS) of another while 8 of its users send in rooms of their own (MYELIN_BENCH_SENDERS): how long it takes until the user
 * is in, until their first message is sent, and until all members are known, and what the senders notice.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { newRoom, register, V3, type ApiSession } from '../../test/e2e/api-client.ts';
import { CROWD_SERVICE, gatherCrowd } from '../../test/e2e/crowd.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { neighbourhood } from '../../test/e2e/peers.ts';
import type { Column } from '../report/table.ts';
import { rounded } from '../statistics.ts';
import { sendWhile, type Latency, type Place } from './local-sends.ts';

export interface JoinLargeResult {
  readonly members: number;
  readonly joinSeconds: number;
  /** From the request to join to the answer to the first message. */
  readonly messageSeconds: number;
  /** From the request to join until all members are listed. */
  readonly wholeSeconds: number;
  /** The same senders before the join. */
  readonly alone: Latency;
  readonly during: Latency;
}

const MEMBERS = Number(process.env['MYELIN_BENCH_MEMBERS'] ?? 5000);
const SENDERS = Number(process.env['MYELIN_BENCH_SENDERS'] ?? 8);
const LOOK_EVERY_MS = 100;

export const joinLargeColumns: readonly Column<JoinLargeResult>[] = [
  { title: 'members', text: (row) => String(row.members) },
  { title: 'join s', text: (row) => row.joinSeconds.toFixed(2) },
  { title: 'first message s', text: (row) => row.messageSeconds.toFixed(2) },
  { title: 'whole s', text: (row) => row.wholeSeconds.toFixed(2) },
  { title: 'alone: sends', text: (row) => String(row.alone.sends) },
  { title: 'p50 ms', text: (row) => row.alone.p50Ms.toFixed(1) },
  { title: 'p99 ms', text: (row) => row.alone.p99Ms.toFixed(1) },
  { title: 'during: sends', text: (row) => String(row.during.sends) },
  { title: 'p50 ms', text: (row) => row.during.p50Ms.toFixed(1) },
  { title: 'p99 ms', text: (row) => row.during.p99Ms.toFixed(1) },
  { title: 'max ms', text: (row) => row.during.maxMs.toFixed(1) },
];

/** One row for each run, each of a server that has not seen the room; the first run counts like the others. */
export async function joinLargeWorkload(options: { seconds: number; runs: number }): Promise<JoinLargeResult[]> {
  const place = neighbourhood();
  try {
    const resident = await place.start('Myelin', { appservices: [CROWD_SERVICE] });
    const roomId = await gatherCrowd(resident, MEMBERS);
    const results: JoinLargeResult[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      const joining = await place.start('Myelin');
      const places: Place[] = [];
      for (let sender = 0; sender < SENDERS; sender += 1) {
        const user = await register(joining.baseUrl);
        places.push({ token: user.token, roomId: decodeURIComponent(await newRoom(user)) });
      }
      const user = await register(joining.baseUrl);
      const endsAt = performance.now() + options.seconds * 1000;
      const alone = await sendWhile(joining.baseUrl, places, () => performance.now() < endsAt);
      const startedAt = performance.now();
      const seconds = (): number => rounded((performance.now() - startedAt) / 1000);
      let isWhole = false;
      const arriving = arrive(user, { roomId, server: resident.serverName, members: MEMBERS + run + 1, seconds }).finally(() => (isWhole = true));
      const during = await sendWhile(joining.baseUrl, places, () => !isWhole);
      // It stays in the room: the next one would wait two minutes for the keys of a server that is gone.
      results.push({ members: MEMBERS, ...await arriving, alone, during });
    }
    return results;
  } finally {
    await place.stop();
  }
}

/** Joins, speaks, and looks until all members are listed. */
async function arrive(user: ApiSession, { roomId, server, members, seconds }: { roomId: string; server: string; members: number; seconds: () => number }): Promise<Pick<JoinLargeResult, 'joinSeconds' | 'messageSeconds' | 'wholeSeconds'>> {
  const path = `${V3}/rooms/${encodeURIComponent(roomId)}`;
  await ok(user.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${server}&via=${server}`, {}));
  const joinSeconds = seconds();
  await ok(user.call('PUT', `${path}/send/m.room.message/first`, { msgtype: 'm.text', body: 'hello' }));
  const messageSeconds = seconds();
  for (;;) {
    const { status, body } = await user.call('GET', `${path}/joined_members`);
    if (status === 200 && Object.keys((body as { joined: object }).joined).length === members) return { joinSeconds, messageSeconds, wholeSeconds: seconds() };
    await sleep(LOOK_EVERY_MS);
  }
}
