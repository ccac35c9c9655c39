import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
const ids = (section: any): string[] => (section?.events ?? []).map((event: any) => event.event_id);

test('after a purge nothing of it is read; pages end; clients that had not all of it hear of a gap and of the state', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'old', creator: alice });
  const world = await createSyncWorld(log);
  await world.apply();
  const { next_batch: early } = await world.sync(alice);
  const said = Array.from({ length: 30 }, (_, number) => room.say(alice, `m${number}`).eventId);
  const topic = room.state('m.room.topic', '', { topic: 'purged, and still the topic' }, alice).eventId;
  room.redact(alice, said[3]!);
  const kept = Array.from({ length: 3 }, (_, number) => room.say(alice, `k${number}`).eventId);
  await world.apply();
  const { next_batch: late } = await world.sync(alice);
  const first = log.events.get(kept[0]!)!.orderKey;
  log.append({ roomId: room.roomId, roomVersion: room.version.id, historyPurged: { toOrderKey: first - 1 } });
  await world.apply();

  assert.equal((await world.get(alice, `/rooms/${room.roomId}/event/${said[5]}`)).status, 404);
  const page = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '2' });
  assert.deepEqual(page.chunk.map((event: { event_id: string }) => event.event_id), [kept[2], kept[1]]);
  const last = await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', limit: '2', from: page.end });
  assert.deepEqual([last.chunk.map((event: { event_id: string }) => event.event_id), last.end], [[kept[0]], undefined]);
  const behind = (await world.sync(alice, { since: early })).rooms.join[room.roomId];
  assert.deepEqual([behind.timeline.limited, ids(behind.timeline), ids(behind.state)], [true, kept, [topic]]);
  assert.deepEqual((await world.get(alice, `/rooms/${room.roomId}/messages`, { dir: 'b', from: behind.timeline.prev_batch })).chunk, []);
  const afresh = (await world.sync(alice)).rooms.join[room.roomId];
  assert.deepEqual(ids(afresh.timeline), kept);
  assert.ok(ids(afresh.state).includes(topic));
  const next = room.say(alice, 'next').eventId;
  await world.apply();
  const now = (await world.sync(alice, { since: late })).rooms.join[room.roomId];
  assert.deepEqual([now.timeline.limited, ids(now.timeline), ids(now.state)], [false, [next], []]);
  assert.equal((await world.database.query('SELECT event_id FROM redactions')).length, 0);
  await world.close();
});

test('a read model that is made anew after a purge tells of the same gap', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'old', creator: alice });
  const world = await createSyncWorld(log);
  await world.apply();
  const { next_batch: early } = await world.sync(alice);
  const kept = room.say(alice, 'kept').eventId;
  await world.apply();
  const { next_batch: late } = await world.sync(alice);
  // What has gone is not in the records any more.
  const { sequence } = log.append({ roomId: room.roomId, roomVersion: room.version.id, historyPurged: { toOrderKey: -1, toSequence: log.events.get(kept)!.sequence } });
  assert.ok(sequence > 0);
  await world.apply();
  const behind = (await world.sync(alice, { since: early })).rooms.join[room.roomId];
  assert.deepEqual([behind.timeline.limited, ids(behind.timeline)], [true, [kept]]);
  assert.deepEqual((await world.sync(alice, { since: late })).rooms?.join ?? {}, {});
  await world.close();
});
