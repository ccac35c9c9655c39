/** Rooms whose branches go on for long without meeting, event by event: the current state after each batch is what the states of all ends resolve to, however it was come to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EventDraft } from '../../../pkg/matrix/events/pdu.ts';
import { POWER_LEVELS_SLOT } from '../../../pkg/matrix/state-res/slot.ts';
import { createCheckedGraphs } from '../../../test/kit/checked-graphs.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import { createRoomDriver, input, PARTITIONS } from '../../../test/kit/room-driver.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';

const SENDERS = [CREATOR, '@alice:one.test', '@bob:two.test'];
const TARGETS = ['@alice:one.test', '@bob:two.test', '@carol:two.test', ...Array.from({ length: 8 }, (_, index) => `@victim${index}:three.test`)];

const member = (sender: string, target: string, membership: string): EventDraft => ({ type: 'm.room.member', sender, state_key: target, content: { membership } });

type Action = 'ban' | 'unban' | 'join' | 'invite' | 'power' | 'rule' | 'topic' | 'own' | 'message';

/** On one of the branches. */
interface Step {
  readonly branch: number;
  readonly action: Action;
  readonly sender: number;
  readonly target: number;
  readonly level: number;
  /** undefined: in the order in which they come. */
  readonly ts: number | undefined;
  /** Another branch that it follows, too. */
  readonly joins: number | undefined;
}

/** `one`: once in so many times. */
const seldom = <T>(one: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.oneof({ weight: one - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

function stepOf({ action, ts, sender }: { action: fc.Arbitrary<Action>; ts: fc.Arbitrary<number | undefined>; sender: fc.Arbitrary<number> }): fc.Arbitrary<Step> {
  return fc.record({
    branch: fc.nat(3), action, ts, sender, level: fc.constantFrom(0, 25, 50, 60), joins: seldom(30, fc.nat(3)),
    // Those who are banned by many, and now and then who bans.
    target: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 2, max: TARGETS.length - 1 }) }, { weight: 1, arbitrary: fc.nat(1) }),
  });
}

const outing = fc.constantFrom<Action[]>('ban', 'ban', 'ban', 'ban', 'ban', 'ban', 'unban', 'unban', 'power', 'message');
const anything = fc.oneof({ weight: 3, arbitrary: outing }, { weight: 1, arbitrary: fc.constantFrom<Action[]>('join', 'invite', 'rule', 'topic', 'own') });
const steps = fc.record({
  action: fc.constantFrom(outing, outing, anything), ts: fc.constantFrom(fc.constant(undefined), seldom(15, fc.nat(80))), sender: fc.constantFrom(fc.constant(0), fc.constant(0), fc.nat(SENDERS.length - 1)),
}).chain((kind) => fc.array(stepOf(kind), { minLength: 20, maxLength: 60, size: 'max' }));

function draftOf({ action, sender, target, level }: Step, dag: RoomDag, tip: string): EventDraft {
  const [by, whom] = [SENDERS[sender]!, TARGETS[target]!];
  switch (action) {
    case 'ban':
      return member(by, whom, 'ban');
    case 'unban':
      return member(by, whom, 'leave');
    case 'join':
      return member(whom, whom, 'join');
    case 'invite':
      return member(by, whom, 'invite');
    case 'power': {
      const content = dag.pdu(dag.stateAfter(tip).get(POWER_LEVELS_SLOT) ?? '')?.content ?? {};
      return { type: 'm.room.power_levels', sender: by, state_key: '', content: { ...content, users: { ...(content['users'] as object), [whom]: level } } };
    }
    case 'rule':
      return { type: 'm.room.join_rules', sender: by, state_key: '', content: { join_rule: level > 25 ? 'public' : 'invite' } };
    case 'topic':
      return { type: 'm.room.topic', sender: by, state_key: '', content: { topic: whom } };
    case 'own':
      return { type: 'org.example.own', sender: by, state_key: `${target}`, content: {} };
    case 'message':
      return { type: 'm.room.message', sender: by, content: { body: whom } };
  }
}

const RUNS = Number(process.env['MYELIN_PROPERTY_RUNS'] ?? 15);
const TS = 1_700_000_000_000;

