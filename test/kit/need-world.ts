/** Needs of a roomserver, carried out for real (runner, tables, checks of events) against other servers that are functions. */
import { setImmediate as immediate } from 'node:timers/promises';
import { takeNeeds } from '../../components/federationapi/needs/take-needs.ts';
import type { NeedRunnerDeps } from '../../components/federationapi/needs/deps.ts';
import { createNeedRunner, type NeedRunner } from '../../components/federationapi/needs/need-runner.ts';
import { stagedState } from '../../components/federationapi/query/staged-state.ts';
import { federationapiMigrations } from '../../components/federationapi/storage/migrations.ts';
import { verifyPdus } from '../../components/federationapi/verify/verify-pdus.ts';
import { FederationError, type FederationRequest } from '../../pkg/federation/transport.ts';
import { roomInputCodec } from '../../pkg/log/codec.ts';
import { LogUnavailable, type LogDriver } from '../../pkg/log/log.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { Database } from '../../pkg/storage/database.ts';
import type { Answer, RoomInput } from '../../schemas/log/room-input.ts';
import type { Need } from '../../schemas/log/room-output.ts';
import type { StagedState } from '../../schemas/ports/staged-state.ts';
import { createManualRuntime, type ManualRuntime } from './manual-runtime.ts';
import { TEST_KEY } from './room-state.ts';

export type Peer = (request: FederationRequest) => Promise<Record<string, unknown>> | Record<string, unknown>;

export interface NeedWorld {
  readonly runtime: ManualRuntime;
  readonly database: Database;
  readonly staged: StagedState;
  /** By server name; servers that are not there cannot be reached. */
  readonly peers: Map<string, Peer>;
  /** Servers whose keys cannot be had, with what the key ring thinks of their coming back. */
  readonly keyless: Map<string, { mayRecover: boolean }>;
  /** `METHOD destination path` of every request. */
  readonly asked: string[];
  /** What was written into room-input, in order. */
  readonly inputs: RoomInput[];
  /** IDs of events that the roomserver knows. */
  readonly known: Set<string>;
  /** Those of them that have no place in the room's graph. */
  readonly outliers: Set<string>;
  /** The oldest event of the room that is known; an empty ID: none. */
  readonly oldest: { eventId: string; depth: number };
  /** Partitions that the process owns. */
  owned: readonly number[];
  /** The log takes nothing. */
  logIsAway: boolean;
  runner: NeedRunner;
  newRunner(): NeedRunner;
  /** Takes the need as the applier of room-output does. */
  take(need: NewNeed): Promise<void>;
  /** Takes the need and moves the time on until it is answered; undefined when that did not happen within `withinMs`. */
  answerTo(need: NewNeed, withinMs?: number): Promise<Answer | undefined>;
  until(reached: () => boolean, withinMs?: number): Promise<boolean>;
  close(): Promise<void>;
}

export interface NewNeed extends Omit<Need, 'deadlineMs'> {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly lifetimeMs?: number;
}

export const OWN_NAME = 'me.test';

/** What another server answers when it refuses. */
export function refusal(status: number, errcode: string, more: Record<string, unknown> = {}): FederationError {
  return new FederationError('http', `the peer answered ${status} ${errcode}`, { status, errcode, body: { errcode, error: 'No.', ...more } });
}

export async function needWorld(): Promise<NeedWorld> {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  const parts = { peers: new Map<string, Peer>(), keyless: new Map<string, { mayRecover: boolean }>(), asked: [] as string[], inputs: [] as RoomInput[], known: new Set<string>(), outliers: new Set<string>(), oldest: { eventId: '', depth: 0 } };
  const deps: NeedRunnerDeps = { ...outside(parts, () => world.logIsAway, runtime), runtime, database, partitions: () => world.owned };
  const world: NeedWorld = {
    ...parts, runtime, database, staged: stagedState(database), owned: [0], logIsAway: false, runner: createNeedRunner(deps),
    newRunner: () => createNeedRunner(deps),
    async take({ roomId, roomVersion, lifetimeMs = 60_000, ...need }) {
      const output = { roomId, roomVersion, inputId: 'i', traceId: '', need: { ...need, deadlineMs: runtime.clock.now() + lifetimeMs } };
      await database.transaction((tx) => takeNeeds(tx, [{ partition: 0, sequence: 1, output }]));
      world.runner.nudge();
    },
    async answerTo(need, withinMs = 60_000) {
      const before = parts.inputs.length;
      await world.take(need);
      const found = (): Answer | undefined => parts.inputs.slice(before).find(({ answer }) => answer?.needId === need.needId)?.answer ?? undefined;
      await world.until(() => found() !== undefined, withinMs);
      return found();
    },
    async until(reached, withinMs = 60_000) {
      for (let waitedMs = 0; waitedMs <= withinMs; waitedMs += 100) {
        for (let turns = 0; turns < 100 && !reached(); turns += 1) await immediate();
        if (reached()) return true;
        await runtime.advance(100);
      }
      return reached();
    },
    async close() {
      await world.runner.stop();
      await database.close();
    },
  };
  await world.runner.start();
  return world;
}

