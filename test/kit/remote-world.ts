/** A roomserver of `three.test` over the real log and a real database, with the other servers played by the test: it takes the needs and gives the answers. For tests of `components/roomserver/remote`. */
import type { TestContext } from 'node:test';
import { createRoomserver, ROOMSERVER_CONSUMER, roomserverMigrations } from '../../components/roomserver/index.ts';
import { roomOutputCodec } from '../../pkg/log/codec.ts';
import { createCommandClient } from '../../pkg/log/command-client.ts';
import { createEmbeddedDriver, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations } from '../../pkg/log/embedded/driver.ts';
import { outboxReader } from '../../pkg/log/outbox.ts';
import { outcomeLookup } from '../../pkg/log/remembered-inputs.ts';
import { logMigrations } from '../../pkg/log/tables.ts';
import { authEventIds } from '../../pkg/matrix/events/pdu.ts';
import { createRuntime } from '../../pkg/runtime/real/runtime.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Answer, RoomInput } from '../../schemas/log/room-input.ts';
import type { Need, RoomOutput } from '../../schemas/log/room-output.ts';
import type { StagedEvent } from '../../schemas/ports/staged-state.ts';
import { createManualRuntime } from './manual-runtime.ts';
import { bytesOf } from './received-room.ts';
import type { DagEvent, RoomDag } from './room-dag.ts';
import { KEY, START_MS } from './room-driver.ts';

export const HERE = 'three.test';
export const DAVE = `@dave:${HERE}`;
export const ERIN = `@erin:${HERE}`;

/** The outcome's result, or its status and error code. */
export type Result = Record<string, unknown> | string;

export interface MemberWish {
  readonly sender?: string;
  readonly target?: string;
  readonly via?: readonly string[];
  readonly content?: object;
  readonly inputId?: string;
}

export interface RemoteWorld {
  readonly database: Database;
  /** Stages by ID. */
  readonly stages: Map<string, StagedEvent[]>;
  /** Lets the server's clock go on; due inputs are decided after a restart. */
  later(ms: number): Promise<void>;
  /** The time that the first input of that ID was stamped with. */
  tsOf(inputId: string): number;
  submit(roomId: string, kind: Partial<RoomInput>, inputId?: string): Promise<Result>;
  /** Dave's, if nobody else is named. */
  member(roomId: string, membership: string, wish?: MemberWish): Promise<Result>;
  message(roomId: string, sender: string): Promise<Result>;
  /** The next need that was told and not taken yet. */
  need(): Promise<Need>;
  /** How many were told and not taken. */
  needsLeft(): Promise<number>;
  answer(roomId: string, need: Need, more?: Partial<Answer>): Promise<Result>;
  outputs(): Promise<RoomOutput[]>;
  envelopes(): Promise<OutputEnvelope[]>;
  /** Rows that wait. */
  waiting(): Promise<{ parked: number; needs: number }>;
  restart(): Promise<void>;
}

const NO_BYTES = new Uint8Array(0);

