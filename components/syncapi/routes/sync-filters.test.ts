/** Forms of the answer that a client can choose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (section: any): string[] => section.events.map((event: any) => event.event_id);

async function prepare() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  return { room, world: await createSyncWorld(log) };
}

test('event_fields leaves the rest of events out, in timeline and state; what no event is without stays', async () => {
  const { room, world } = await prepare();
  room.state('m.room.topic', '', { topic: 'x', 'org.example.note': { a: 1, b: 2 } }, alice);
  room.say(alice, 'hello');
  await world.apply();
  const filter = JSON.stringify({ event_fields: ['content.body', 'content.org\\.example\\.note.a', 'unsigned.membership'], room: { timeline: { limit: 1 } } });
  const joined = (await world.sync(alice, { filter })).rooms.join[room.roomId];
  const [message] = joined.timeline.events;
  assert.deepEqual(Object.keys(message).sort(), ['content', 'event_id', 'origin_server_ts', 'sender', 'type', 'unsigned']);
  assert.deepEqual([message.content, message.unsigned], [{ body: 'hello' }, { membership: 'join' }]);
  const topic = joined.state.events.find((event: { type: string }) => event.type === 'm.room.topic');
  assert.deepEqual([topic.content, topic.state_key, topic.unsigned], [{ 'org.example.note': { a: 1 } }, '', undefined]);
  await world.close();
});

test('a timeline of no events says where to page from, beside the state', async () => {
  const { room, world } = await prepare();
  for (let n = 1; n <= 3; n++) room.say(alice, `m${n}`);
  await world.apply();
  const joined = (await world.sync(alice, { filter: JSON.stringify({ room: { timeline: { limit: 0 } } }) })).rooms.join[room.roomId];
  assert.deepEqual([ids(joined.timeline), joined.timeline.limited, joined.state.events.length], [[], true, 2]);
  const page = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', from: joined.timeline.prev_batch, limit: '100' });
  assert.deepEqual(ids({ events: page.chunk }), room.timeline.toReversed());
  await world.close();
});

test('state_after: what the timeline shows is in it, what began before the last sync is not; `state` is left out', async () => {
  const { room, world } = await prepare();
  room.state('m.room.name', '', { name: 'before' }, alice);
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  const hidden = room.state('m.room.topic', '', { topic: 'one' }, alice);
  for (let n = 1; n <= 12; n++) room.say(alice, `m${n}`);
  const shown = room.member(bob, 'join');
  await world.apply();
  const joined = (await world.sync(alice, { since, use_state_after: 'true' })).rooms.join[room.roomId];
  assert.deepEqual([ids(joined.state_after), joined.state], [[hidden.eventId, shown.eventId], undefined]);
  const quiet = room.say(alice, 'no state');
  await world.apply();
  const next = (await world.sync(alice, { since: (await world.sync(alice)).next_batch, use_state_after: 'true' })).rooms;
  assert.equal(next, undefined);
  const { state_after: none } = (await world.sync(bob, { since, use_state_after: 'true' })).rooms.join[room.roomId];
  assert.ok(ids(none).length === room.currentState().size && quiet.eventId !== '', 'who has just joined gets all of it');
  await world.close();
});
