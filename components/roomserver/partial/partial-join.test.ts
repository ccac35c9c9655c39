/** Joins that come without the members of the room: what goes on at once, what waits, and that they end as a join that had brought everything. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import type { EventDraft } from '../../../pkg/matrix/events/pdu.ts';
import { authEventIds } from '../../../pkg/matrix/events/pdu.ts';
import type { Need, RoomOutput } from '../../../schemas/log/room-output.ts';
import { received } from '../../../test/kit/received-room.ts';
import { createRemoteWorld, DAVE, ERIN, fulfilJoin, joinAnswer, stageOf, type RemoteWorld, type Result } from '../../../test/kit/remote-world.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { DagEvent, RoomDag } from '../../../test/kit/room-dag.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { roomHistoryQuery } from '../query/room-history-query.ts';
import { roomQuery } from '../query/room-query.ts';
import { roomSnapshot } from '../query/snapshot.ts';

const VIA = { via: ['one.test'] };
const [ALICE, BOB] = ['@alice:one.test', '@bob:two.test'];
const member = (sender: string, target: string, membership: string): EventDraft => ({ type: 'm.room.member', sender, state_key: target, content: { membership } });
const say = (sender: string): EventDraft => ({ type: 'm.room.message', sender, content: { body: 'hi' } });

/** A join whose answer has all of the state but the members; the need of these. */
async function joinPartially(world: RemoteWorld, dag: RoomDag): Promise<{ join: DagEvent; need: Need }> {
  const joined = world.member(dag.roomId, 'join', VIA);
  const need = await world.need();
  const join = dag.add(member(DAVE, DAVE, 'join'));
  const whole = stageOf(dag, join);
  const cited = new Set(authEventIds(join.pdu));
  world.stages.set(need.needId, whole.map((one) => {
    const { type } = dag.pdu(one.eventId)!;
    return { ...one, inState: one.inState && (type !== 'm.room.member' || cited.has(one.eventId)) };
  }));
  for (let from = 0; from < whole.length; from += 3) await slice(world, dag, need, { from, current: true });
  await world.answer(dag.roomId, need, joinAnswer(dag, need, join, { membersOmitted: true, serversInRoom: ['one.test', 'two.test', 'three.test', 'no server'] }));
  assert.deepEqual(await joined, { room_id: dag.roomId, event_id: join.eventId });
  const next = await world.need();
  assert.deepEqual({ ...next.wholeState }, { eventId: join.eventId, via: ['one.test', 'two.test'] });
  return { join, need: next };
}

function slice(world: RemoteWorld, dag: RoomDag, { needId }: Need, { from, current }: { from: number; current: boolean }): Promise<Result> {
  const to = Math.min(from + 3, world.stages.get(needId)!.length);
  return world.submit(dag.roomId, { importState: { needId, stageId: needId, from, to, current, roomVersion: dag.version.id, ...(!current && { completes: true }) } });
}

