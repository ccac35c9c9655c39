import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edit, ignore, reply } from '../../../test/kit/relating.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

async function prepare(options: { visibility?: string; version?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  for (const userId of [bob, carol]) room.member(userId, 'join');
  const world = await createSyncWorld(log);
  const ask = (who: string, query: Record<string, string> = {}) => world.get(who, `/_matrix/client/v1/rooms/${encodeURIComponent(room.roomId)}/threads`, query);
  async function read(who: string, query: Record<string, string> = {}): Promise<string[]> {
    const found: string[] = [];
    for (let from: string | undefined, pages = 0; pages < 50; pages += 1) {
      const page = await ask(who, { ...query, ...(from !== undefined && { from }) });
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      found.push(...page.chunk.map((event: any) => event.event_id));
      from = page.next_batch;
      if (from === undefined) return found;
    }
    throw new Error('no end');
  }
  return { log, room, world, ask, read };
}

test('threads come by their newest events, in pages; those of a user by what they sent', async () => {
  const { room, world, ask, read } = await prepare();
  const roots = Array.from({ length: 6 }, (_, n) => room.say(n === 0 ? bob : alice, `root ${n}`).eventId);
  for (const n of [0, 1, 2, 3, 4, 5, 2, 0, 4]) reply(room, n === 4 ? bob : carol, roots[n]!);
  edit(room, alice, roots[5]!, 'no news of the thread');
  await world.apply();
  const order = [4, 0, 2, 5, 3, 1].map((n) => roots[n]);
  for (const limit of ['1', '2', '4', '50']) {
    assert.deepEqual(await read(carol, { limit }), order);
    assert.deepEqual(await read(bob, { limit, include: 'participated' }), [roots[4], roots[0]]);
  }
  const [newest] = (await ask(carol)).chunk;
  const { 'm.thread': thread } = newest.unsigned['m.relations'];
  assert.deepEqual([thread.count, thread.latest_event.sender, thread.current_user_participated, newest.room_id], [2, bob, false, room.roomId]);
});

test('redacted answers leave the thread behind its others, and take it with the last', async () => {
  const { room, world, read } = await prepare();
  const [first, second] = ['first', 'second'].map((body) => room.say(alice, body).eventId) as [string, string];
  reply(room, bob, first);
  const only = reply(room, bob, second).eventId;
  const newest = reply(room, bob, first).eventId;
  await world.apply();
  assert.deepEqual(await read(bob), [first, second]);
  room.redact(bob, newest);
  await world.apply();
  assert.deepEqual(await read(bob), [second, first]);
  room.redact(bob, only);
  await world.apply();
  assert.deepEqual(await read(bob), [first]);
});

test('roots that are not here, in other rooms, or relate to others themselves are not told', async () => {
  const { log, room, world, read } = await prepare();
  const other = new RoomHistory(log, { name: 'two', creator: alice });
  const root = room.say(alice, 'root').eventId;
  const inThread = reply(room, bob, root).eventId;
  for (const eventId of [inThread, '$unknown', other.say(alice, 'elsewhere').eventId]) reply(room, bob, eventId);
  await world.apply();
  assert.deepEqual(await read(bob), [root]);
});

for (const version of ['1', '12']) {
  test(`what an ignored user began is shown redacted, as long as others answer: version ${version}`, async () => {
    const { room, world, ask, read } = await prepare({ version });
    const [root, own] = ['root', 'own'].map((body) => room.say(bob, body).eventId) as [string, string];
    reply(room, carol, root);
    reply(room, bob, own);
    await world.apply();
    await ignore(world, alice, [bob]);
    assert.deepEqual(await read(alice), [root]);
    const [shown] = (await ask(alice)).chunk;
    assert.deepEqual([shown.content, shown.sender, shown.type, shown.unsigned['m.relations']['m.thread'].count], [{}, bob, 'm.room.message', 1]);
    assert.deepEqual(await read(carol), [own, root]);
  });
}

test('who has left sees what was there; who was never in is refused', async () => {
  const { room, world, ask } = await prepare();
  const root = room.say(alice, 'root').eventId;
  const seen = reply(room, alice, root).eventId;
  room.member(bob, 'leave');
  reply(room, alice, root);
  await world.apply();
  const [shown] = (await ask(bob)).chunk;
  assert.deepEqual([shown.event_id, shown.unsigned['m.relations']['m.thread'].latest_event.event_id, shown.unsigned['m.relations']['m.thread'].count], [root, seen, 1]);
  for (const [who, query, verdict] of [
    ['@dave:history.test', {}, [403, 'M_FORBIDDEN']], [alice, { from: 'x' }, [400, 'M_INVALID_PARAM']], [alice, { limit: '0' }, [400, 'M_INVALID_PARAM']], [alice, { include: 'x' }, [400, 'M_INVALID_PARAM']],
  ] as [string, Record<string, string>, unknown[]][]) {
    const { status, errcode } = await ask(who, query);
    assert.deepEqual([status, errcode], verdict);
  }
});
