/** What the spec says in prose of push rules, notification counts and receipts, from the request to the /sync that tells of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { answerTo } from './answers.ts';
import { createScene, type Scene } from './scene.ts';
import { CLIENT, type Account, type Answer } from './world.ts';

type Body = Answer['body'];

describe('push rules and counts as clients see them', () => {
  let scene: Scene;
  before(async () => void (scene = await createScene()));
  after(() => scene.world.close());

  async function get(account: Account, operationId: string, path: string): Promise<Body> {
    const answer = await answerTo(scene.world, operationId, { method: 'GET', path: CLIENT + path, token: account.token });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  }
  const sync = (account: Account, query: Record<string, string> = {}): Promise<Body> => get(account, 'sync', `/sync?${new URLSearchParams({ timeout: '0', ...query })}`);
  const ask = (account: Account, method: string, path: string, body: object = {}): Promise<Body> => scene.world.ask(account, method, path, body);
  const say = async (account: Account, roomId: string, content: object): Promise<string> =>
    (await ask(account, 'PUT', `/rooms/${roomId}/send/m.room.message/${scene.next()}`, { msgtype: 'm.text', body: 'x', ...content })).event_id as string;
  async function roomOfTwo(): Promise<string> {
    const roomId = await scene.newRoom();
    await ask(scene.bob, 'POST', `/join/${roomId}`);
    return roomId;
  }
  async function counts(account: Account, roomId: string, filter: object = {}): Promise<unknown[]> {
    const room = (await sync(account, { filter: JSON.stringify(filter) })).rooms.join[roomId];
    const pair = (one: Body): number[] => [one.notification_count, one.highlight_count];
    const threads = Object.entries(room.unread_thread_notifications ?? {}).map(([root, one]) => [root, ...pair(one)]);
    return [...pair(room.unread_notifications), ...threads];
  }
  const BY_THREAD = { room: { timeline: { unread_thread_notifications: true } } };

  test('a count is in the sync of its event, and a receipt on one device wakes the others', async () => {
    const roomId = await roomOfTwo();
    const { next_batch: since } = await sync(scene.bob);
    const waiting = sync(scene.bob, { since, timeout: '10000' });
    const eventId = await say(scene.alice, roomId, { 'm.mentions': { user_ids: [scene.bob.userId] } });
    const told = await waiting;
    const room = told.rooms.join[roomId];
    assert.deepEqual(room.timeline.events.map((event: Body) => event.event_id), [eventId]);
    assert.deepEqual(room.unread_notifications, { notification_count: 1, highlight_count: 1 });
    const cleared = sync(scene.bob, { since: told.next_batch, timeout: '10000', filter: JSON.stringify({ room: { ephemeral: { types: [] } } }) });
    await ask(scene.bob, 'POST', `/rooms/${roomId}/receipt/m.read.private/${eventId}`);
    assert.deepEqual((await cleared).rooms.join[roomId].unread_notifications, { notification_count: 0, highlight_count: 0 });
    assert.deepEqual(await counts(scene.bob, roomId), [0, 0]);
  });

  test('threads are counted apart for who asks; receipts that name a thread clear it alone', async () => {
    const roomId = await roomOfTwo();
    const root = await say(scene.alice, roomId, {});
    const inside = await say(scene.alice, roomId, { 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
    assert.deepEqual(await counts(scene.bob, roomId), [2, 0]);
    assert.deepEqual(await counts(scene.bob, roomId, BY_THREAD), [1, 0, [root, 1, 0]]);
    await ask(scene.bob, 'POST', `/rooms/${roomId}/receipt/m.read/${root}`, { thread_id: 'main' });
    assert.deepEqual(await counts(scene.bob, roomId, BY_THREAD), [0, 0, [root, 1, 0]]);
    await ask(scene.bob, 'POST', `/rooms/${roomId}/receipt/m.read/${inside}`, { thread_id: root });
    assert.deepEqual(await counts(scene.bob, roomId, BY_THREAD), [0, 0]);
  });

  test('the read marker does not clear counts, the receipts that come with it do', async () => {
    const roomId = await roomOfTwo();
    const [first, second] = [await say(scene.alice, roomId, {}), await say(scene.alice, roomId, {})];
    await ask(scene.bob, 'POST', `/rooms/${roomId}/read_markers`, { 'm.fully_read': second });
    assert.deepEqual(await counts(scene.bob, roomId), [2, 0]);
    await ask(scene.bob, 'POST', `/rooms/${roomId}/read_markers`, { 'm.fully_read': second, 'm.read': first, 'm.read.private': second });
    assert.deepEqual(await counts(scene.bob, roomId), [0, 0]);
    const events: Body[] = (await sync(scene.alice)).rooms.join[roomId].ephemeral.events;
    assert.deepEqual(events.flatMap((event) => Object.entries(event.content)).map(([eventId, types]) => [eventId, ...Object.keys(types as object)]), [[first, 'm.read']], 'nobody else sees the private one');
  });

  test('a rule that was set holds for the next message, and all clients are told of it', async () => {
    const roomId = await roomOfTwo();
    const { next_batch: since } = await sync(scene.bob);
    const waiting = sync(scene.bob, { since, timeout: '10000' });
    await ask(scene.bob, 'PUT', `/pushrules/global/content/${scene.next()}`, { pattern: 't?a', actions: ['notify', { set_tweak: 'highlight' }] });
    const [event] = (await waiting).account_data.events;
    assert.deepEqual([event.type, event.content.global.content[0].pattern], ['m.push_rules', 't?a']);
    await ask(scene.bob, 'PUT', `/pushrules/global/room/${roomId}`, { actions: [] });
    await say(scene.alice, roomId, { body: 'nothing' });
    await say(scene.alice, roomId, { body: 'Tea?' });
    assert.deepEqual(await counts(scene.bob, roomId), [1, 1]);
    await ask(scene.bob, 'PUT', `/pushrules/global/room/${roomId}/enabled`, { enabled: false });
    await say(scene.alice, roomId, { body: 'nothing' });
    assert.deepEqual(await counts(scene.bob, roomId), [2, 1]);
    await ask(scene.bob, 'DELETE', `/pushrules/global/room/${roomId}`);
    await ask(scene.bob, 'PUT', '/pushrules/global/override/.m.rule.master/enabled', { enabled: true });
    await say(scene.alice, roomId, { body: 'Tea?' });
    assert.deepEqual(await counts(scene.bob, roomId), [2, 1]);
    await ask(scene.bob, 'PUT', '/pushrules/global/override/.m.rule.master/enabled', { enabled: false });
    const { notifications } = await get(scene.bob, 'getNotifications', '/notifications?limit=2');
    assert.deepEqual(notifications.map((one: Body) => [one.event.content.body, one.room_id, one.read]), [['nothing', roomId, false], ['Tea?', roomId, false]]);
  });
});