/** `between`: before each slice. */
async function complete(world: RemoteWorld, dag: RoomDag, { join, need }: { join: DagEvent; need: Need }, between: (from: number) => Promise<void> = async () => undefined): Promise<void> {
  world.stages.set(need.needId, stageOf(dag, join));
  for (let from = 0; from < world.stages.get(need.needId)!.length; from += 3) {
    await between(from);
    await slice(world, dag, need, { from, current: false });
  }
  await between(-1);
  await world.answer(dag.roomId, need, { stageId: need.needId, roomVersion: dag.version.id });
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (await reached()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('it did not come to that');
}

const lacks = (world: RemoteWorld, dag: RoomDag): Promise<boolean> => roomQuery(world.database).lacksMembers(dag.roomId);
const currentIds = async (world: RemoteWorld, dag: RoomDag): Promise<string[]> => (await roomQuery(world.database).currentState(dag.roomId)).map(({ eventId }) => eventId).sort();
const receive = (world: RemoteWorld, dag: RoomDag, eventId: string, more = {}): Promise<Result> => world.submit(dag.roomId, { receivePdu: received(dag, eventId, more) }, `pdu:${eventId}`);

/** What readers make of the room's state by the records alone. */
function stateTold(outputs: readonly RoomOutput[]): string[] {
  const state = new Map<string, string>();
  for (const { event, stateSlice } of outputs) {
    if (stateSlice?.reset === true) state.clear();
    for (const { type, stateKey, eventId, replaces } of event?.stateDelta ?? stateSlice?.changes ?? []) {
      const key = JSON.stringify([type, stateKey]);
      assert.equal(state.get(key) ?? '', replaces, key);
      if (eventId === '') state.delete(key);
      else state.set(key, eventId);
    }
  }
  return [...state.values()].sort();
}

test('users here speak and set state at once; what hangs on unknown members waits, and goes on when they are known', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('12');
  const partial = await joinPartially(world, dag);
  const sent = await world.message(dag.roomId, DAVE);
  assert.ok(typeof sent === 'object');
  assert.deepEqual((await world.outputs()).flatMap(({ partial: told }) => (told ? [[told.servers, told.ended]] : [])), [[['one.test', 'two.test'], false]]);

  const order: string[] = [];
  const note = (name: string) => (result: Result) => {
    order.push(name);
    return result;
  };
  const ban = world.member(dag.roomId, 'ban', { target: BOB }).then(note('ban'));
  const erin = world.member(dag.roomId, 'join', { sender: ERIN }).then(note('erin'));
  const heard = dag.send(say(BOB));
  const hearing = receive(world, dag, heard).then(note('heard'));
  assert.equal(await receive(world, dag, dag.send(member('@zoe:two.test', '@zoe:two.test', 'join')), { relay: true, origin: 'four.test' }), '404 M_NOT_FOUND');
  assert.equal(await world.submit(dag.roomId, { upgradeRoom: { sender: DAVE, newRoomId: '!new:three.test', newRoom: null } } as never), '503 M_UNKNOWN');
  await world.message(dag.roomId, DAVE);
  assert.deepEqual(order, [], 'nothing of it is decided with half of the state');

  await complete(world, dag, partial);
  await until(async () => !(await lacks(world, dag)));
  assert.deepEqual([await ban, typeof await erin, await hearing].map((result) => (typeof result === 'object' ? (result as { verdict?: string }).verdict ?? 'done' : result)), ['403 M_FORBIDDEN', 'object', 'accepted']);
  assert.deepEqual((await world.outputs()).filter((output) => output.partial).map(({ partial: told }) => told!.ended), [false, true]);
  assert.deepEqual(stateTold(await world.outputs()), await currentIds(world, dag));
  assert.deepEqual(await world.waiting(), { parked: 0, needs: 0 });
});

test('what cannot be had is asked for again, of another server first, also by the process that comes after', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const { join, need } = await joinPartially(world, dag);
  await world.answer(dag.roomId, need, { status: 502, errcode: 'M_UNKNOWN', error: 'nobody answers' });
  await until(async () => (await world.waiting()).needs === 0);
  assert.equal(await lacks(world, dag), true);
  await world.later(3000);
  const again = await world.need();
  assert.deepEqual({ ...again.wholeState }, { eventId: join.eventId, via: ['two.test', 'one.test'] });
  // The first slices, and then the process ends.
  await complete(world, dag, { join, need: again }, async () => world.restart());
  await until(async () => !(await lacks(world, dag)));
  assert.deepEqual(await currentIds(world, dag), [...dag.stateAfter(join.eventId).values()].sort());
});

test('what fails again and again is asked for after two minutes at most', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  let { need } = await joinPartially(world, dag);
  for (let tries = 0; tries < 10; tries += 1) {
    await world.answer(dag.roomId, need, { status: 502, errcode: 'M_UNKNOWN', error: 'nobody answers' });
    await until(async () => (await world.waiting()).needs === 0);
    await world.later(121_000);
    need = await world.need();
  }
});

