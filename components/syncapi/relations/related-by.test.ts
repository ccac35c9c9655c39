import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edit, react, reply } from '../../../test/kit/relating.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

async function prepare() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  room.member(bob, 'join');
  const [plain, threaded, edited, liked] = ['plain', 'threaded', 'edited', 'liked'].map((body) => room.say(alice, body).eventId) as [string, string, string, string];
  const answer = reply(room, bob, threaded).eventId;
  edit(room, alice, edited, 'again');
  const like = react(room, bob, liked, '👍').eventId;
  const world = await createSyncWorld(log);
  await world.apply();
  return { room, world, plain, threaded, edited, liked, answer, like };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (events: any[]): string[] => events.map((event) => event.event_id);

test('pages, contexts and syncs show only what is related to as the filter says', async () => {
  const { room, world, plain, threaded, edited, liked, like } = await prepare();
  const found = async (filter: object): Promise<string[]> => {
    const path = `/rooms/${encodeURIComponent(room.roomId)}`;
    const page = ids((await world.get(bob, `${path}/messages`, { dir: 'f', filter: JSON.stringify(filter) })).chunk);
    const { timeline } = (await world.sync(bob, { filter: JSON.stringify({ room: { timeline: { ...filter, limit: 20 } } }) })).rooms.join[room.roomId];
    assert.deepEqual(ids(timeline.events), page);
    const around = await world.get(bob, `${path}/context/${encodeURIComponent(plain)}`, { limit: '50', filter: JSON.stringify(filter) });
    assert.deepEqual(ids([...around.events_before.toReversed(), ...around.events_after]), page);
    return page;
  };
  assert.deepEqual(await found({ related_by_rel_types: ['m.thread'] }), [threaded]);
  assert.deepEqual(await found({ related_by_senders: [bob] }), [threaded, liked]);
  assert.deepEqual(await found({ related_by_rel_types: ['m.replace', 'm.annotation'] }), [edited, liked]);
  assert.deepEqual(await found({ related_by_rel_types: ['m.replace', 'm.annotation'], related_by_senders: [bob, '@nobody:else.test'] }), [liked]);
  assert.deepEqual(await found({ related_by_rel_types: ['m.reference'] }), []);
  room.redact(bob, like);
  await world.apply();
  assert.deepEqual(await found({ related_by_senders: [bob] }), [threaded]);
});

test('such a filter takes one query more, and has a bounded length', async () => {
  const { room, world } = await prepare();
  const ask = async (filter: object) => {
    world.queries = 0;
    const answer = await world.get(bob, `/rooms/${encodeURIComponent(room.roomId)}/messages`, { dir: 'b', filter: JSON.stringify(filter) });
    return { ...answer, queries: world.queries };
  };
  const nothing = await ask({ types: ['none'] });
  assert.equal((await ask({ types: ['none'], related_by_senders: [bob] })).queries, nothing.queries + 1);
  const long = await ask({ related_by_senders: Array.from({ length: 101 }, (_, n) => `@u${n}:else.test`) });
  assert.deepEqual([long.status, long.errcode], [400, 'M_BAD_JSON']);
});