/** `database`: empty; it is closed with the world. */
export async function createRemoteWorld(context: TestContext, options: { database?: Database } = {}): Promise<RemoteWorld> {
  const real = createRuntime({ logger: createManualRuntime().logger });
  let ahead = 0;
  const runtime: Runtime = { ...real, clock: { ...real.clock, now: () => real.clock.now() + ahead } };
  const database = options.database ?? (await openSqlite({ path: ':memory:' }));
  await migrate(database, 'log', logMigrations, START_MS);
  await migrate(database, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, START_MS);
  await migrate(database, ROOMSERVER_CONSUMER, roomserverMigrations, START_MS);
  const partitionMap = { version: 1, partitions: 1 };
  const driver = await createEmbeddedDriver({ inputDatabases: { 'room-input': database }, runtime });
  const stages = new Map<string, StagedEvent[]>();
  const stagedState = {
    slice: async (stageId: string, from: number, to: number) => (stages.get(stageId) ?? []).slice(from, to),
    stateIds: async (stageId: string) => (stages.get(stageId) ?? []).filter(({ inState }) => inState).map(({ eventId }) => eventId),
  };
  const open = () => createRoomserver({ runtime, database, driver, partitionMap, serverName: HERE, signingKey: KEY, stagedState });
  const source = { database, consumer: ROOMSERVER_CONSUMER };
  const commands = createCommandClient({ driver, runtime, partitionMap, lookup: outcomeLookup({ 'room-input': source, 'user-input': source }) });
  let roomserver = open();
  await roomserver.start();
  context.after(async () => {
    await commands.close();
    await roomserver.stop();
    await driver.close();
    await database.close();
  });

  const envelopes = async () => (await outboxReader(database, 'room-output', ROOMSERVER_CONSUMER).read(0, 0, 1000)).envelopes;
  const outputs = async () => (await envelopes()).map(({ record }) => roomOutputCodec.decode(record));
  const needs = async () => (await outputs()).flatMap(({ need }) => need ?? []);
  let needsTaken = 0;
  let inputs = 0;
  const stamps = new Map<string, number>();
  const world: RemoteWorld = {
    database, stages, envelopes, outputs,
    async later(ms) {
      ahead += ms;
      await world.restart();
    },
    tsOf: (inputId) => stamps.get(inputId) ?? 0,
    async submit(roomId, kind, inputId) {
      inputs += 1;
      if (inputId !== undefined && !stamps.has(inputId)) stamps.set(inputId, START_MS + inputs);
      const input = { traceId: '', roomId, inputId: inputId ?? `input ${inputs}`, originServerTs: START_MS + inputs, ...kind };
      const outcome = await commands.submitRoomInput(input, { deadlineMs: 600_000 });
      return outcome.errcode === '' ? (JSON.parse(Buffer.from(outcome.result).toString()) as Record<string, unknown>) : `${outcome.status} ${outcome.errcode}`;
    },
    member(roomId, membership, { sender = DAVE, target = sender, via = [], content = {}, inputId } = {}) {
      const event = { type: 'm.room.member', stateKey: target, content: Buffer.from(JSON.stringify({ membership, ...content })) };
      return world.submit(roomId, { sendEvent: { sender, deviceId: 'D', txnId: 'T', event, via: [...via] } }, inputId);
    },
    message: (roomId, sender) => world.submit(roomId, { sendEvent: { sender, deviceId: 'D', txnId: '', event: { type: 'm.room.message', content: Buffer.from('{"body":"hi"}') } } }),
    async need() {
      for (;;) {
        const need = (await needs())[needsTaken];
        if (need !== undefined) {
          needsTaken += 1;
          return need;
        }
        await runtime.clock.sleep(5);
      }
    },
    needsLeft: async () => (await needs()).length - needsTaken,
    answer(roomId, { needId }, more = {}) {
      const answer = { needId, status: 200, errcode: '', error: '', origin: 'one.test', eventId: '', pdu: NO_BYTES, stageId: '', roomVersion: '', ...more };
      return world.submit(roomId, { answer });
    },
    async waiting() {
      const [parked, open] = await Promise.all(['parked_inputs', 'needs'].map((table) => database.query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`)));
      return { parked: parked![0]!.n, needs: open![0]!.n };
    },
    async restart() {
      await roomserver.stop();
      roomserver = open();
      await roomserver.start();
    },
  };
  return world;
}

/** The state before an event of the room and its auth chain, as another server would give it: what is cited comes first. */
export function stageOf(dag: RoomDag, { before }: DagEvent): StagedEvent[] {
  const state = new Set(before.values());
  const all = new Set(state);
  for (const eventId of all) for (const authId of authEventIds(dag.events.get(eventId)!.pdu)) all.add(authId);
  all.add(dag.createId);
  return [...dag.events.values()].filter(({ eventId }) => all.has(eventId)).map(({ eventId, pdu }) => ({ eventId, inState: state.has(eventId), pdu: bytesOf(pdu) }));
}

/** Imports a stage in slices, the next when the last is decided. */
export async function importStage(world: RemoteWorld, dag: RoomDag, need: Need, slice = 3): Promise<void> {
  const { length } = world.stages.get(need.needId)!;
  for (let from = 0; from < length; from += slice) await importSlice(world, dag, need, [from, Math.min(length, from + slice)]);
}

export function importSlice(world: RemoteWorld, dag: RoomDag, { needId }: Need, [from, to]: readonly [from: number, to: number], current = true): Promise<Result> {
  return world.submit(dag.roomId, { importState: { needId, stageId: needId, from, to, current, roomVersion: dag.version.id } });
}

/** Does what the federationapi does for a join: the membership event is made on the newest events of the room, the state before it imported, the need answered. */
export async function fulfilJoin(world: RemoteWorld, dag: RoomDag, need: Need, more: Partial<Answer> = {}): Promise<DagEvent> {
  const { userId, content } = need.remoteMembership!;
  const join = dag.add({ type: 'm.room.member', sender: userId, state_key: userId, content: JSON.parse(Buffer.from(content).toString()) as Record<string, unknown> });
  world.stages.set(need.needId, stageOf(dag, join));
  await importStage(world, dag, need);
  await world.answer(dag.roomId, need, joinAnswer(dag, need, join, more));
  return join;
}

export function joinAnswer(dag: RoomDag, { needId }: Need, { eventId, pdu }: DagEvent, more: Partial<Answer> = {}): Partial<Answer> {
  return { eventId, pdu: bytesOf(pdu), stageId: needId, roomVersion: dag.version.id, ...more };
}
