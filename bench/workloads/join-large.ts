/** `join-large`: a server joins a room with 5,000 members of another while 8 of its users send in rooms of their own: how long that takes, and what the senders notice. */
import { performance } from 'node:perf_hooks';
import { newRoom, register, V3 } from '../../test/e2e/api-client.ts';
import { CROWD_SERVICE, gatherCrowd } from '../../test/e2e/crowd.ts';
import { ok } from '../../test/e2e/federation-rooms.ts';
import { neighbourhood } from '../../test/e2e/peers.ts';
import type { Column } from '../report/table.ts';
import { rounded } from '../statistics.ts';
import { sendWhile, type Latency, type Place } from './local-sends.ts';

export interface JoinLargeResult {
  readonly members: number;
  readonly joinSeconds: number;
  /** The same senders before the join. */
  readonly alone: Latency;
  readonly during: Latency;
}

const MEMBERS = 5000;
const SENDERS = 8;

export const joinLargeColumns: readonly Column<JoinLargeResult>[] = [
  { title: 'members', text: (row) => String(row.members) },
  { title: 'join s', text: (row) => row.joinSeconds.toFixed(2) },
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
      let joinedAt: number | undefined;
      const join = ok(user.call('POST', `${V3}/join/${encodeURIComponent(roomId)}?server_name=${resident.serverName}&via=${resident.serverName}`, {})).finally(() => (joinedAt = performance.now()));
      const during = await sendWhile(joining.baseUrl, places, () => joinedAt === undefined);
      await join;
      results.push({ members: MEMBERS, joinSeconds: rounded((joinedAt! - startedAt) / 1000), alone, during });
      await joining.stop();
    }
    return results;
  } finally {
    await place.stop();
  }
}