function grow(versionId: string, taken: readonly Step[]): RoomDag {
  const dag = startRoom(versionId);
  const tips = [dag.newest, dag.newest, dag.newest, dag.newest];
  taken.forEach((one, index) => {
    const tip = tips[one.branch]!;
    const prev = [...new Set([tip, ...(one.joins === undefined ? [] : [tips[one.joins]!])])];
    const { eventId, verdict } = dag.add(draftOf(one, dag, tip), { prev, ts: TS + (one.ts ?? 100 + index) });
    if (verdict.allowed) tips[one.branch] = eventId;
  });
  return dag;
}

for (const version of ['2', '9', '11', '12']) {
  test(`branches of version ${version} that go on`, async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 });
    const rooms = steps.map((taken) => grow(version, taken));
    const details = await fc.check(fc.asyncProperty(rooms, sizes, async (dag, turns) => void (await receiveAndCompare(dag, turns))), { numRuns: RUNS, endOnFailure: true });
    if (details.failed) throw new Error(`fails for seed ${details.seed}, path ${details.counterexamplePath}`, { cause: details.errorInstance });
  });

  test(`bans of version ${version} on three branches, with power levels in between, are resolved one by one`, async () => {
    const taken = Array.from({ length: 30 }, (_, index): Step => ({
      branch: index % 3, action: index % 10 === 9 ? 'power' : 'ban', sender: 0, target: 3 + ((Math.floor(index / 3) * 5 + index) % 8), level: 25 + index, ts: undefined, joins: undefined,
    }));
    const goneOn = await receiveAndCompare(grow(version, taken), [6]);
    assert.ok(goneOn > 8, `resolutions were gone on with by ${goneOn} events`);
  });
}

/** By how many events resolutions were gone on with, at the ends of batches. */
async function receiveAndCompare(dag: RoomDag, sizes: readonly number[]): Promise<number> {
  const graphs = createCheckedGraphs();
  const driver = await createRoomDriver({ keptGraphs: graphs });
  let goneOn = 0;
  try {
    const { partition, effects } = beginning(dag, PARTITIONS.partitions);
    await driver.begin(partition, effects);
    const order = [...dag.events.keys()].filter((eventId) => eventId !== dag.createId);
    for (let at = 0, turn = 0; at < order.length; turn += 1) {
      const size = sizes[turn % sizes.length]!;
      await driver.batch(order.slice(at, at + size).map((eventId) => input(dag.roomId, { receivePdu: received(dag, eventId) })));
      at += size;
      goneOn += graphs.goneOn();
      const [room] = await driver.database.query<{ forward_extremities: string }>('SELECT forward_extremities FROM rooms WHERE room_id = ?', [dag.roomId]);
      const current = await driver.database.query<{ event_id: string }>('SELECT event_id FROM current_state WHERE room_id = ?', [dag.roomId]);
      assert.deepEqual(current.map((row) => row.event_id).sort(), [...dag.resolve(JSON.parse(room!.forward_extremities) as string[]).values()].sort(), `the current state after ${at} events`);
    }
    await graphs.check(driver.database);
    return goneOn;
  } finally {
    await driver.close();
  }
}

test('a ban is judged by the power that its sender had at its turn, not by that before or after', async () => {
  const dag = startRoom('11');
  const levels = (sender: string, alice: number): EventDraft => ({ type: 'm.room.power_levels', sender, state_key: '', content: { users: { [CREATOR]: 100, '@alice:one.test': alice } } });
  const fork = dag.send(levels(CREATOR, 100), { ts: TS + 100 });
  const lowered = dag.send(levels('@alice:one.test', 0), { prev: [fork], ts: TS + 200 });
  dag.send(levels(CREATOR, 100), { prev: [lowered], ts: TS + 900 });
  let tip = fork;
  for (let index = 0; index < 8; index += 1) tip = dag.send(member('@alice:one.test', TARGETS[3 + index]!, 'ban'), { prev: [tip], ts: TS + (index % 2 === 0 ? 150 : 300) + index });
  const goneOn = await receiveAndCompare(dag, [1]);
  assert.ok(goneOn > 8, `resolutions were gone on with by ${goneOn} events`);
});
