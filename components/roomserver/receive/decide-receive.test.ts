/** Events whose history is missing here: what is asked for, who waits meanwhile and who does not, and how it ends. Over the real log, with a real database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createCommandClient } from '../../../pkg/log/command-client.ts';
import { roomInputCodec, roomOutputCodec } from '../../../pkg/log/codec.ts';
import { createEmbeddedDriver, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations } from '../../../pkg/log/embedded/driver.ts';
import { outboxReader } from '../../../pkg/log/outbox.ts';
import { outcomeLookup } from '../../../pkg/log/remembered-inputs.ts';
import { logMigrations } from '../../../pkg/log/tables.ts';
import { createRuntime } from '../../../pkg/runtime/real/runtime.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import type { Answer, ReceivePdu } from '../../../schemas/log/room-input.ts';
import type { Need, RoomOutput } from '../../../schemas/log/room-output.ts';
import { createManualRuntime } from '../../../test/kit/manual-runtime.ts';
import { startRoom } from '../../../test/kit/random-room.ts';
import { beginning, received } from '../../../test/kit/received-room.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { KEY, START_MS } from '../../../test/kit/room-driver.ts';
import { CREATOR } from '../../../test/kit/room-state.ts';
import { commitBatch } from '../input/commit.ts';
import { createRoomserver, ROOMSERVER_CONSUMER, roomserverMigrations } from '../index.ts';

const BOB = '@bob:two.test';
const NO_BYTES = new Uint8Array(0);

interface World {
  readonly dag: RoomDag;
  readonly sent: readonly string[];
  /** Lets the server's clock go on. */
  later(ms: number): void;
  /** The outcome's result, or its error code. */
  receive(eventId: string, more?: Partial<ReceivePdu>): Promise<Record<string, unknown> | string>;
  answer(need: Need, more?: Partial<Answer>): Promise<void>;
  message(sender: string): Promise<unknown>;
  /** The next need that was told and not taken yet. */
  need(): Promise<Need>;
  /** IDs of the events that were told, in order. */
  told(): Promise<string[]>;
  /** Rows that wait. */
  waiting(): Promise<{ parked: number; needs: number }>;
  restart(): Promise<void>;
}

