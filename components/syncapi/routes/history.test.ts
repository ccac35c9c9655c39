/** Paging back beyond what is here: what other servers know comes below the oldest event, once and in order, to those who may read it, and to nobody's /sync. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, type SyncWorld } from '../../../test/kit/sync-world.ts';
import type { Fetched } from '../history/fetch-history.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (chunk: any[]): string[] => chunk.map((event) => event.event_id);

/** A room whose past comes in portions of 3, the newest first, as often as it is asked for; `answers`: what comes of each question. */
async function roomWithPast(events: number, more: { visibility?: string; historyAt?: number } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'old', creator: alice });
  const past = Array.from({ length: events }, (_, number) => `$past${number}`);
  const asked: number[] = [];
  const answers: Fetched[] = [];
  let told = 0;
  const world: SyncWorld = await createSyncWorld(log, {
    history: {
      async more(_, boundMs) {
        asked.push(boundMs);
        const answer = answers.shift() ?? (told === past.length ? 'complete' : 'more');
        if (answer !== 'more') return answer;
        for (const eventId of past.slice(told, told + 3)) {
          told += 1;
          const pdu = { type: 'm.room.message', sender: bob, room_id: room.roomId, content: { body: eventId }, origin_server_ts: 1, depth: 1, prev_events: [], auth_events: [], hashes: {}, signatures: {} };
          const event = { eventId, pdu: Buffer.from(JSON.stringify(pdu)), orderKey: -told, stateDelta: [], historyVisibility: more.visibility ?? 'shared', historyAt: more.historyAt ?? 1, deviceId: '', txnId: '' };
          log.append({ roomId: room.roomId, roomVersion: room.version.id, event: { ...event, softFailedAccepted: false, stateBeforeDiffers: false, redacts: '' } });
        }
        await world.apply();
        return 'more';
      },
    },
  });
  await world.apply();
  async function read(who: string, limit: number): Promise<string[][]> {
    const pages: string[][] = [];
    for (let from: string | undefined, count = 0; count < 30; count += 1) {
      const page = await world.get(who, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: String(limit), ...(from !== undefined && { from }) });
      pages.push(ids(page.chunk));
      from = page.end;
      if (from === undefined) return pages;
    }
    throw new Error('no end');
  }
  return { log, room, world, past, asked, answers, read };
}

for (const limit of [1, 4, 100]) {
  test(`pages of ${limit} lead through all of it, the same ones again afterwards, and forwards`, async () => {
    const { room, world, past, read } = await roomWithPast(10);
    const { next_batch: since } = await world.sync(alice);
    const expected = [...room.timeline.toReversed(), ...past];
    const first = await read(alice, limit);
    assert.deepEqual(first.flat(), expected);
    assert.ok(first.slice(0, -1).every((page) => page.length === limit), JSON.stringify(first.map(({ length }) => length)));
    assert.deepEqual((await read(alice, limit)).flat(), expected);
    const forwards = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'f', limit: '100' });
    assert.deepEqual(ids(forwards.chunk), expected.toReversed());
    // No client that syncs is told of it.
    assert.deepEqual((await world.sync(alice, { since })).rooms?.join ?? {}, {});
    assert.deepEqual(ids((await world.sync(alice)).rooms.join[room.roomId].timeline.events), room.timeline);
    await world.close();
  });
}

test('where others do not answer, a page has what is here and may be gone on from; one that has nothing is the last', async () => {
  const { room, world, past, asked, answers, read } = await roomWithPast(4);
  answers.push('nothing', 'nothing');
  assert.deepEqual(await read(alice, 50), [room.timeline.toReversed(), []]);
  assert.deepEqual(asked.map((ms) => ms > 0 && ms <= 10_000), [true, true]);
  assert.deepEqual((await read(alice, 50)).flat(), [...room.timeline.toReversed(), ...past]);
  const to = (await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '1' })).end;
  const { length } = asked;
  await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '50', to });
  assert.equal(asked.length, length, 'what lies beyond `to` is not asked for');
  await world.close();
});

test('a page asks only so often', async () => {
  const { room, world, asked, read } = await roomWithPast(100);
  const page = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '100' });
  assert.deepEqual([asked.length, page.chunk.length, typeof page.end], [6, room.timeline.length + 18, 'string']);
  assert.equal((await read(alice, 100)).flat().length, room.timeline.length + 100);
  await world.close();
});

test('who had left before the event under which it was found sees nothing of it; where only members might read, nobody does', async () => {
  const { log, room, world, past, read } = await roomWithPast(3, { historyAt: 100 });
  room.member(bob, 'join');
  room.member(bob, 'leave');
  await world.apply();
  assert.deepEqual((await read(bob, 50)).flat(), room.timeline.toReversed());
  assert.deepEqual((await read(alice, 50)).flat(), [...room.timeline.toReversed(), ...past]);
  assert.equal(log.pastQuestions, 0);
  await world.close();
  const hidden = await roomWithPast(3, { visibility: 'joined', historyAt: 0 });
  assert.deepEqual((await hidden.read(alice, 50)).flat(), hidden.room.timeline.toReversed());
  await hidden.world.close();
});
