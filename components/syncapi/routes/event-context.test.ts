import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (events: any): string[] => events.map((event: any) => event.event_id);

async function prepare(options: { visibility?: string } = {}) {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice, ...options });
  const world = await createSyncWorld(log);
  const context = (who: string, eventId: string, query: Record<string, string> = {}) => world.get(who, `/rooms/${encodeURIComponent(room.roomId)}/context/${encodeURIComponent(eventId)}`, query);
  const messages = (who: string, query: Record<string, string>) => world.get(who, `/rooms/${encodeURIComponent(room.roomId)}/messages`, query);
  return { log, room, world, context, messages };
}

test('what lies before and after, split evenly, and tokens that lead on without holes or repeats', async () => {
  const { room, world, context, messages } = await prepare();
  for (let n = 1; n <= 20; n++) room.say(alice, `m${n}`);
  await world.apply();
  const target = room.timeline[11] as string;
  for (const [limit, before, after] of [[undefined, 5, 5], ['5', 2, 3], ['1', 0, 1], ['0', 0, 0], ['1000', 11, 10]] as const) {
    const answer = await context(alice, target, limit === undefined ? {} : { limit });
    assert.deepEqual(ids(answer.events_before), room.timeline.slice(11 - before, 11).toReversed(), String(limit));
    assert.deepEqual(ids(answer.events_after), room.timeline.slice(12, 12 + after));
    assert.deepEqual([answer.event.event_id, answer.event.room_id, answer.event.unsigned.membership], [target, room.roomId, 'join']);
    assert.deepEqual(ids((await messages(alice, { dir: 'b', from: answer.start, limit: '100' })).chunk), room.timeline.slice(0, 11 - before).toReversed());
    assert.deepEqual(ids((await messages(alice, { dir: 'f', from: answer.end, limit: '100' })).chunk), room.timeline.slice(12 + after));
  }
  await world.close();
});

test('the state is that of the last event; a filter counts for all but the event itself', async () => {
  const { room, world, context } = await prepare();
  room.member(bob, 'join', { displayname: 'Bob' });
  room.member(carol, 'join');
  const early = room.state('m.room.topic', '', { topic: 'early' }, alice);
  const target = room.say(bob, 'here');
  room.say(alice, 'after');
  const late = room.state('m.room.topic', '', { topic: 'late' }, alice);
  await world.apply();
  const near = await context(alice, target.eventId, { limit: '2' });
  assert.ok(ids(near.state).includes(early.eventId) && !ids(near.state).includes(late.eventId));
  assert.equal(near.state.length, 5);
  const far = await context(alice, target.eventId, { limit: '4' });
  assert.ok(ids(far.state).includes(late.eventId), 'the last event returned is the later topic');
  const lazy = await context(alice, target.eventId, { limit: '0', filter: JSON.stringify({ lazy_load_members: true }) });
  const members = lazy.state.filter((event: { type: string }) => event.type === 'm.room.member');
  assert.deepEqual(members.map((event: { state_key: string }) => event.state_key), [bob]);
  const none = await context(alice, target.eventId, { filter: JSON.stringify({ types: ['m.room.topic'] }) });
  assert.deepEqual([ids(none.events_before), none.event.event_id, ids(none.events_after), ids(none.state)], [[early.eventId], target.eventId, [late.eventId], [late.eventId]]);
  await world.close();
});

test('only who may see the event gets its context, and of that what they may see', async () => {
  const { room, world, context } = await prepare({ visibility: 'joined' });
  const before = room.say(alice, 'before bob');
  room.member(bob, 'join');
  const during = room.say(alice, 'with bob');
  const leave = room.member(bob, 'leave');
  const after = room.say(alice, 'after bob');
  await world.apply();
  const seen = await context(bob, during.eventId, { limit: '20' });
  assert.deepEqual(ids(seen.events_after), [leave.eventId]);
  assert.ok(!ids(seen.events_before).includes(before.eventId));
  for (const [who, eventId, verdict] of [[bob, before.eventId, '404 M_NOT_FOUND'], [bob, after.eventId, '404 M_NOT_FOUND'], [alice, '$nothing', '404 M_NOT_FOUND'], [carol, during.eventId, '403 M_FORBIDDEN']] as const) {
    const { status, errcode } = await context(who, eventId);
    assert.equal(`${status} ${errcode}`, verdict);
  }
  for (const query of [{ limit: '-1' }, { limit: 'x' }]) assert.equal((await context(alice, during.eventId, query)).errcode, 'M_INVALID_PARAM');
  assert.equal((await context(alice, during.eventId, { filter: '{"types":1}' })).errcode, 'M_BAD_JSON');
  await world.close();
});

test('anybody sees the context of what the world may read, and nothing beside it', async () => {
  const { room, world, context } = await prepare();
  const hidden = room.say(alice, 'not yet');
  room.state('m.room.history_visibility', '', { history_visibility: 'world_readable' }, alice);
  const open = room.say(alice, 'to the world');
  const closing = room.state('m.room.history_visibility', '', { history_visibility: 'shared' }, alice);
  room.say(alice, 'no more');
  await world.apply();
  const answer = await context(carol, open.eventId, { limit: '20' });
  assert.ok(!ids(answer.events_before).includes(hidden.eventId));
  assert.deepEqual(ids(answer.events_after), [closing.eventId]);
  assert.equal(answer.event.unsigned.membership, 'leave');
  assert.equal((await context(carol, hidden.eventId)).status, 403);
  await world.close();
});

test('each way of reading tells the same of an event: what it replaced, what redacted it, and to the sending device its transaction', async () => {
  const { room, world, context, messages } = await prepare();
  const first = room.state('m.room.topic', '', { topic: 'one' }, alice);
  const { next_batch: since } = (await world.apply(), await world.sync(alice));
  const second = room.state('m.room.topic', '', { topic: 'two' }, alice);
  const sent = room.send('m.room.message', alice, { body: 'mine' }, { deviceId: 'PHONE', txnId: 'txn7' });
  const gone = room.say(alice, 'gone');
  const redaction = room.redact(alice, gone.eventId);
  await world.apply();
  const phone = `${alice}/PHONE`;
  const path = `/rooms/${encodeURIComponent(room.roomId)}/event/`;
  for (const who of [phone, `${alice}/OTHER`]) {
    const synced = (await world.sync(who, { since })).rooms.join[room.roomId].timeline.events;
    const paged = (await messages(who, { dir: 'b', limit: '4' })).chunk.toReversed();
    const around = [];
    const single = [];
    for (const { eventId } of [second, sent, gone, redaction]) {
      around.push((await context(who, eventId, { limit: '0' })).event);
      single.push(await world.get(who, path + encodeURIComponent(eventId)));
    }
    for (const [topic, message, redacted, redacting] of [synced, paged, around, single]) {
      assert.deepEqual([topic.unsigned.replaces_state, topic.unsigned.prev_content], [first.eventId, { topic: 'one' }]);
      assert.equal(message.unsigned.transaction_id, who === phone ? 'txn7' : undefined);
      assert.deepEqual([redacted.content, redacted.unsigned.redacted_because.event_id, redacting.event_id], [{}, redaction.eventId, redaction.eventId]);
      for (const event of [topic, message, redacted, redacting]) assert.deepEqual([event.unsigned.membership, typeof event.unsigned.age], ['join', 'number']);
    }
  }
  await world.close();
});