/** A room that this server (one.test) knows up to its beginning, and messages of Bob's that follow. */
async function worldOf(context: TestContext, staged: ReadonlyMap<string, readonly string[]> = new Map()): Promise<World> {
  const dag = startRoom('11');
  const known = [...dag.accepted];
  const sent = Array.from({ length: 6 }, (_, index) => dag.send({ type: 'm.room.message', sender: BOB, content: { body: `m${index}` } }));
  const real = createRuntime({ logger: createManualRuntime().logger });
  let ahead = 0;
  const runtime: Runtime = { ...real, clock: { ...real.clock, now: () => real.clock.now() + ahead } };
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, START_MS);
  await migrate(database, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, START_MS);
  await migrate(database, ROOMSERVER_CONSUMER, roomserverMigrations, START_MS);
  const partitionMap = { version: 1, partitions: 1 };
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  const stagedState = { slice: async () => [], stateIds: async (stageId: string) => [...(staged.get(stageId) ?? [])] };
  const open = () => createRoomserver({ runtime, database, driver, partitionMap, serverName: 'one.test', signingKey: KEY, stagedState });
  const { partition, effects } = beginning(dag, 1);
  await database.transaction((tx) => commitBatch(tx, [{ place: { partition, epoch: 1, nextSequence: 1, nowMs: START_MS }, effects: { ...effects, events: effects.events.map((event) => ({ ...event, sequence: null })) } }]));
  let roomserver = open();
  const source = { database, consumer: ROOMSERVER_CONSUMER };
  const commands = createCommandClient({ driver, runtime, partitionMap, lookup: outcomeLookup({ 'room-input': source, 'user-input': source }) });
  await roomserver.start();
  context.after(async () => {
    await commands.close();
    await roomserver.stop();
    await driver.close();
    await database.close();
  });

  async function outputs(): Promise<RoomOutput[]> {
    return (await outboxReader(database, 'room-output', ROOMSERVER_CONSUMER).read(0, 0, 1000)).envelopes.map(({ record }) => roomOutputCodec.decode(record));
  }

  const common = { traceId: '', roomId: dag.roomId };
  const resultOf = (outcome: { errcode: string; result: Uint8Array }) => (outcome.errcode === '' ? (JSON.parse(Buffer.from(outcome.result).toString()) as Record<string, unknown>) : outcome.errcode);
  let needsTaken = 0;
  let inputs = 0;
  const world: World = {
    dag, sent,
    later: (ms) => void (ahead += ms),
    async receive(eventId, more = {}) {
      const inputId = more.needId === undefined ? `pdu:${eventId}` : `need:${more.needId}:${eventId}`;
      return resultOf(await commands.submitRoomInput({ ...common, inputId, originServerTs: START_MS, receivePdu: received(dag, eventId, more) }));
    },
    async answer({ needId }, more = {}) {
      const answer = { needId, status: 200, errcode: '', error: '', origin: 'two.test', eventId: '', pdu: NO_BYTES, stageId: '', roomVersion: '', ...more };
      await driver.append('room-input', 0, [roomInputCodec.encode({ ...common, inputId: `answer:${needId}`, replyTo: '', deadlineMs: 0, originServerTs: START_MS, answer })]);
    },
    message: (sender) => commands.submitRoomInput({
      ...common, inputId: `send ${inputs += 1}`, originServerTs: START_MS,
      sendEvent: { sender, deviceId: 'D', txnId: '', event: { type: 'm.room.message', content: Buffer.from('{"body":"local"}') } },
    }).then(resultOf),
    async need() {
      for (;;) {
        const need = (await outputs()).filter((output) => output.need)[needsTaken]?.need;
        if (need) {
          needsTaken += 1;
          return need;
        }
        await runtime.clock.sleep(5);
      }
    },
    told: async () => (await outputs()).flatMap(({ event }) => event?.eventId ?? []),
    async waiting() {
      const [parked, needs] = await Promise.all(['parked_inputs', 'needs'].map((table) => database.query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`)));
      return { parked: parked![0]!.n, needs: needs![0]!.n };
    },
    async restart() {
      await roomserver.stop();
      roomserver = open();
      await roomserver.start();
    },
  };
  for (const eventId of known.slice(1)) await world.receive(eventId);
  return world;
}

const NOTHING = { parked: 0, needs: 0 };

test('a gap is asked for and filled in order; meanwhile local sends and other servers go on, and only its own origin waits', async (context) => {
  const world = await worldOf(context);
  const [m0, m1, m2, m3, m4, m5] = world.sent as [string, string, string, string, string, string];
  const late = world.receive(m3);
  const need = await world.need();
  assert.deepEqual([need.missingEvents!.origin, need.missingEvents!.eventId], ['two.test', m3]);
  assert.equal(need.missingEvents!.earliest.length, 1);
  assert.deepEqual(need.missingEvents!.lacking, [m2]);
  const behind = world.receive(m4);
  assert.ok(((await world.message(CREATOR)) as { event_id: string }).event_id.startsWith('$'));
  assert.deepEqual(await world.receive(m0, { origin: 'three.test' }), { event_id: m0, verdict: 'accepted' });
  await world.restart();
  await Promise.all([world.receive(m1, { needId: need.needId }), world.receive(m2, { needId: need.needId })]);
  await world.answer(need);
  assert.deepEqual(await Promise.all([late, behind]), [{ event_id: m3, verdict: 'accepted' }, { event_id: m4, verdict: 'accepted' }]);
  assert.deepEqual(await world.receive(m5), { event_id: m5, verdict: 'accepted' });
  assert.deepEqual((await world.told()).filter((eventId) => world.sent.includes(eventId)), world.sent);
  assert.deepEqual(await world.waiting(), NOTHING);
  assert.equal((await world.message(CREATOR) as { event_id: string }).event_id.startsWith('$'), true);
});

test('where nobody closes the gap, also when asked again, the state before the event is asked for, and the event stands on it', async (context) => {
  const staged = new Map<string, string[]>();
  const world = await worldOf(context, staged);
  const m5 = world.sent[5]!;
  const late = world.receive(m5);
  await world.answer(await world.need(), { status: 502, errcode: 'M_UNKNOWN', error: 'no' });
  const again = await world.need();
  assert.deepEqual([again.missingEvents!.origin, again.missingEvents!.eventId], ['two.test', m5]);
  await world.answer(again, { status: 504, errcode: 'M_UNKNOWN', error: 'no' });
  const need = await world.need();
  assert.deepEqual([need.stateAt!.origin, need.stateAt!.eventId], ['two.test', m5]);
  staged.set('stage', [...world.dag.events.get(m5)!.before.values()]);
  await world.answer(need, { stageId: 'stage' });
  // Who tells the state may tell the rest as well by now.
  const last = await world.need();
  assert.equal(last.missingEvents!.eventId, m5);
  await world.answer(last, { status: 504, errcode: 'M_UNKNOWN', error: 'no' });
  assert.deepEqual(await late, { event_id: m5, verdict: 'accepted' });
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('a gap that is closed after the state was told is not bridged', async (context) => {
  const staged = new Map<string, string[]>();
  const world = await worldOf(context, staged);
  const late = world.receive(world.sent[3]!);
  for (let tries = 0; tries < 2; tries += 1) await world.answer(await world.need(), { status: 504, errcode: 'M_UNKNOWN', error: 'no' });
  staged.set('stage', [...world.dag.events.get(world.sent[3]!)!.before.values()]);
  await world.answer(await world.need(), { stageId: 'stage' });
  const last = await world.need();
  await world.restart();
  for (const eventId of world.sent.slice(0, 3)) await world.receive(eventId, { needId: last.needId });
  await world.answer(last);
  assert.deepEqual([last.missingEvents?.eventId, await late], [world.sent[3], { event_id: world.sent[3], verdict: 'accepted' }]);
  assert.deepEqual((await world.told()).filter((eventId) => world.sent.includes(eventId)), world.sent.slice(0, 4));
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('what was fetched and still does not reach back asks for a state at once; what follows it waits for its turn', async (context) => {
  const staged = new Map<string, string[]>();
  const world = await worldOf(context, staged);
  const [, m1, m2, m3] = world.sent as [string, string, string, string];
  const late = world.receive(m3);
  const gap = await world.need();
  const fetched = [world.receive(m1, { needId: gap.needId }), world.receive(m2, { needId: gap.needId })];
  const need = await world.need();
  assert.equal(need.stateAt!.eventId, m1);
  await world.answer(gap);
  staged.set('stage', [...world.dag.events.get(m1)!.before.values()]);
  await world.answer(need, { stageId: 'stage' });
  assert.deepEqual(await Promise.all([...fetched, late]), [m1, m2, m3].map((eventId) => ({ event_id: eventId, verdict: 'accepted' })));
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('an event that nobody can tell the past of is given up, leaves nothing behind, and may come again', async (context) => {
  const world = await worldOf(context);
  const m2 = world.sent[2]!;
  const refused = world.receive(m2);
  await world.answer(await world.need(), { status: 403, errcode: 'M_FORBIDDEN' });
  await world.answer(await world.need(), { status: 404, errcode: 'M_NOT_FOUND' });
  assert.equal(await refused, 'M_NOT_FOUND');
  assert.deepEqual(await world.waiting(), NOTHING);
  await world.receive(world.sent[0]!);
  await world.receive(world.sent[1]!);
  assert.deepEqual(await world.receive(m2), { event_id: m2, verdict: 'accepted' });
});

test('a server that never answers is waited for and no longer', async (context) => {
  const world = await worldOf(context);
  const refused = world.receive(world.sent[3]!);
  for (let tries = 0; tries < 2; tries += 1) {
    await world.need();
    world.later(31_000);
    await world.restart();
  }
  await world.need();
  world.later(61_000);
  await world.restart();
  assert.equal(await refused, 'M_NOT_FOUND');
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('an event whose auth events are not known asks for them; those that come, or do not, decide', async (context) => {
  const world = await worldOf(context);
  const { dag } = world;
  // On a branch of its own, so that the event that allows it is not on the way to it.
  const before = dag.newest;
  const join = dag.send({ type: 'm.room.member', sender: '@dave:three.test', state_key: '@dave:three.test', content: { membership: 'join' } });
  const said = dag.send({ type: 'm.room.message', sender: '@dave:three.test', content: {} });
  const { pdu } = dag.events.get(said)!;
  dag.events.set(said, { ...dag.events.get(said)!, pdu: { ...pdu, prev_events: [before] } });
  for (const eventId of world.sent) await world.receive(eventId);
  const refused = world.receive(said);
  const need = await world.need();
  assert.deepEqual([need.eventAuth!.origin, need.eventAuth!.eventId], ['two.test', said]);
  await world.answer(need, { status: 502, errcode: 'M_UNKNOWN' });
  assert.equal(await refused, 'M_NOT_FOUND');
  await world.receive(join);
  assert.deepEqual(((await world.receive(said)) as { verdict: string }).verdict, 'rejected');
  assert.deepEqual(await world.waiting(), NOTHING);
});

test('what cannot be in a graph or in a table is refused', async (context) => {
  const world = await worldOf(context);
  const [m0] = world.sent as [string];
  const { pdu } = world.dag.events.get(m0)!;
  for (const change of [{ prev_events: [] }, { type: 'a\0b' }, { prev_events: ['$\ud800'] }]) {
    assert.equal(await world.receive(m0, { pdu: Buffer.from(JSON.stringify({ ...pdu, ...change })) }), 'M_BAD_JSON');
  }
  assert.deepEqual(await world.receive(m0), { event_id: m0, verdict: 'accepted' });
  assert.deepEqual(await world.receive(m0, { origin: 'three.test' }), { event_id: m0, verdict: 'accepted' });
});
