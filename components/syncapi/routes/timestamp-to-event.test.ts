/** The event nearest to a time, here and elsewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';
import type { Fetched } from '../history/fetch-history.ts';
import type { Moment } from '../history/nearest-event.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

async function worldOf() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'old', creator: alice, visibility: 'joined' });
  const secret = room.say(alice, 'secret');
  room.member(bob, 'join');
  const [first, last] = [room.say(alice, 'first'), room.say(alice, 'last')];
  const times = new Map<string, number>([[secret.eventId, 10], [first.eventId, 20], [last.eventId, 30]]);
  const asked: Moment[] = [];
  const elsewhere = { answer: undefined as { eventId: string; originServerTs: number } | undefined, lacks: false, more: [] as Fetched[], fetches: 0 };
  const world = await createSyncWorld(log, {
    history: { more: () => { elsewhere.fetches += 1; return Promise.resolve(elsewhere.more.shift() ?? 'complete'); } },
    nearestEvent: {
      here({ ts, direction }) {
        const all = [...times].filter(([, at]) => (direction === 'f' ? at >= ts : at <= ts)).sort(([, a], [, b]) => (direction === 'f' ? a - b : b - a));
        return Promise.resolve(all[0] && { eventId: all[0][0], originServerTs: all[0][1] });
      },
      mayLack: () => Promise.resolve(elsewhere.lacks),
      elsewhere: (moment) => {
        asked.push(moment);
        return Promise.resolve(elsewhere.answer);
      },
    },
  });
  await world.apply();
  const get = (who: string, query: Record<string, string>) => world.get(who, `/_matrix/client/v1/rooms/${room.roomId}/timestamp_to_event`, query);
  return { world, room, secret, first, last, times, asked, elsewhere, get };
}

test('at the time, after it, before it; what the user may not see is passed over', async () => {
  const { world, secret, first, last, asked, get } = await worldOf();
  const cases: [who: string, ts: number, dir: string, expected: string | undefined][] = [
    [alice, 0, 'f', secret.eventId], [bob, 0, 'f', first.eventId], [bob, 20, 'f', first.eventId], [bob, 21, 'f', last.eventId], [bob, 31, 'f', undefined],
    [bob, 29, 'b', first.eventId], [bob, 19, 'b', undefined], [alice, 19, 'b', secret.eventId], [alice, 99, 'b', last.eventId],
  ];
  for (const [who, ts, dir, expected] of cases) {
    const answer = await get(who, { ts: String(ts), dir });
    if (expected === undefined) assert.deepEqual([answer.status, answer.errcode], [404, 'M_NOT_FOUND']);
    else assert.equal(answer.event_id, expected, `${who} ${ts} ${dir}`);
  }
  assert.equal((await get(alice, { ts: '30', dir: 'f' })).origin_server_ts, 30);
  assert.equal(asked.length, 0);
  for (const query of [{ ts: '1' }, { dir: 'f' }] as Record<string, string>[]) assert.deepEqual((await get(alice, query)).errcode, 'M_MISSING_PARAM');
  for (const query of [{ ts: 'x', dir: 'f' }, { ts: '1', dir: 'up' }]) assert.deepEqual((await get(alice, query)).errcode, 'M_INVALID_PARAM');
  assert.equal((await get('@carol:history.test', { ts: '1', dir: 'f' })).errcode, 'M_FORBIDDEN');
  await world.close();
});

test('another server that knows a nearer one is believed once that is here; one that knows none that is nearer changes nothing', async () => {
  const { world, last, times, elsewhere, get, first, secret } = await worldOf();
  times.delete(secret.eventId);
  times.delete(first.eventId);
  elsewhere.lacks = true;
  elsewhere.answer = { eventId: first.eventId, originServerTs: 20 };
  elsewhere.more = ['more'];
  assert.equal((await get(alice, { ts: '5', dir: 'f' })).event_id, first.eventId);
  elsewhere.more = ['nothing'];
  assert.equal((await get(alice, { ts: '5', dir: 'f' })).event_id, last.eventId);
  elsewhere.answer = { eventId: '$farther', originServerTs: 40 };
  const { fetches } = elsewhere;
  assert.equal((await get(alice, { ts: '5', dir: 'f' })).event_id, last.eventId);
  assert.equal(elsewhere.fetches, fetches);
  await world.close();
});
