/** What users said who had their account erased: as it was for those who were in the room before, redacted for all who came later. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, type SyncWorld } from '../../../test/kit/sync-world.ts';

const alice = '@alice:history.test';
const bob = '@bob:history.test';
const carol = '@carol:history.test';
const dave = '@dave:history.test';

/** Where all partitions of the log are. */
function sequencesOf(log: HistoryLog): number[] {
  const sequences = new Array<number>(log.partitionMap.partitions).fill(0);
  for (const { partition, sequence } of log.records) sequences[partition] = sequence;
  return sequences;
}

async function scene() {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'tea', creator: alice, visibility: 'shared' });
  const world = await createSyncWorld(log);
  room.member(bob, 'join', { displayname: 'Bob' });
  room.member(carol, 'join');
  const said = room.say(bob, 'secret');
  const named = room.state('m.room.topic', '', { topic: 'Tea of Bob' }, bob);
  room.state('m.room.topic', '', { topic: 'Tea' }, alice);
  room.say(alice, 'hello');
  return { log, room, world, said, named };
}

/** Contents of the room's events as `who` sees them, by event ID. */
async function contents(world: SyncWorld, who: string, roomId: string): Promise<Map<string, Record<string, unknown>>> {
  const { chunk } = await world.get(who, `/rooms/${roomId}/messages`, { dir: 'b', limit: '50' });
  return new Map((chunk as { event_id: string; content: Record<string, unknown> }[]).map((event) => [event.event_id, event.content]));
}

test('who joined before the erasure goes on seeing all, also after leaving; who joins later sees redacted forms, everywhere', async () => {
  const { log, room, world, said, named } = await scene();
  room.member(bob, 'leave');
  await world.apply();
  const erasure = { userId: bob, deactivated: { erased: true, roomSequences: sequencesOf(log) } };
  room.member(dave, 'join');
  await world.apply();
  assert.equal((await contents(world, dave, room.roomId)).get(said.eventId)?.['body'], 'secret', 'nothing was asked for yet');
  await world.applyUser(erasure);
  room.member(carol, 'leave');
  room.member(carol, 'join');
  await world.apply();

  for (const who of [alice, carol]) {
    const seen = await contents(world, who, room.roomId);
    assert.deepEqual([seen.get(said.eventId)?.['body'], seen.get(named.eventId)?.['topic']], ['secret', 'Tea of Bob'], who);
  }
  const seen = await contents(world, dave, room.roomId);
  assert.deepEqual([seen.get(said.eventId), seen.get(named.eventId)], [{}, {}]);
  assert.ok([...seen.values()].some(({ body }) => body === 'hello'), 'of others all is there');
  assert.ok(![...seen.values()].some(({ displayname }) => displayname === 'Bob'));
  const event = await world.get(dave, `/rooms/${room.roomId}/event/${said.eventId}`);
  assert.deepEqual([event.content, event.unsigned.redacted_because, event.sender], [{}, undefined, bob], 'nobody has redacted it');
  const filter = JSON.stringify({ room: { timeline: { limit: 50 } } });
  const { timeline } = (await world.sync(dave, { filter })).rooms.join[room.roomId];
  const texts = JSON.stringify(timeline.events);
  assert.ok(!texts.includes('secret') && !texts.includes('Tea of Bob'), 'nor is it in prev_content');
  assert.ok(JSON.stringify((await world.sync(alice, { filter })).rooms.join[room.roomId].timeline).includes('secret'));
  const federation = JSON.stringify({ event_format: 'federation', room: { timeline: { limit: 50 } } });
  assert.ok(!JSON.stringify((await world.sync(dave, { filter: federation })).rooms.join[room.roomId].timeline).includes('secret'));
  await world.close();
});

test('who is deactivated without erasure is shown as before, and loses the account data', async () => {
  const { log, room, world, said } = await scene();
  await world.apply();
  await world.applyUser({ userId: bob, accountData: { roomId: '', type: 'org.example.a', content: Buffer.from('{"a":1}') } });
  await world.applyUser({ userId: bob, deactivated: { erased: false, roomSequences: [] } });
  room.member(dave, 'join');
  await world.apply();
  assert.equal((await contents(world, dave, room.roomId)).get(said.eventId)?.['body'], 'secret');
  assert.deepEqual(await world.database.query('SELECT type FROM account_data'), []);
  await world.applyUser({ userId: bob, deactivated: { erased: true, roomSequences: sequencesOf(log).map(() => 0) } });
  assert.deepEqual((await contents(world, dave, room.roomId)).get(said.eventId), {}, 'the erasure may be asked for later');
  await world.close();
});