test('when nobody here is in the room any more, its members are not fetched, and the next join is one by another server', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const { need } = await joinPartially(world, dag);
  assert.equal(typeof await world.member(dag.roomId, 'leave'), 'object');
  await world.answer(dag.roomId, need, { status: 403, errcode: 'M_FORBIDDEN', error: 'you have left' });
  await until(async () => (await world.waiting()).needs === 0);
  await world.later(3000);
  await until(async () => (await world.outputs()).some(({ partial }) => partial?.ended === true));
  assert.equal(await world.needsLeft(), 0);
  assert.equal(await receive(world, dag, dag.send(say(ALICE))), '404 M_NOT_FOUND');
  const joined = world.member(dag.roomId, 'join', VIA);
  const join = await fulfilJoin(world, dag, await world.need());
  assert.equal(typeof await joined, 'object');
  assert.equal(await lacks(world, dag), false);
  assert.deepEqual(await currentIds(world, dag), [...dag.stateAfter(join.eventId).values()].sort());
});

test('a snapshot tells of the lack and of its end', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('12');
  const partial = await joinPartially(world, dag);
  const brief = ({ event, stateSlice, partial: told }: RoomOutput): unknown => [event?.eventId, stateSlice?.reset, stateSlice?.changes.map(({ eventId }) => eventId).sort(), told?.servers, told?.ended];
  const compare = async () => {
    const told = (await world.outputs()).filter((output) => !output.need).map(brief);
    for (const limit of [1, 2, 100]) {
      const made: unknown[] = [];
      for (let after = 0, page = await roomSnapshot(world.database, 0, 0, limit); page.length > 0; page = await roomSnapshot(world.database, 0, after, limit)) {
        made.push(...page.map(({ output }) => brief(roomOutputCodec.decode(roomOutputCodec.encode(output)))));
        after = page.at(-1)!.sequence;
      }
      assert.deepEqual(made, told);
    }
  };
  await compare();
  await world.message(dag.roomId, DAVE);
  await complete(world, dag, partial, compare);
  await until(async () => !(await lacks(world, dag)));
  await compare();
});

