/** Any sequence of inputs, in any batches, with owners that forget and commits that fail in between, gives the same tables and records as one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ALICE, allRows, BOB, CAROL, createRoomDriver, member, message, newRoom, receipt, redaction, related, state, type RoomDriver, type TestRoom,
} from '../../../test/kit/room-driver.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { roomSnapshot } from '../query/snapshot.ts';

const USERS = [ALICE, BOB, CAROL];

/** A wish with numbers for what is not known before it runs: which of the events so far it means. */
type Wish = { readonly room: number; readonly user: number; readonly target: number; readonly kind: string; readonly value: number };

const wishes = fc.array(fc.record({
  room: fc.nat(2), user: fc.nat(2), target: fc.nat(2), value: fc.nat(30),
  kind: fc.constantFrom('create', 'message', 'message', 'join', 'invite', 'leave', 'ban', 'topic', 'levels', 'rules', 'visibility', 'redact', 'receipt', 'rename', 'react', 'react', 'thread'),
}), { minLength: 5, maxLength: 40 });

const MEMBERSHIPS = new Map([['invite', 'invite'], ['ban', 'ban'], ['leave', 'leave']]);

function inputOf(rooms: readonly TestRoom[], wish: Wish, eventIds: readonly string[]): RoomInput {
  const room = rooms[wish.room]!;
  const user = USERS[wish.user]!;
  const target = USERS[wish.target]!;
  const event = eventIds[wish.value % Math.max(1, eventIds.length)] ?? '$none';
  const membership = MEMBERSHIPS.get(wish.kind);
  if (membership !== undefined) return member(room.roomId, user, target, membership);
  switch (wish.kind) {
    case 'create': return { ...room.input, inputId: `create-${wish.value}` };
    case 'join': return member(room.roomId, user, user, 'join');
    case 'rename': return member(room.roomId, user, user, 'join', { displayname: `n${wish.value % 3}` });
    case 'topic': return state(room.roomId, user, ['m.room.topic', ''], { topic: `t${wish.value % 2}` });
    case 'levels': return state(room.roomId, user, ['m.room.power_levels', ''], { users: { [BOB]: 100 }, redact: wish.value % 60, state_default: 0 });
    case 'rules': return state(room.roomId, user, ['m.room.join_rules', ''], joinRules(rooms, wish.value));
    case 'visibility': return state(room.roomId, user, ['m.room.history_visibility', ''], { history_visibility: wish.value % 2 === 0 ? 'joined' : 'shared' });
    case 'redact': return redaction(room.roomId, user, event);
    case 'react': return related(room.roomId, user, { rel_type: 'm.annotation', event_id: eventIds[wish.value % 3] ?? '$none', key: 'k' });
    case 'thread': return related(room.roomId, user, { rel_type: 'm.thread', event_id: event });
    case 'receipt': return receipt(room.roomId, user, event);
    default: return message(room.roomId, user, `m${wish.value}`);
  }
}

function joinRules(rooms: readonly TestRoom[], value: number): object {
  if (value % 3 === 0) return { join_rule: 'public' };
  if (value % 3 === 1) return { join_rule: 'invite' };
  return { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: rooms[value % rooms.length]!.roomId }] };
}

function told(driver: RoomDriver): unknown[] {
  return driver.outputs.map(({ partition, sequence, output }) => JSON.stringify([partition, sequence, output]));
}

/** Runs the wishes one by one, each meaning events that exist by then; gives back the inputs that they became. */
async function oneByOne(driver: RoomDriver, rooms: readonly TestRoom[], list: readonly Wish[]): Promise<RoomInput[]> {
  const inputs: RoomInput[] = [];
  for (const wish of list) {
    const eventIds = driver.outputs.flatMap(({ output }) => (output.event ? [output.event.eventId] : []));
    const input = inputOf(rooms, wish, eventIds);
    inputs.push(input);
    await driver.send(input);
  }
  return inputs;
}

const rooms = ['1', '3', '10', '11', '12'].map((version) => newRoom({ version, name: `p${version}`, joinRule: 'public' }));

