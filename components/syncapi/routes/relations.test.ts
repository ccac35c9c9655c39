import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edit, ignore, react, relate, reply } from '../../../test/kit/relating.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

async function prepare(options: { visibility?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  room.member(bob, 'join');
  const world = await createSyncWorld(log);
  const path = (eventId: string, rest = '') => `/_matrix/client/v1/rooms/${encodeURIComponent(room.roomId)}/relations/${encodeURIComponent(eventId)}${rest}`;
  const ask = (who: string, eventId: string, query: Record<string, string> = {}, rest = '') => world.get(who, path(eventId, rest), query);
  /** All pages. */
  async function read(who: string, eventId: string, query: Record<string, string> = {}, rest = ''): Promise<string[]> {
    const found: string[] = [];
    for (let from: string | undefined, pages = 0; pages < 200; pages += 1) {
      const page = await ask(who, eventId, { ...query, ...(from !== undefined && { from }) }, rest);
      assert.ok(page.chunk.length <= Number(query['limit'] ?? 20));
      assert.equal(page.prev_batch !== undefined, from !== undefined);
      found.push(...ids(page.chunk));
      from = page.next_batch;
      if (from === undefined) return found;
    }
    throw new Error('no end');
  }
  return { log, room, world, ask, read };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (events: any[]): string[] => events.map((event) => event.event_id);

test('the events that relate to one: all, of a type of relation, of a type of event, in pages of any size and both directions', async () => {
  const { log, room, world, read, ask } = await prepare();
  const target = room.say(alice, 'target').eventId;
  const all = Array.from({ length: 12 }, (_, n) => {
    room.say(alice, 'between');
    return n % 3 === 0 ? react(room, bob, target, `${n}`).eventId : reply(room, n % 2 === 0 ? bob : alice, target).eventId;
  });
  relate(new RoomHistory(log, { name: 'two', creator: alice }), alice, { relType: 'm.thread', eventId: target });
  relate(room, alice, { relType: 'm.thread', eventId: '$unknown' });
  await world.apply();
  const threads = all.filter((_, n) => n % 3 !== 0);
  for (const limit of ['1', '5', '100']) {
    assert.deepEqual(await read(bob, target, { limit }), all.toReversed());
    assert.deepEqual(await read(bob, target, { limit, dir: 'f' }), all);
    assert.deepEqual(await read(bob, target, { limit }, '/m.thread'), threads.toReversed());
    assert.deepEqual(await read(bob, target, { limit }, '/m.thread/m.room.message'), threads.toReversed());
    assert.deepEqual(await read(bob, target, { limit }, '/m.thread/m.reaction'), []);
    assert.deepEqual(await read(bob, target, { limit }, '/m.annotation'), all.filter((_, n) => n % 3 === 0).toReversed());
  }
  const [first] = (await ask(bob, target, { limit: '1' })).chunk;
  assert.deepEqual([first.room_id, first.type, first.content['m.relates_to'].event_id, first.unsigned.membership], [room.roomId, 'm.room.message', target, 'join']);
  assert.equal('recursion_depth' in (await ask(bob, target)), false);
});

test('tokens of /messages and /sync lead on from where they are, and to where they are', async () => {
  const { room, world, ask } = await prepare();
  const target = room.say(alice, 'target').eventId;
  const before = reply(room, bob, target).eventId;
  await world.apply();
  const { next_batch: since } = await world.sync(bob);
  const { start } = await world.get(bob, `/rooms/${encodeURIComponent(room.roomId)}/messages`, { dir: 'b', limit: '1' });
  const later = [1, 2].map(() => reply(room, bob, target).eventId);
  await world.apply();
  for (const token of [since, start]) {
    assert.deepEqual(ids((await ask(bob, target, { from: token })).chunk), [before]);
    assert.deepEqual(ids((await ask(bob, target, { from: token, dir: 'f' })).chunk), later);
    assert.deepEqual(ids((await ask(bob, target, { to: token })).chunk), later.toReversed());
    assert.deepEqual(ids((await ask(bob, target, { from: token, to: token })).chunk), []);
  }
});

test('with recurse, what relates by way of others, three relations deep; all of them pass the filter', async () => {
  const { room, world, ask, read } = await prepare();
  const root = room.say(alice, 'root').eventId;
  const inThread = reply(room, bob, root).eventId;
  const edited = edit(room, bob, inThread, 'edited').eventId;
  const reaction = react(room, alice, inThread, '👍').eventId;
  const third = relate(room, alice, { relType: 'm.reference', eventId: edited }).eventId;
  relate(room, alice, { relType: 'm.reference', eventId: third });
  const direct = react(room, bob, root, '👍').eventId;
  await world.apply();
  for (const limit of ['1', '2', '20']) {
    assert.deepEqual(await read(bob, root, { recurse: 'true', limit }), [direct, third, reaction, edited, inThread]);
    assert.deepEqual(await read(bob, root, { recurse: 'true', limit, dir: 'f' }), [inThread, edited, reaction, third, direct]);
    assert.deepEqual(await read(bob, root, { recurse: 'true', limit }, '/m.annotation'), [direct], 'the other one is reached by a thread only');
  }
  assert.equal((await ask(bob, root, { recurse: 'true' })).recursion_depth, 3);
  assert.equal((await ask(bob, root, { recurse: 'false' })).recursion_depth, 0);
  assert.deepEqual(await read(bob, root), [direct, inThread]);
});

test('a tree too large to be read whole is told in the same pages', async () => {
  const { room, world, read } = await prepare();
  const [root, other] = ['root', 'other'].map((body) => room.say(alice, body).eventId) as [string, string];
  const expected: string[] = [];
  for (let n = 0; n < 400; n++) {
    const child = reply(room, bob, root).eventId;
    expected.push(child);
    if (n % 2 === 0) expected.push(react(room, alice, child, '👍').eventId);
    if (n % 5 === 0) reply(room, bob, other);
    if (n % 7 === 0) room.say(bob, 'between');
  }
  const redacted = expected.splice(300, 1)[0]!;
  const orphans = room.timeline.filter((eventId) => (room.log.events.get(eventId)?.pdu.content['m.relates_to'] as { event_id?: string } | undefined)?.event_id === redacted);
  room.redact(alice, redacted);
  await world.apply();
  const left = expected.filter((eventId) => !orphans.includes(eventId));
  assert.deepEqual(await read(alice, root, { recurse: 'true', limit: '100' }), left.toReversed());
  assert.deepEqual(await read(alice, root, { recurse: 'true', limit: '37', dir: 'f' }), left);
  assert.deepEqual(await read(alice, root, { recurse: 'true', limit: '50' }, '/m.thread'), left.filter((eventId) => room.log.events.get(eventId)?.pdu.type === 'm.room.message').toReversed());
});

test('only what the reader may see, and nothing of ignored users; of what those said, the answers of others', async () => {
  const { room, world, ask } = await prepare({ visibility: 'joined' });
  const target = room.say(bob, 'target').eventId;
  const early = reply(room, alice, target).eventId;
  room.member(carol, 'join');
  const late = reply(room, bob, target).eventId;
  const own = room.say(carol, 'own').eventId;
  const toOwn = reply(room, bob, own).eventId;
  await world.apply();
  assert.deepEqual(await ask(carol, target).then(({ status, errcode }) => [status, errcode]), [404, 'M_NOT_FOUND']);
  assert.deepEqual(ids((await ask(carol, own)).chunk), [toOwn]);
  room.member(bob, 'leave');
  const afterwards = reply(room, alice, target).eventId;
  await world.apply();
  assert.deepEqual(ids((await ask(bob, target)).chunk), [late, early]);
  await ignore(world, alice, [bob]);
  assert.deepEqual(ids((await ask(alice, target)).chunk), [afterwards, early]);
});

test('what is wrong is refused', async () => {
  const { room, world, ask } = await prepare();
  const target = room.say(alice, 'target').eventId;
  await world.apply();
  const refused = async (who: string, eventId: string, query: Record<string, string>): Promise<unknown[]> => {
    const { status, errcode } = await ask(who, eventId, query);
    return [status, errcode];
  };
  for (const query of [{ limit: '0' }, { limit: 'x' }, { dir: 'x' }, { recurse: 'x' }, { from: 'x' }, { to: 'x' }] as Record<string, string>[]) {
    assert.deepEqual(await refused(alice, target, query), [400, 'M_INVALID_PARAM'], JSON.stringify(query));
  }
  assert.deepEqual(await refused(alice, '$unknown', {}), [404, 'M_NOT_FOUND']);
  assert.deepEqual(await refused(carol, target, {}), [404, 'M_NOT_FOUND']);
  const other = new RoomHistory(room.log, { name: 'two', creator: alice });
  await world.apply();
  assert.deepEqual(await refused(alice, other.timeline[0]!, {}), [404, 'M_NOT_FOUND'], 'of another room');
});
