/** Random rooms that fork and meet again, received in any order in which events follow what they stand on, and in batches of any size, end as the plain walk over the whole graph says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { authEventIds, prevEventIds, redactsOf } from '../../../pkg/matrix/events/pdu.ts';
import { redactContent } from '../../../pkg/matrix/events/redact.ts';
import { createCheckedGraphs, type CheckedGraphs } from '../../../test/kit/checked-graphs.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import { createRoomDriver, input, PARTITIONS, type RoomDriver } from '../../../test/kit/room-driver.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { randomRoom } from '../../../test/kit/random-room.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';

/** The other events in an order in which each comes after those that it follows and that authorise it; `picks` choose among what may come next. */
function someOrder(dag: RoomDag, picks: readonly number[]): string[] {
  const left = new Set([...dag.events.keys()].filter((eventId) => eventId !== dag.createId));
  const order: string[] = [];
  for (let turn = 0; left.size > 0; turn += 1) {
    const ready = [...left].filter((eventId) => {
      const { pdu } = dag.events.get(eventId)!;
      return [...prevEventIds(pdu), ...authEventIds(pdu)].every((before) => !left.has(before));
    });
    const next = ready[picks[turn % picks.length]! % Math.min(ready.length, 4)]!;
    left.delete(next);
    order.push(next);
  }
  return order;
}

async function receiveAll(driver: RoomDriver, dag: RoomDag, { picks, sizes, graphs }: { picks: readonly number[]; sizes: readonly number[]; graphs: CheckedGraphs | undefined }): Promise<void> {
  const order = someOrder(dag, picks);
  for (let at = 0, turn = 0; at < order.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    const batch = order.slice(at, at + size).map((eventId) => input(dag.roomId, {
      receivePdu: received(dag, eventId),
    }));
    if (turn % 5 === 4) await driver.failedBatch(batch);
    const answers = await driver.batch(batch);
    assert.ok(answers.every((answer) => 'ok' in answer), JSON.stringify(answers));
    await graphs?.check(driver.database);
    at += size;
  }
}

interface Row extends Record<string, string | number | null> {
  event_id: string; rejected: number; soft_failed: number; order_key: number | null;
}

async function checkRoom(driver: RoomDriver, dag: RoomDag): Promise<void> {
  const { database } = driver;
  const rows = await database.query<Row>('SELECT event_id, rejected, soft_failed, order_key FROM events WHERE room_id = ?', [dag.roomId]);
  assert.equal(rows.length, dag.events.size);
  const history = roomHistoryQuery(database);
  const kept = rows.filter((row) => row.rejected === 0);
  for (const row of rows) assert.equal(row.rejected === 0, dag.events.get(row.event_id)!.verdict.allowed, `${row.event_id}: ${JSON.stringify(dag.events.get(row.event_id)!.verdict)}`);
  for (const side of ['before', 'after'] as const) {
    const states = await history.stateIdsAt(kept.map((row) => row.event_id), side);
    for (const { event_id: eventId } of kept) {
      if (eventId === dag.createId) continue;
      assert.deepEqual([...states.get(eventId)!].sort(), [...dag.events.get(eventId)![side].values()].sort(), `state ${side} ${eventId}`);
    }
  }
  const live = new Set(kept.filter((row) => row.soft_failed === 0).map((row) => row.event_id));
  const followed = new Set([...live].flatMap((eventId) => prevEventIds(dag.events.get(eventId)!.pdu)));
  // Whoever follows what was refused follows what that follows; a set takes in what is added to it while it is walked.
  for (const eventId of followed) if (!live.has(eventId)) for (const before of prevEventIds(dag.events.get(eventId)!.pdu)) followed.add(before);
  const [room] = await database.query<{ forward_extremities: string }>('SELECT forward_extremities FROM rooms WHERE room_id = ?', [dag.roomId]);
  const extremities = JSON.parse(room!.forward_extremities) as string[];
  assert.deepEqual([...extremities].sort(), [...live].filter((eventId) => !followed.has(eventId)).sort(), 'forward extremities');
  const expected = [...dag.resolve(extremities).values()].sort();
  const current = await database.query<{ event_id: string }>('SELECT event_id FROM current_state WHERE room_id = ?', [dag.roomId]);
  assert.deepEqual(current.map((row) => row.event_id).sort(), expected, 'the current state');
  assert.deepEqual(foldedOutputs(driver, dag.roomId).sort(), expected, 'the changes that were told, one after the other');
}

/** What a reader knows as the current state who was told every change. */
function foldedOutputs({ outputs }: RoomDriver, roomId: string): string[] {
  const state = new Map<string, string>();
  for (const { output } of outputs) {
    if (output.roomId !== roomId) continue;
    for (const { type, stateKey, eventId, replaces } of output.event?.stateDelta ?? []) {
      const slot = JSON.stringify([type, stateKey]);
      assert.equal(state.get(slot) ?? '', replaces);
      if (eventId === '') state.delete(slot);
      else state.set(slot, eventId);
    }
  }
  return [...state.values()];
}

for (const version of ['1', '2', '10', '11', '12']) {
  test(`rooms of version ${version}`, async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });
    const details = await fc.check(fc.asyncProperty(randomRoom(version).filter((dag) => !redactsAuthority(dag)), fc.array(fc.nat(100), { minLength: 1, maxLength: 20 }), sizes, fc.boolean(), receiveAndCheck), { numRuns: 100, endOnFailure: true });
    // A counterexample is a room of forty events: its seed says it shorter.
    if (details.failed) throw new Error(`fails for seed ${details.seed}, path ${details.counterexamplePath}`, { cause: details.errorInstance });
  });
}

/** Keys of content by which other events are authorised, and which redaction takes, the first two before room version 11 (MSC2176). */
const AUTHORISING_KEYS = ['m.federate', 'invite', 'public_key'];

/** Whether a redaction takes what others are authorised by. The spec lets the order in which a server hears of it and of them decide about them; the whole graph has no such order. */
function redactsAuthority(dag: RoomDag): boolean {
  return [...dag.events.values()].some(({ pdu }) => {
    const target = dag.pdu(redactsOf(pdu, dag.version) ?? '');
    if (target === undefined) return false;
    const kept = redactContent(target.type, target.content, dag.version.redaction);
    return AUTHORISING_KEYS.some((key) => key in target.content && !(key in kept));
  });
}

/** `isKept`: what is known of the room's graph is kept from batch to batch, as it is of rooms in much conflict. */
async function receiveAndCheck(dag: RoomDag, picks: readonly number[], sizes: readonly number[], isKept: boolean): Promise<void> {
  const graphs = isKept ? createCheckedGraphs() : undefined;
  const driver = await createRoomDriver({ keptGraphs: graphs });
  try {
    const { partition, effects } = beginning(dag, PARTITIONS.partitions);
    await driver.begin(partition, effects);
    await receiveAll(driver, dag, { picks, sizes, graphs });
    await checkRoom(driver, dag);
  } finally {
    await driver.close();
  }
}
