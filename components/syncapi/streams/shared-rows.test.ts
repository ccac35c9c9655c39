import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld } from '../../../test/kit/sync-world.ts';
import { createSharedRows, type SharedRoom } from './shared-rows.ts';

type Row = { room_id: string; n: number };

/** Reads one row a room, and says which were asked for. */
function reading(): { asked: string[][]; read: (rooms: readonly SharedRoom[]) => Promise<Row[]> } {
  const asked: string[][] = [];
  return { asked, read: async (rooms) => (asked.push(rooms.map(({ roomId }) => roomId)), rooms.map(({ roomId, bound }) => ({ room_id: roomId, n: bound }))) };
}

const room = (roomId: string, lastSequence: number, bound = 0): SharedRoom => ({ roomId, lastSequence, bound });

test('rooms are read once while they stand still, also for who asks meanwhile; again when they have gone on, or for something else', async () => {
  const shared = createSharedRows(100_000);
  const { asked, read } = reading();
  const answers = await Promise.all([shared.get('a', [room('!1', 5), room('!2', 5)], read), shared.get('a', [room('!2', 5), room('!3', 5)], read)]);
  assert.deepEqual(answers.map((rows) => rows.map((row) => row.room_id).sort()), [['!1', '!2'], ['!2', '!3']]);
  assert.deepEqual(asked, [['!1', '!2'], ['!3']]);
  await shared.get('a', [room('!1', 6), room('!2', 5)], read);
  await shared.get('a', [room('!2', 5, 7)], read);
  await shared.get('b', [room('!2', 5)], read);
  assert.deepEqual(asked.slice(2), [['!1'], ['!2'], ['!2']]);
  await shared.get('a', [room('!1', 5)], read);
  assert.deepEqual(asked.length, 6, 'what is older than what is kept is read, not guessed');
});

test('a room without rows is known to have none; a failed read is tried again', async () => {
  const shared = createSharedRows(100_000);
  let reads = 0;
  const none = async (): Promise<Row[]> => ((reads += 1), []);
  for (let time = 0; time < 2; time++) assert.deepEqual(await shared.get('a', [room('!1', 1)], none), []);
  assert.equal(reads, 1);
  const fails = (): Promise<Row[]> => Promise.reject(new Error('away'));
  const both = [shared.get('a', [room('!2', 1)], fails), shared.get('a', [room('!2', 1)], none)];
  assert.deepEqual((await Promise.allSettled(both)).map(({ status }) => status), ['rejected', 'rejected']);
  assert.deepEqual(await shared.get('a', [room('!2', 1)], none), []);
});

test('memory is bounded; what was used last stays longest', async () => {
  const shared = createSharedRows(20_000);
  const many = async (rooms: readonly SharedRoom[]): Promise<Row[]> => rooms.flatMap(({ roomId }) => Array.from({ length: 5 }, (_, n) => ({ room_id: roomId, n })));
  for (let n = 0; n < 100; n++) {
    await shared.get('a', [room('!kept', 1)], many);
    await shared.get('a', [room(`!${n}`, 1)], many);
    assert.ok(shared.bytes() <= 20_000);
  }
  let reads = 0;
  const counted = (rooms: readonly SharedRoom[]): Promise<Row[]> => ((reads += 1), many(rooms));
  await shared.get('a', [room('!kept', 1)], counted);
  assert.equal(reads, 0);
  await shared.get('a', [room('!1', 1)], counted);
  assert.equal(reads, 1);
  await shared.get('a', [room('!big', 1)], async () => Array.from({ length: 1000 }, (_, n) => ({ room_id: '!big', n })));
  await shared.get('a', [room('!1', 1)], counted);
  assert.equal(reads, 1, 'what is too big is not kept, and drives out nothing');
});

test('who hears of the same news in the same room makes fewer queries than the first', async () => {
  const log = new HistoryLog();
  const users = Array.from({ length: 6 }, (_, n) => `@user${n}:history.test`);
  const history = new RoomHistory(log, { name: 'one', creator: users[0]! });
  for (const userId of users.slice(1)) history.member(userId, 'join');
  const world = await createSyncWorld(log);
  await world.apply();
  const tokens = new Map<string, string>();
  for (const userId of users) tokens.set(userId, (await world.sync(userId)).next_batch);
  history.say(users[0]!, 'to all');
  history.receipt(users[1]!, history.timeline.at(-1)!);
  history.state('m.room.topic', '', { topic: 'x' }, users[0]!);
  await world.apply();
  const counts: number[] = [];
  for (const userId of users) {
    const before = world.queries;
    const answer = await world.sync(userId, { since: tokens.get(userId)!, use_state_after: 'true' });
    counts.push(world.queries - before);
    const joined = answer.rooms.join[history.roomId];
    assert.deepEqual([joined.timeline.events.length, joined.state_after.events.length, joined.ephemeral.events.length], [2, 1, 1]);
  }
  assert.ok(counts.slice(1).every((count) => count <= counts[0]! - 3), `timeline, state and receipts are read once: ${counts}`);
  await world.close();
});
