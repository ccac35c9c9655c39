import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { input, KEY, SERVER, START_MS } from '../../../test/kit/room-driver.ts';
import { createRoomProcessor } from '../input/processor.ts';
import { roomserverMigrations } from '../storage/migrations.ts';

const ROOM = '!room:one.test';
const SLICE = 200;

test('one batch takes in two slices; the others wait a moment, so that other rooms have their turn', async () => {
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'roomserver', roomserverMigrations, START_MS);
  const create = { type: 'm.room.create', state_key: '', sender: '@a:one.test', room_id: ROOM, content: { creator: '@a:one.test', room_version: '10' }, auth_events: [], prev_events: [], depth: 1, origin_server_ts: 1 };
  const asked: number[] = [];
  const slice = async (_stageId: string, from: number, to: number) => {
    asked.push(from);
    return Array.from({ length: to - from }, (_, index) => ({ eventId: `$${from + index}`, inState: false, pdu: Buffer.from(JSON.stringify(create)) }));
  };
  const typing = { set: () => undefined, forget: () => undefined };
  const processor = createRoomProcessor({ database, serverName: SERVER, signingKey: KEY, typing, stagedState: { slice, stateIds: async () => [] } });
  const inputs = [0, 1, 2].map((number) => processor.decode(roomInputCodec.encode(input(ROOM, {
    importState: { needId: `need ${number}`, stageId: 'stage', from: number * SLICE, to: (number + 1) * SLICE, current: false, roomVersion: '10' },
  }))));
  const place = { partition: 0, epoch: 1, nextSequence: 1, nowMs: START_MS };
  const decide = async (one: (typeof inputs)[number]) => {
    assert.equal(processor.decide(one, place).kind, 'lacking');
    await processor.loadMore!(one);
    return processor.decide(one, place);
  };
  await processor.load(inputs.map((one) => ({ input: one, partition: 0 })));
  const [first, second, third] = [await decide(inputs[0]!), await decide(inputs[1]!), await decide(inputs[2]!)];
  assert.deepEqual([first, second].map((decision) => decision.kind === 'accepted' && decision.effects.events.length), [SLICE, SLICE]);
  assert.ok(third.kind === 'parked' && third.untilMs === START_MS + 1 && third.effects === undefined);
  assert.deepEqual(asked, [0, SLICE]);
  await processor.load([{ input: inputs[2]!, partition: 0 }]);
  assert.equal((await decide(inputs[2]!)).kind, 'accepted');
  await database.close();
});