test('states that were copied whole meanwhile have the members, too, and so do those after them', async (context) => {
  const world = await createRemoteWorld(context);
  const dag = startRoom('11');
  const partial = await joinPartially(world, dag);
  const rename = (index: number): Promise<Result> => world.member(dag.roomId, 'join', { content: { displayname: `D${index}` } });
  const names = await Promise.all(Array.from({ length: 300 }, (_, index) => rename(index)));
  const snapshots = async () => (await world.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM state_snapshots WHERE room_id = ?', [dag.roomId]))[0]!.n;
  assert.equal(await snapshots(), 1);
  await complete(world, dag, partial);
  await until(async () => !(await lacks(world, dag)));
  names.push(...await Promise.all(Array.from({ length: 300 }, (_, index) => rename(300 + index))));
  assert.ok(await snapshots() > 0);
  const eventIds = [names[5], names[290], names[599]].map((result) => (result as { event_id: string }).event_id);
  const before = [...partial.join.before.values()];
  for (const state of (await roomHistoryQuery(world.database).stateIdsAt(eventIds, 'after')).values()) {
    assert.ok(before.every((eventId) => state.includes(eventId)));
    assert.equal(state.length, before.length + 1);
  }
});

interface Happening {
  readonly who: number;
  readonly what: number;
  readonly back: number;
}

const USERS = [CREATOR, ALICE, BOB, '@carol:two.test', '@zoe:two.test'];
const WHAT: readonly ((who: string, other: string, count: number) => EventDraft)[] = [
  (who) => say(who), (who) => member(who, who, 'join'), (who) => member(who, who, 'leave'), (who, other) => member(who, other, 'ban'), (who, other) => member(who, other, 'leave'),
  (who, _other, count) => ({ type: 'm.room.topic', sender: who, state_key: '', content: { topic: String(count) } }),
];

/** What the others do after the join, on branches of their own. */
function goOn(dag: RoomDag, join: DagEvent, happenings: readonly Happening[]): string[] {
  const since = [join.eventId];
  happenings.forEach(({ who, what, back }, index) => {
    const draft = WHAT[what]!(USERS[who]!, USERS[(who + 1 + back) % USERS.length]!, index);
    const { eventId, verdict } = dag.add(draft, { prev: [since[Math.max(0, since.length - 1 - back)]!] });
    if (verdict.allowed) since.push(eventId);
  });
  return [...dag.events.keys()].slice([...dag.events.keys()].indexOf(join.eventId) + 1);
}

/** States, verdicts and places of what the others sent. */
async function pictureOf(world: RemoteWorld, dag: RoomDag, eventIds: readonly string[]): Promise<unknown> {
  const rows = await world.database.query<{ event_id: string; rejected: number; soft_failed: number }>('SELECT event_id, rejected, soft_failed FROM events WHERE room_id = ? ORDER BY event_id', [dag.roomId]);
  const ofOthers = rows.filter((row) => dag.events.has(row.event_id));
  const kept = ofOthers.filter((row) => row.rejected === 0 && eventIds.includes(row.event_id)).map((row) => row.event_id);
  const history = roomHistoryQuery(world.database);
  const states = [await history.stateIdsAt(kept, 'before'), await history.stateIdsAt(kept, 'after')].map((found) => kept.map((eventId) => [...(found.get(eventId) ?? [])].sort()));
  return { ofOthers, states, current: await currentIds(world, dag), hosts: await history.joinedHosts(dag.roomId) };
}

async function runBoth(context: TestContext, happenings: readonly Happening[], restarts: ReadonlySet<number>): Promise<void> {
  const [whole, partial] = [await createRemoteWorld(context), await createRemoteWorld(context)];
  const dag = startRoom('11');
  const found = await joinPartially(partial, dag);
  const { join } = found;
  const after = goOn(dag, join, happenings);

  const joined = whole.member(dag.roomId, 'join', VIA);
  const need = await whole.need();
  whole.stages.set(need.needId, stageOf(dag, join));
  for (let from = 0; from < whole.stages.get(need.needId)!.length; from += 3) await slice(whole, dag, need, { from, current: true });
  await whole.answer(dag.roomId, need, joinAnswer(dag, need, join));
  await joined;
  await whole.message(dag.roomId, DAVE);
  for (const eventId of after) await receive(whole, dag, eventId);

  await partial.message(dag.roomId, DAVE);
  const early = Math.floor(after.length / 2);
  const receiving = after.slice(0, early).map((eventId) => receive(partial, dag, eventId));
  let step = 0;
  await complete(partial, dag, found, async () => {
    if (restarts.has(step)) await partial.restart();
    step += 1;
  });
  for (const eventId of after.slice(early)) receiving.push(receive(partial, dag, eventId));
  await Promise.all(receiving);
  await until(async () => !(await lacks(partial, dag)));
  assert.deepEqual(await pictureOf(partial, dag, [join.eventId, ...after]), await pictureOf(whole, dag, [join.eventId, ...after]));
  assert.deepEqual(stateTold(await partial.outputs()), await currentIds(partial, dag));
  assert.deepEqual(await partial.waiting(), { parked: 0, needs: 0 });
}

const RUNS = Number(process.env['MYELIN_PROPERTY_RUNS'] ?? 8);

test('a join without members that was completed equals one with them, whatever the others did meanwhile', async (context) => {
  const happening = fc.record({ who: fc.nat({ max: USERS.length - 1 }), what: fc.nat({ max: WHAT.length - 1 }), back: fc.nat({ max: 3 }) });
  await fc.assert(fc.asyncProperty(fc.array(happening, { maxLength: 12 }), fc.uniqueArray(fc.nat({ max: 4 }), { maxLength: 2 }), async (happenings, restarts) => {
    await runBoth(context, happenings, new Set(restarts));
  }), { numRuns: RUNS });
});
