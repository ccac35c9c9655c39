/** Asks a server as two clients would, in rooms of many partitions, whether it works: a send is acknowledged and a sync shows it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { newRoom, readMessages, register, V3, type Answer, type ApiSession } from '../e2e/api-client.ts';

export interface Probe {
  /** Sends in every room and syncs until all is seen; resolves with the time (of `performance.now()`) at which it was. */
  recovered(): Promise<number>;
  /** That every acknowledged send is there, once. */
  check(): Promise<{ acknowledged: number }>;
}

const ROOMS = 8;
const TRY_MS = 4000;
const GIVE_UP_MS = 60_000;

export async function createProbe(baseUrl: string): Promise<Probe> {
  const [sender, reader] = [await register(baseUrl), await register(baseUrl)];
  const rooms: string[] = [];
  for (let place = 0; place < ROOMS; place += 1) {
    const room = await newRoom(sender);
    assert.equal((await reader.call('POST', `${V3}/join/${room}`, {})).status, 200);
    rooms.push(room);
  }
  const acknowledged = new Map<string, string>();
  const readers = [await startReading(sender), await startReading(reader)];
  let round = 0;
  return {
    recovered: async () => {
      round += 1;
      const endsAt = performance.now() + GIVE_UP_MS;
      const sends = rooms.map(async (room, place) => {
        const body = `${round}/${place}`;
        const answer = await persist(() => sender.call('PUT', `${V3}/rooms/${room}/send/m.room.message/${round}`, { body, msgtype: 'm.text' }), endsAt);
        acknowledged.set(body, answer.body.event_id as string);
        return answer.body.event_id as string;
      });
      const data = persist(() => sender.call('PUT', `${V3}/user/${sender.userId}/account_data/test.round`, { round }), endsAt);
      const eventIds = await Promise.all(sends);
      await data;
      await Promise.all([readers[0]!([...eventIds, `round ${round}`], endsAt), readers[1]!(eventIds, endsAt)]);
      return performance.now();
    },
    check: async () => {
      const data = await sender.call('GET', `${V3}/user/${sender.userId}/account_data/test.round`);
      assert.equal(data.body.round, round);
      const stored = (await Promise.all(rooms.map((room) => readMessages(reader, room)))).flat();
      assert.deepEqual(stored.map(({ body, eventId }) => `${body} ${eventId}`).sort(), [...acknowledged].map(([body, eventId]) => `${body} ${eventId}`).sort(), 'what was acknowledged is there, once');
      return { acknowledged: acknowledged.size };
    },
  };
}

/** Syncs on with one token; the result waits until all that is awaited has come: event IDs, and `round <number>` for the account data. */
async function startReading(session: ApiSession): Promise<(awaited: readonly string[], endsAt: number) => Promise<void>> {
  let since = (await session.call('GET', `${V3}/sync`)).body.next_batch as string;
  return async (awaited, endsAt) => {
    const missing = new Set(awaited);
    while (missing.size > 0) {
      const { body } = await persist(() => session.call('GET', `${V3}/sync?timeout=1000&since=${since}`), endsAt);
      since = body.next_batch as string;
      for (const { content } of (body.account_data?.events ?? []) as { content: { round?: number } }[]) missing.delete(`round ${content.round}`);
      const joined = Object.values(body.rooms?.join ?? {}) as { timeline: { events: { event_id: string }[]; limited?: boolean } }[];
      for (const { timeline } of joined) {
        assert.notEqual(timeline.limited, true, 'no gap');
        for (const event of timeline.events) missing.delete(event.event_id);
      }
      assert.ok(performance.now() < endsAt, `${session.userId} does not see ${missing.size} of ${awaited.length}`);
    }
  };
}

/** Repeats a request until it is answered with 200; one that hangs is left behind, as an impatient client would. */
async function persist(request: () => Promise<Answer>, endsAt: number): Promise<Answer> {
  for (let last = 'no answer'; ; await sleep(100)) {
    const answer = await Promise.race([request().catch((error: unknown) => void (last = String(error))), sleep(TRY_MS, undefined)]);
    if (answer?.status === 200) return answer;
    if (answer !== undefined) {
      last = `${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`;
      assert.ok(answer.status >= 500, last);
    }
    assert.ok(performance.now() < endsAt, `does not recover: ${last}`);
  }
}