/** Everything around the runner: other servers, whose every key is `TEST_KEY`, and the log, whose owner accepts all. */
function outside(
  parts: Pick<NeedWorld, 'peers' | 'keyless' | 'asked' | 'inputs' | 'known' | 'outliers' | 'oldest'>, logIsAway: () => boolean, runtime: ManualRuntime,
): Omit<NeedRunnerDeps, 'runtime' | 'database' | 'partitions'> {
  const key = { keyId: TEST_KEY.keyId, publicKey: TEST_KEY.publicKey, validUntilMs: Number.MAX_SAFE_INTEGER, old: false };
  const keyRing: NeedRunnerDeps['keyRing'] = {
    keys: (wanted) => Promise.resolve(new Map(wanted.filter(({ serverName }) => !parts.keyless.has(serverName)).map(({ serverName }) => [serverName, { serverName, keys: new Map([[key.keyId, key]]), validUntilMs: key.validUntilMs, fetchedAtMs: 0 }]))),
    mayRecover: (serverName) => parts.keyless.get(serverName)?.mayRecover ?? true,
  };
  const write = (record: RoomInput): void => {
    if (logIsAway()) throw new LogUnavailable('the log is away');
    // As it comes out of the log.
    parts.inputs.push(roomInputCodec.decode(roomInputCodec.encode(record)));
  };
  return {
    keyRing, serverName: OWN_NAME, signingKey: TEST_KEY, partitionMap: { version: 1, partitions: 1 }, isDenied: (name) => name.startsWith('denied.'),
    roomQuery: {
      knownEventIds: (eventIds) => Promise.resolve(new Set(eventIds.filter((eventId) => parts.known.has(eventId)))),
      placedEventIds: (eventIds) => Promise.resolve(new Set(eventIds.filter((eventId) => parts.known.has(eventId) && !parts.outliers.has(eventId)))),
      eventsById: (eventIds) => Promise.resolve(eventIds.filter((eventId) => eventId === parts.oldest.eventId).map((eventId) => ({
        eventId, roomId: '', roomVersion: '', redactedBy: null, orderKey: 1, pdu: Buffer.from(JSON.stringify({ depth: parts.oldest.depth })),
      }))),
    },
    roomHistoryQuery: { timestampToEvent: () => Promise.resolve(parts.oldest.eventId === '' ? undefined : { eventId: parts.oldest.eventId, originServerTs: 1 }) },
    verify: (events) => verifyPdus({ keyRing, clock: runtime.clock }, events),
    driver: { append: async (_log: string, _partition: number, records: readonly Uint8Array[]) => { for (const record of records) write(roomInputCodec.decode(record)); } } as unknown as LogDriver,
    commands: {
      async submitRoomInput(input) {
        write({ ...input, replyTo: 'r', deadlineMs: 0 });
        return { inputId: input.inputId, partition: 0, sequence: 0, result: Buffer.from('{}'), errcode: '', error: '', status: 200, errorFields: new Uint8Array() };
      },
    },
    signedTransport: {
      async request(request) {
        parts.asked.push(`${request.method} ${request.destination} ${decodeURIComponent(request.path)}`);
        const peer = parts.peers.get(request.destination);
        if (peer === undefined) throw new FederationError('unreachable', `${request.destination} is away`);
        return { status: 200, body: await peer(request) };
      },
    },
  };
}
