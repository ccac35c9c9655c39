/** Unread counts as /sync tells them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { putRule, mergedRules } from '../../../pkg/matrix/push-rules/change-rules.ts';
import type { PushRuleset } from '../../../pkg/matrix/push-rules/default-rules.ts';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, NOTHING_NEW } from '../../../test/kit/sync-world.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { countUnread } from './count-unread.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';
const zoe = '@zoe:elsewhere.test';
const BY_THREAD = JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } });
const QUIET = JSON.stringify({ room: { timeline: { types: [] }, ephemeral: { types: [] }, state: { types: [] } } });

async function prepare() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, visibility: 'shared' });
  for (const userId of [bob, carol, zoe]) room.member(userId, 'join');
  const world = await createSyncWorld(log);
  await world.apply();
  const counts = async (userId: string, filter?: string): Promise<unknown> => {
    await world.apply();
    const { unread_notifications: all, unread_thread_notifications: threads } = (await world.sync(userId, filter === undefined ? {} : { filter })).rooms.join[room.roomId];
    const pair = (one: { notification_count: number; highlight_count: number }) => [one.notification_count, one.highlight_count];
    return threads === undefined ? pair(all) : [pair(all), Object.fromEntries(Object.entries(threads).map(([root, one]) => [root, pair(one as never)]))];
  };
  const setRules = (userId: string, change: (rules: PushRuleset) => PushRuleset) =>
    world.applyUser({ userId, accountData: { roomId: '', type: 'm.push_rules', content: Buffer.from(JSON.stringify({ global: change(mergedRules(userId, undefined)) })) } });
  return { log, room, world, counts, setRules };
}

const text = (body: string, more: object = {}) => ({ msgtype: 'm.text', body, ...more });
const inThread = (root: string) => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });

test('messages of others count, mentions highlight, receipts read up to their event', async () => {
  const { room, counts } = await prepare();
  assert.deepEqual(await counts(bob), [0, 0]);
  const first = room.say(alice, 'one');
  room.send('m.room.message', alice, text('two', { 'm.mentions': { user_ids: [bob] } }));
  room.send('m.room.encrypted', alice, {});
  room.send('m.reaction', alice, { 'm.relates_to': { rel_type: 'm.annotation', event_id: first.eventId, key: 'x' } });
  room.send('m.room.message', alice, text('edit', { 'm.relates_to': { rel_type: 'm.replace', event_id: first.eventId } }));
  assert.deepEqual(await counts(bob), [3, 1]);
  assert.deepEqual(await counts(carol), [3, 0]);
  assert.deepEqual(await counts(alice), [0, 0], 'who writes has read');
  room.receipt(bob, first.eventId);
  assert.deepEqual(await counts(bob), [2, 1]);
  room.receipt(bob, room.timeline.at(-1)!, { receiptType: 'm.read.private' });
  assert.deepEqual(await counts(bob), [0, 0]);
  room.receipt(bob, first.eventId, { receiptType: 'm.read' });
  assert.deepEqual(await counts(bob), [0, 0], 'the one that is further ahead counts');
});

test('what somebody redacts counts no more, whoever was told', async () => {
  const { room, counts } = await prepare();
  const said = room.send('m.room.message', alice, text('x', { 'm.mentions': { user_ids: [bob, carol] } }));
  room.say(alice, 'y');
  assert.deepEqual(await counts(bob), [2, 1]);
  room.redact(alice, said.eventId);
  assert.deepEqual(await counts(bob), [1, 0]);
  assert.deepEqual(await counts(carol), [1, 0]);
  const other = room.send('m.room.message', alice, text('z', { 'm.mentions': { user_ids: [carol] } }));
  room.redact(alice, other.eventId);
  assert.deepEqual(await counts(carol), [1, 0], 'both in one batch');
});

test('nothing is counted for a room while nobody here is in it', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'far', creator: zoe, visibility: 'shared' });
  const world = await createSyncWorld(log);
  const look = async (): Promise<number> => {
    await world.apply();
    return (await world.database.query('SELECT start FROM unread_nodes WHERE level = 0')).length;
  };
  room.member('@yan:elsewhere.test', 'join');
  room.say(zoe, 'among us');
  assert.equal(await look(), 0);
  room.member(bob, 'invite', { sender: zoe });
  room.say(zoe, 'who is this?');
  assert.equal(await look(), 1, 'the invite is for one user, and told');
  room.member(bob, 'join');
  room.say(zoe, 'welcome');
  assert.equal(await look(), 2);
  assert.deepEqual((await world.sync(bob)).rooms.join[room.roomId]?.unread_notifications, { highlight_count: 0, notification_count: 1 });
  room.member(carol, 'join');
  room.member(bob, 'leave');
  room.say(zoe, 'still two');
  assert.equal(await look(), 3);
  room.member(carol, 'leave');
  room.say(zoe, 'gone');
  assert.equal(await look(), 3);
  // A room from before they were counted; what is known of it is read again when somebody's rules change.
  room.member(carol, 'join');
  await world.apply();
  await world.database.transaction((tx) => tx.run('UPDATE rooms SET joined_here = NULL'));
  await world.applyUser({ userId: carol, accountData: { roomId: '', type: 'm.push_rules', content: Buffer.from(JSON.stringify({ global: mergedRules(carol, undefined) })) } });
  room.member(carol, 'leave');
  room.say(zoe, 'gone again');
  assert.equal(await look(), 4);
  await world.close();
});

test('threads are counted and read apart', async () => {
  const { room, counts } = await prepare();
  const root = room.say(alice, 'root');
  const inside = room.send('m.room.message', alice, text('in the thread', inThread(root.eventId)));
  room.send('m.room.message', alice, text('two', { ...inThread(root.eventId), 'm.mentions': { user_ids: [bob] } }));
  room.send('org.example.answer', alice, { ...text('related'), msgtype: 'm.text', 'm.relates_to': { rel_type: 'm.reference', event_id: inside.eventId } });
  const main = room.say(alice, 'main');
  assert.deepEqual(await counts(bob, BY_THREAD), [[2, 0], { [root.eventId]: [2, 1] }]);
  assert.deepEqual(await counts(bob), [4, 1], 'together without the filter');
  room.receipt(bob, main.eventId, { threadId: 'main' });
  assert.deepEqual(await counts(bob, BY_THREAD), [[0, 0], { [root.eventId]: [2, 1] }]);
  room.receipt(bob, inside.eventId, { threadId: root.eventId });
  assert.deepEqual(await counts(bob, BY_THREAD), [[0, 0], { [root.eventId]: [1, 1] }]);
  room.receipt(carol, inside.eventId);
  assert.deepEqual(await counts(carol, BY_THREAD), [[1, 0], { [root.eventId]: [1, 0] }], 'a receipt without a thread reads all threads');
  room.receipt(bob, main.eventId);
  assert.deepEqual(await counts(bob, BY_THREAD), [0, 0]);
});

test('a relation of a relation of a thread is in it', async () => {
  const { room, counts, setRules } = await prepare();
  await setRules(bob, (rules) => putRule(rules, 'override', { rule_id: 'all', actions: ['notify'], conditions: [] }, {}));
  const root = room.say(alice, 'root');
  const inside = room.send('m.room.message', alice, text('x', inThread(root.eventId)));
  const edit = room.send('m.room.message', alice, text('y', { 'm.relates_to': { rel_type: 'm.replace', event_id: inside.eventId } }));
  assert.deepEqual(await counts(bob, BY_THREAD), [[1, 0], { [root.eventId]: [2, 0] }]);
  const third = room.send('m.room.message', alice, { 'm.relates_to': { rel_type: 'm.reference', event_id: edit.eventId } });
  assert.deepEqual(await counts(bob, BY_THREAD), [[1, 0], { [root.eventId]: [3, 0] }]);
  room.send('m.room.message', alice, { 'm.relates_to': { rel_type: 'm.reference', event_id: third.eventId } });
  assert.deepEqual(await counts(bob, BY_THREAD), [[2, 0], { [root.eventId]: [3, 0] }], 'three relations and no further');
});

test('sums are as if what was redacted had never been said', async () => {
  const { room, world, counts } = await prepare();
  const kept = room.say(alice, 'stays');
  const gone = room.say(alice, 'goes');
  assert.deepEqual(await counts(bob), [2, 0]);
  room.redact(alice, gone.eventId);
  assert.deepEqual(await counts(bob), [1, 0]);
  const sums = await world.database.query<{ sequence: number }>(`SELECT DISTINCT sequence FROM unread_nodes`);
  const [at] = await world.database.query<{ sequence: number }>('SELECT sequence FROM timeline WHERE event_id = ?', [kept.eventId]);
  assert.deepEqual(sums, [at]);
  await world.close();
});

test('what was redacted leads into no thread any more, in one batch as in two', async () => {
  for (const isOneBatch of [true, false]) {
    const { room, world, counts } = await prepare();
    const root = room.say(alice, 'root');
    const inside = room.send('m.room.message', alice, text('x', inThread(root.eventId)));
    room.send('m.room.message', alice, { 'm.relates_to': { rel_type: 'm.reference', event_id: inside.eventId } });
    if (!isOneBatch) await world.apply();
    room.redact(alice, inside.eventId);
    if (!isOneBatch) await world.apply();
    room.send('m.room.message', alice, { 'm.relates_to': { rel_type: 'm.reference', event_id: inside.eventId } });
    assert.deepEqual(await counts(bob, BY_THREAD), [[2, 0], { [root.eventId]: [1, 0] }]);
    await world.close();
  }
});

test('rules hold for what comes after them, in the rooms that they are about', async () => {
  const { log, room, world, counts, setRules } = await prepare();
  room.say(alice, 'before');
  await world.apply();
  await setRules(bob, (rules) => putRule(rules, 'room', { rule_id: room.roomId, actions: [] }, {}));
  room.say(alice, 'muted');
  assert.deepEqual(await counts(bob), [1, 0]);
  await setRules(bob, (rules) => putRule(rules, 'content', { rule_id: 'tea', pattern: 'tea', actions: ['notify', { set_tweak: 'highlight' }] }, {}));
  room.say(alice, 'some tea?');
  room.say(alice, 'or not');
  assert.deepEqual(await counts(bob), [3, 1]);
  assert.deepEqual(await counts(carol), [4, 0]);
  const groups = await world.database.query<{ audience: string }>(`SELECT DISTINCT audience FROM unread_nodes WHERE level = 0 ORDER BY audience`);
  assert.deepEqual(groups.map((row) => row.audience), ['#', bob], 'a keyword makes no group');
  const other = new RoomHistory(log, { name: 'two', creator: alice });
  other.member(bob, 'join');
  other.say(alice, 'tea here');
  await world.apply();
  assert.deepEqual((await world.sync(bob)).rooms.join[other.roomId].unread_notifications, { notification_count: 1, highlight_count: 1 });
});

test('who comes into a room has read what was before, also when they come again', async () => {
  const { room, counts, setRules } = await prepare();
  room.say(alice, 'one');
  room.member(bob, 'leave');
  room.say(alice, 'two');
  await setRules(bob, (rules) => putRule(rules, 'override', { rule_id: 'loud', actions: ['notify', { set_tweak: 'highlight' }], conditions: [] }, {}));
  room.member(bob, 'join');
  assert.deepEqual(await counts(bob), [0, 0]);
  room.say(alice, 'three');
  assert.deepEqual(await counts(bob), [1, 1]);
});

test('who ignores somebody is not told of them', async () => {
  const { room, world, counts } = await prepare();
  await world.applyUser({ userId: bob, accountData: { roomId: '', type: 'm.ignored_user_list', content: Buffer.from(JSON.stringify({ ignored_users: { [zoe]: {} } })) } });
  room.say(zoe, 'spam');
  room.say(alice, 'no spam');
  assert.deepEqual(await counts(bob), [1, 0]);
});

test('mentions of the room need the power to notify it', async () => {
  const { room, counts } = await prepare();
  const mention = (sender: string) => room.send('m.room.message', sender, text('all', { 'm.mentions': { room: true } }));
  mention(zoe);
  assert.deepEqual(await counts(bob), [1, 0]);
  mention(alice);
  assert.deepEqual(await counts(bob), [2, 1], 'who made the room may');
  room.state('m.room.power_levels', '', { users: { [zoe]: 50 } }, alice);
  mention(zoe);
  assert.deepEqual(await counts(bob), [3, 2]);
});

test('state events: a tombstone notifies, a name does not; not whoever sends it', async () => {
  const { room, counts } = await prepare();
  room.say(bob, 'x');
  room.state('m.room.name', '', { name: 'x' }, alice);
  room.state('m.room.tombstone', '', { body: 'x' }, bob);
  assert.deepEqual(await counts(carol), [2, 1]);
  assert.deepEqual(await counts(bob), [0, 0]);
});

test('a user’s display name in the room', async () => {
  const { room, counts, setRules } = await prepare();
  room.member(bob, 'join', { displayname: 'Bobby' });
  await setRules(bob, (rules) => putRule(rules, 'override', { rule_id: 'me', actions: ['notify', { set_tweak: 'highlight' }], conditions: [{ kind: 'contains_display_name' }] }, {}));
  room.say(alice, 'hello Bobby');
  assert.deepEqual(await counts(bob), [1, 1]);
  room.member(bob, 'join', { displayname: 'Rob' });
  room.say(alice, 'hello Bobby');
  room.say(alice, 'hello Rob');
  assert.deepEqual(await counts(bob), [3, 2]);
});

test('a receipt of another device is told, also to who wants to see nothing else; nobody else hears of a private one', async () => {
  const { room, world } = await prepare();
  const said = room.say(alice, 'x');
  await world.apply();
  const { next_batch: since } = await world.sync(bob, { filter: QUIET });
  let ended = false;
  const ofCarol = world.sync(carol, { since, filter: QUIET, timeout: '30000' }).finally(() => (ended = true));
  const ofBob = world.sync(bob, { since, filter: QUIET, timeout: '30000' });
  await world.runtime.settle();
  room.receipt(bob, said.eventId, { receiptType: 'm.read.private' });
  await world.apply();
  assert.deepEqual((await ofBob).rooms.join[room.roomId].unread_notifications, { notification_count: 0, highlight_count: 0 });
  await world.runtime.settle();
  assert.equal(ended, false);
  await world.runtime.advance(30_000);
  assert.deepEqual(Object.keys(await ofCarol), NOTHING_NEW);
});

test('what comes while a sync is answered is counted with what it has read', async () => {
  const { room, world } = await prepare();
  room.say(alice, 'x');
  await world.apply();
  const upper = room.log.events.get(room.timeline.at(-1)!)!.sequence;
  let queries = 0;
  const busy: Reader = {
    query: (sql, params) => world.database.query(sql, params),
    queryIn: async (sql, params, values) => {
      queries += 1;
      const rows = await world.database.queryIn(sql, params, values);
      if (queries === 1) {
        room.say(bob, 'y');
        await world.applyQuietly();
      }
      return rows as never;
    },
  };
  const counts = await countUnread(busy, bob, [{ roomId: room.roomId, upper }]);
  assert.deepEqual([...counts.get(room.roomId)!.threads], [], 'bob has read what was above, by what he said');
  assert.equal(queries, 4);
  assert.equal((await countUnread(world.database, carol, [{ roomId: room.roomId, upper }])).get(room.roomId)?.threads.get('main')?.notify, 2);
  await world.close();
});

test('all rooms are counted in two queries', async () => {
  const { log, room, world } = await prepare();
  const others = Array.from({ length: 5 }, (_, index) => new RoomHistory(log, { name: `r${index}`, creator: alice }));
  for (const other of others) other.member(bob, 'join');
  await world.apply();
  const { next_batch: since } = await world.sync(bob);
  const cost = async (): Promise<number> => {
    world.queries = 0;
    await world.sync(bob, { since });
    return world.queries;
  };
  // Only who asks again is remembered.
  await cost();
  room.say(alice, 'x');
  await world.apply();
  const one = await cost();
  for (const other of others) other.say(alice, 'x');
  await world.apply();
  assert.equal(await cost(), one);
});

test('a message costs a leaf for all who have the same rules; what receipts of all threads have passed is forgotten', async () => {
  const { room, world, counts } = await prepare();
  for (let index = 0; index < 50; index += 1) room.member(`@user${index}:history.test`, 'join');
  const root = room.say(alice, 'x');
  const inside = room.send('m.room.message', alice, text('y', inThread(root.eventId)));
  room.receipt(bob, inside.eventId, { threadId: root.eventId });
  assert.deepEqual(await counts(bob), [1, 0]);
  const rows = async (table: string, where: string) => (await world.database.query<{ count: number }>(`SELECT COUNT(*) AS count FROM ${table} WHERE ${where}`))[0]?.count;
  assert.equal(await rows('unread_nodes', 'level = 0'), 2);
  assert.equal(await rows('unread_marks', `user_id = '${bob}'`), 2);
  room.receipt(bob, inside.eventId);
  assert.deepEqual(await counts(bob), [0, 0]);
  assert.equal(await rows('unread_marks', `user_id = '${bob}'`), 1);
  await world.close();
});

test('purged events are not unread', async () => {
  const { log, room, world, counts } = await prepare();
  const said = Array.from({ length: 300 }, (_, index) => room.send('m.room.message', alice, text(`m${index}`, index % 100 === 0 ? { 'm.mentions': { user_ids: [bob] } } : {})));
  assert.deepEqual(await counts(bob), [300, 3]);
  log.append({ roomId: room.roomId, roomVersion: room.version.id, historyPurged: { toOrderKey: said[149]!.orderKey } });
  assert.deepEqual(await counts(bob), [150, 1]);
  room.receipt(bob, said[199]!.eventId);
  assert.deepEqual(await counts(bob), [100, 1]);
  await world.close();
});