test('any batching gives what one by one gives', async () => {
  const steps = fc.array(fc.record({ size: fc.integer({ min: 1, max: 12 }), fails: fc.boolean(), forgets: fc.nat(3) }), { minLength: 40, maxLength: 40 });
  await fc.assert(fc.asyncProperty(wishes, steps, fc.boolean(), async (list, batches, tiny) => {
    const single = await createRoomDriver();
    const batched = await createRoomDriver(tiny ? { headBytesMax: 4000 } : {});
    try {
      const create: Wish[] = rooms.map((_, room) => ({ room, user: 0, target: 0, kind: 'create', value: 100 }));
      const inputs = await oneByOne(single, rooms, [...create.slice(0, 2), ...list]);
      let at = 0;
      for (const step of batches) {
        const batch = inputs.slice(at, at + step.size);
        if (batch.length === 0) break;
        if (step.fails) await batched.failedBatch(batch);
        await batched.batch(batch);
        batched.processor.forget(step.forgets);
        at += step.size;
      }
      assert.deepEqual(told(batched), told(single));
      assert.deepEqual(await allRows(batched.database), await allRows(single.database));
      await assertSnapshot(batched);
      await assertLaws(batched);
    } finally {
      await Promise.all([single.close(), batched.close()]);
    }
  }), { numRuns: 60 });
});

/** The snapshot tells what was told, but for replaced receipts, redacted bytes and trace IDs. */
async function assertSnapshot(driver: RoomDriver): Promise<void> {
  const live = new Map(driver.outputs.map((record) => [`${record.partition}/${record.sequence}`, record.output]));
  let events = 0;
  for (let partition = 0; partition < 4; partition += 1) {
    let after = 0;
    for (;;) {
      const records = await roomSnapshot(driver.database, partition, after, 7);
      if (records.length === 0) break;
      for (const { sequence, output } of records) {
        assert.ok(sequence > after);
        after = sequence;
        const was = live.get(`${partition}/${sequence}`)!;
        assert.deepEqual(comparable(output), comparable(was));
        if (output.event) events += 1;
      }
    }
  }
  assert.equal(events, driver.outputs.filter(({ output }) => output.event).length);
}

function comparable({ roomId, roomVersion, inputId, event, receipt: read }: RoomDriver['outputs'][number]['output']): unknown {
  return [roomId, roomVersion, inputId, event && [
    event.eventId, event.orderKey, event.stateDelta.map(({ type, stateKey, eventId, replaces, membership, replacedMembership }) => [type, stateKey, eventId, replaces, membership ?? '', replacedMembership ?? '']),
    event.historyVisibility, event.deviceId, event.txnId, event.softFailedAccepted, event.stateBeforeDiffers, event.redacts, event.relayOf,
  ], read && [read.userId, read.receiptType, read.eventId, read.threadId ?? null, read.ts]].map((value) => value ?? null);
}

/** Order keys without holes, one extremity, the current state is what the deltas add up to. */
async function assertLaws(driver: RoomDriver): Promise<void> {
  for (const { roomId } of rooms) {
    const events = await driver.database.query<{ event_id: string; order_key: number; depth: number }>('SELECT event_id, order_key, depth FROM events WHERE room_id = ? ORDER BY order_key', [roomId]);
    events.forEach((event, index) => assert.deepEqual([event.order_key, event.depth], [index + 1, index + 1]));
    const head = await driver.database.query<{ forward_extremities: string; state_id: number }>('SELECT forward_extremities, state_id FROM rooms WHERE room_id = ?', [roomId]);
    assert.equal(head[0]?.forward_extremities, events.length === 0 ? undefined : JSON.stringify([events.at(-1)!.event_id]));
    const deltas = await driver.database.query<{ type: string; state_key: string; event_id: string; state_id: number }>('SELECT type, state_key, event_id, state_id FROM state_deltas WHERE room_id = ? ORDER BY state_id', [roomId]);
    const summed = new Map(deltas.map((delta) => [`${delta.type} ${delta.state_key}`, delta.event_id]));
    const current = await driver.database.query<{ type: string; state_key: string; event_id: string }>('SELECT type, state_key, event_id FROM current_state WHERE room_id = ?', [roomId]);
    assert.deepEqual(new Map(current.map((row) => [`${row.type} ${row.state_key}`, row.event_id])).size, summed.size);
    for (const row of current) assert.equal(summed.get(`${row.type} ${row.state_key}`), row.event_id);
    assert.equal(head[0]?.state_id ?? 0, deltas.at(-1)?.state_id ?? 0);
  }
}
