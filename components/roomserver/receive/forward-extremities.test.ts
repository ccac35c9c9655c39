/** Whoever follows what was refused follows what that follows. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { EventDraft } from '../../../pkg/matrix/events/pdu.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { createRoomDriver, input, PARTITIONS } from '../../../test/kit/room-driver.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';

const BOB = '@bob:two.test';
const message = (sender: string): EventDraft => ({ type: 'm.room.message', sender, content: { body: 'hi' } });
const BAN: EventDraft = { type: 'm.room.member', sender: CREATOR, state_key: BOB, content: { membership: 'ban' } };

interface World {
  readonly dag: RoomDag;
  /** Receives the events; what became of them. */
  receive(...eventIds: string[]): Promise<unknown[]>;
  extremities(): Promise<string[]>;
}

async function worldOf(context: TestContext): Promise<World> {
  const driver = await createRoomDriver();
  context.after(() => driver.close());
  const dag = startRoom('11');
  const { partition, effects } = beginning(dag, PARTITIONS.partitions);
  await driver.begin(partition, effects);
  const receive: World['receive'] = async (...eventIds) => {
    const answers = await driver.batch(eventIds.map((eventId) => input(dag.roomId, { receivePdu: received(dag, eventId) })));
    return answers.map((answer) => ('ok' in answer ? answer.ok['verdict'] : answer.no.errcode));
  };
  await receive(...dag.accepted.slice(1));
  return {
    dag, receive,
    async extremities() {
      const [row] = await driver.database.query<{ forward_extremities: string }>('SELECT forward_extremities FROM rooms WHERE room_id = ?', [dag.roomId]);
      return (JSON.parse(row!.forward_extremities) as string[]).sort();
    },
  };
}

test('through softly failed events, many in a row', async (context) => {
  const { dag, receive, extremities } = await worldOf(context);
  const base = dag.newest;
  const said = dag.send(message(BOB), { prev: [base] });
  const ban = dag.send(BAN, { prev: [base] });
  assert.deepEqual(await receive(said, ban), ['accepted', 'accepted']);
  const late = [dag.send(message(BOB), { prev: [said] })];
  for (let count = 1; count < 10; count += 1) late.push(dag.send(message(BOB), { prev: [late.at(-1)!] }));
  assert.deepEqual(await receive(...late), late.map(() => 'softFailed'));
  assert.deepEqual(await extremities(), [said, ban].sort());
  const after = dag.send(message(CREATOR), { prev: [late.at(-1)!, ban] });
  assert.deepEqual(await receive(after), ['accepted']);
  assert.deepEqual(await extremities(), [after]);
});

test('through rejected events', async (context) => {
  const { dag, receive, extremities } = await worldOf(context);
  const ban = dag.send(BAN);
  const { eventId: refused } = dag.add(message(BOB), { prev: [ban] });
  assert.deepEqual(await receive(ban, refused), ['accepted', 'rejected']);
  assert.deepEqual(await extremities(), [ban]);
  const after = dag.send(message(CREATOR), { prev: [refused] });
  assert.deepEqual(await receive(after), ['accepted']);
  assert.deepEqual(await extremities(), [after]);
});

test('a chain of refused events is looked through only so far', async (context) => {
  const { dag, receive, extremities } = await worldOf(context);
  const ban = dag.send(BAN);
  const refused = [ban];
  for (let count = 0; count < 30; count += 1) refused.push(dag.add(message(BOB), { prev: [refused.at(-1)!] }).eventId);
  await receive(...refused);
  const after = dag.send(message(CREATOR), { prev: [refused.at(-1)!] });
  assert.deepEqual(await receive(after), ['accepted']);
  assert.deepEqual(await extremities(), [after, ban].sort());
});
