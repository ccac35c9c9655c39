/** Softly failed events that the resolution of states lets stand after all: clients are told of them then, once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { slotOf } from '../../../pkg/matrix/state-res/slot.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import { createRoomDriver, input, PARTITIONS } from '../../../test/kit/room-driver.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';

const ALICE = '@alice:one.test';

test('a topic of somebody who has left meanwhile stands when branches meet, and is told after the event that joins them', async (context) => {
  const driver = await createRoomDriver();
  context.after(() => driver.close());
  const dag = startRoom('11');
  const { partition, effects } = beginning(dag, PARTITIONS.partitions);
  await driver.begin(partition, effects);
  const receive = async (...eventIds: string[]) => (await driver.batch(eventIds.map((eventId) => input(dag.roomId, { receivePdu: received(dag, eventId) })))).map((answer) => ('ok' in answer ? answer.ok['verdict'] : answer.no.errcode));
  await receive(...dag.accepted.slice(1));
  const base = dag.newest;
  const ts = dag.pdu(base)!.origin_server_ts;
  const topic = dag.send({ type: 'm.room.topic', sender: ALICE, state_key: '', content: { topic: 'late' } }, { prev: [base], ts: ts + 10 });
  const leave = dag.send({ type: 'm.room.member', sender: ALICE, state_key: ALICE, content: { membership: 'leave' } }, { prev: [base], ts: ts + 1000 });
  assert.deepEqual(await receive(leave, topic), ['accepted', 'softFailed']);
  const joins = dag.send({ type: 'm.room.message', sender: CREATOR, content: { body: 'joins' } }, { prev: [topic, leave], ts: ts + 2000 });
  assert.equal(dag.stateAfter(joins).get(slotOf('m.room.topic', '')), topic, 'the resolution lets it stand');
  const after = dag.send({ type: 'm.room.message', sender: CREATOR, content: { body: 'after' } });
  const told = () => driver.outputs.flatMap(({ sequence, output: { event } }) => (event && output(event) ? [{ sequence, ...event }] : []));
  const output = ({ eventId }: { eventId: string }): boolean => [topic, leave, joins, after].includes(eventId);
  // Its batch is lost, and comes again.
  await driver.failedBatch([input(dag.roomId, { receivePdu: received(dag, joins) })]);
  assert.deepEqual(await receive(joins, after), ['accepted', 'accepted']);
  const keys = told().map(({ eventId, orderKey, softFailedAccepted, stateDelta }) => [eventId, orderKey, Boolean(softFailedAccepted), stateDelta.map((change) => change.eventId)]);
  const first = told()[0]!.orderKey;
  assert.deepEqual(keys, [[leave, first, false, [leave]], [joins, first + 1, false, [topic]], [topic, first + 2, true, []], [after, first + 3, false, []]]);
  assert.equal((await roomHistoryQuery(driver.database).membershipsAt(ALICE, [topic], 'before')).get(topic), 'join');
  const again = (await roomSnapshot(driver.database, partitionOf(PARTITIONS, dag.roomId), 0, 1000)).flatMap(({ output: { event } }) => (event?.eventId === topic ? [event] : []));
  assert.deepEqual(again.map(({ orderKey, softFailedAccepted, stateDelta, historyVisibility }) => [orderKey, softFailedAccepted, stateDelta, historyVisibility]), [[first + 2, true, [], 'shared']]);
  // Once.
  assert.deepEqual(await receive(topic), ['accepted']);
  assert.equal(told().length, 4);
});
