/** `silent-server`: 1,000 messages by 8 users in one room: among themselves, with a member of another server, and when that server takes connections and answers nothing. */
import { newRoom, register, V3 } from '../../test/e2e/api-client.ts';
import { enter, meet, ok } from '../../test/e2e/federation-rooms.ts';
import { neighbourhood } from '../../test/e2e/peers.ts';
import type { Column } from '../report/table.ts';
import { sendWhile, type Latency, type Place } from './local-sends.ts';

export interface SilentServerResult {
  readonly other: 'is not there' | 'answers' | 'is silent';
  readonly latency: Latency;
}

const MESSAGES = 1000;
const SENDERS = 8;

export const silentServerColumns: readonly Column<SilentServerResult>[] = [
  { title: 'the other server', text: (row) => row.other },
  { title: 'sends', text: (row) => String(row.latency.sends) },
  { title: 'p50 ms', text: (row) => row.latency.p50Ms.toFixed(1) },
  { title: 'p99 ms', text: (row) => row.latency.p99Ms.toFixed(1) },
  { title: 'max ms', text: (row) => row.latency.maxMs.toFixed(1) },
];

/** The other server is a second Myelin on the same machine: while it answers it takes its share of the processors. */
export async function silentServerWorkload(options: { runs: number }): Promise<SilentServerResult[]> {
  const place = neighbourhood();
  try {
    const [one, other] = [await place.start('Myelin'), await place.start('Myelin')];
    const [host, guest] = [await enter(one, 'host'), await enter(other, 'guest')];
    const room = await meet(host, guest, '12');
    await Promise.all([host, guest].map(({ follower }) => follower.stop()));
    await ok(host.session.call('PUT', `${room.path}/state/m.room.join_rules/`, { join_rule: 'public' }));
    const ownRoom = decodeURIComponent(await newRoom(host.session));
    const tokens = [host.session.token];
    while (tokens.length < SENDERS) {
      const user = await register(one.baseUrl);
      for (const roomId of [room.roomId, ownRoom]) await ok(user.call('POST', `${V3}/join/${encodeURIComponent(roomId)}`, {}));
      tokens.push(user.token);
    }
    const sendTo = (roomId: string): Promise<Latency> => sendWhile(one.baseUrl, tokens.map((token): Place => ({ token, roomId })), (sent) => sent < MESSAGES);
    for (const roomId of [ownRoom, room.roomId]) await sendTo(roomId);
    const results: SilentServerResult[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      results.push({ other: 'is not there', latency: await sendTo(ownRoom) });
      results.push({ other: 'answers', latency: await sendTo(room.roomId) });
      other.pause();
      results.push({ other: 'is silent', latency: await sendTo(room.roomId) });
      other.resume();
    }
    return results;
  } finally {
    await place.stop();
  }
}
