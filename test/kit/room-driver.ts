/** Feeds inputs to the roomserver's processor in batches, as the input runner does, and keeps what it answers and tells. For tests of `components/roomserver`. */
import assert from 'node:assert/strict';
import type { RoomEffects } from '../../components/roomserver/input/effects.ts';
import { encodeEvent } from '../../components/roomserver/input/outputs.ts';
import { createRoomProcessor } from '../../components/roomserver/input/processor.ts';
import type { KeptGraphs } from '../../components/roomserver/receive/kept-graphs.ts';
import { roomserverMigrations } from '../../components/roomserver/storage/migrations.ts';
import type { Typing } from '../../components/roomserver/typing/typing.ts';
import { roomInputCodec, roomOutputCodec } from '../../pkg/log/codec.ts';
import { partitionOf } from '../../pkg/log/partition-map.ts';
import type { InputPlace, Processor, RejectedOutcome } from '../../pkg/log/processor.ts';
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import { roomVersion, type RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { RoomInput } from '../../schemas/log/room-input.ts';
import type { RoomOutput } from '../../schemas/log/room-output.ts';

export const SERVER = 'test.example';
export const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(7));
export const START_MS = 1_700_000_000_000;
export const ALICE = `@alice:${SERVER}`;
export const BOB = `@bob:${SERVER}`;
export const CAROL = `@carol:${SERVER}`;

/** Answer to one input: the client's body, or the refusal. */
export type Answer = { readonly ok: Record<string, unknown> } | { readonly no: RejectedOutcome };

export interface TestOutput {
  readonly partition: number;
  readonly sequence: number;
  readonly output: RoomOutput;
}

export interface RoomDriver {
  readonly database: Database;
  readonly processor: Processor<RoomInput, RoomEffects>;
  readonly outputs: TestOutput[];
  /** One batch: load, decide each, commit. */
  batch(inputs: readonly RoomInput[]): Promise<Answer[]>;
  /** The same, but the transaction fails at its end; then the processor forgets, as the runner has it do. */
  failedBatch(inputs: readonly RoomInput[]): Promise<Answer[]>;
  /** Commits effects that no input had: how a room here began. */
  begin(partition: number, effects: RoomEffects): Promise<void>;
  /** One input in a batch of its own. */
  send(input: RoomInput): Promise<Answer>;
  close(): Promise<void>;
}

export const PARTITIONS = { version: 1, partitions: 4 };
const SILENT: Typing = { set: () => undefined, forget: () => undefined };

export async function createRoomDriver(options: { database?: Database; typing?: Typing; headBytesMax?: number; keptGraphs?: KeptGraphs | undefined } = {}): Promise<RoomDriver> {
  const database = options.database ?? (await openSqlite({ path: ':memory:' }));
  await migrate(database, 'roomserver', roomserverMigrations, START_MS);
  const processor = createRoomProcessor({ database, serverName: SERVER, signingKey: KEY, typing: options.typing ?? SILENT, headBytesMax: options.headBytesMax, keptGraphs: options.keptGraphs });
  const outputs: TestOutput[] = [];
  const sequences = new Map<number, number>();

  async function decide(inputs: readonly RoomInput[]) {
    const placed = inputs.map((input) => ({ input: processor.decode(roomInputCodec.encode(input)), partition: partitionOf(PARTITIONS, input.roomId) }));
    await processor.load(placed);
    const answers: Answer[] = [];
    const accepted: { place: InputPlace; effects: RoomEffects }[] = [];
    const made: TestOutput[] = [];
    const next = new Map(sequences);
    for (const { input, partition } of placed) {
      const place = { partition, epoch: 1, nextSequence: (next.get(partition) ?? 0) + 1, nowMs: START_MS };
      let decision = processor.decide(input, place);
      for (let loads = 0; decision.kind === 'lacking'; loads += 1) {
        assert.ok(loads < 50, 'a decision goes on lacking rows');
        await processor.loadMore!(input);
        decision = processor.decide(input, place);
      }
      assert.notEqual(decision.kind, 'parked');
      if (decision.kind === 'rejected') answers.push({ no: decision.outcome });
      if (decision.kind !== 'accepted') continue;
      answers.push({ ok: decision.result });
      accepted.push({ place, effects: decision.effects });
      decision.outputs.forEach((record, index) => made.push({ partition, sequence: place.nextSequence + index, output: roomOutputCodec.decode(record) }));
      next.set(partition, place.nextSequence - 1 + decision.outputs.length);
    }
    return { placed, answers, accepted, made, next };
  }

  async function batch(inputs: readonly RoomInput[]): Promise<Answer[]> {
    const { answers, accepted, made, next } = await decide(inputs);
    if (accepted.length > 0) await database.transaction((tx) => processor.commit(tx, accepted));
    processor.committed?.(accepted);
    outputs.push(...made);
    for (const [partition, sequence] of next) sequences.set(partition, sequence);
    return answers;
  }

  return {
    database, processor, outputs, batch,
    async failedBatch(inputs) {
      const { placed, answers, accepted } = await decide(inputs);
      await assert.rejects(database.transaction(async (tx) => {
        await processor.commit(tx, accepted);
        throw new Error('the disk is on fire');
      }), /on fire/);
      for (const { partition } of placed) processor.forget(partition);
      return answers;
    },
    async begin(partition, effects) {
      const nextSequence = (sequences.get(partition) ?? 0) + 1;
      await database.transaction((tx) => processor.commit(tx, [{ place: { partition, epoch: 1, nextSequence, nowMs: START_MS }, effects }]));
      const header = { roomId: effects.roomId, roomVersion: effects.room!.roomVersion, inputId: effects.inputId, traceId: '' };
      effects.events.forEach((event, index) => outputs.push({ partition, sequence: nextSequence + index, output: roomOutputCodec.decode(encodeEvent(header, event)) }));
      sequences.set(partition, nextSequence - 1 + effects.events.length);
    },
    send: async (input) => (await batch([input]))[0]!,
    close: () => database.close(),
  };
}

let inputs = 0;

/** An input with a new ID and nothing in it. */
export function input(roomId: string, kind: Partial<RoomInput>): RoomInput {
  inputs += 1;
  return { inputId: `input-${inputs}`, replyTo: '', deadlineMs: 0, traceId: `trace-${inputs}`, originServerTs: START_MS + inputs, roomId, ...kind };
}

export function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

export function message(roomId: string, sender: string, body: string): RoomInput {
  return input(roomId, { sendEvent: { sender, deviceId: 'DEVICE', txnId: `txn-${body}`, event: { type: 'm.room.message', content: json({ msgtype: 'm.text', body }) } } });
}

export function state(roomId: string, sender: string, [type, stateKey]: readonly [type: string, stateKey: string], content: unknown): RoomInput {
  return input(roomId, { sendEvent: { sender, deviceId: 'DEVICE', txnId: '', event: { type, stateKey, content: json(content) } } });
}

export function member(roomId: string, sender: string, target: string, membership: string, more: object = {}): RoomInput {
  return state(roomId, sender, ['m.room.member', target], { membership, ...more });
}

export function redaction(roomId: string, sender: string, redacts: string): RoomInput {
  return input(roomId, { sendEvent: { sender, deviceId: 'DEVICE', txnId: '', event: { type: 'm.room.redaction', content: json({ reason: 'why not' }), redacts } } });
}

/** An event that relates to another one: a reaction where there is a key, else a message. */
export function related(roomId: string, sender: string, relation: { rel_type: string; event_id: string; key?: string }): RoomInput {
  const [type, content] = relation.key === undefined ? ['m.room.message', { msgtype: 'm.text', body: 'related' }] : ['m.reaction', {}];
  return input(roomId, { sendEvent: { sender, deviceId: 'DEVICE', txnId: '', event: { type, content: json({ ...content, 'm.relates_to': relation }) } } });
}

export function receipt(roomId: string, userId: string, eventId: string, more: { threadId?: string; receiptType?: string } = {}): RoomInput {
  return input(roomId, { setReceipt: { userId, eventId, receiptType: more.receiptType ?? 'm.read', ts: START_MS, ...(more.threadId !== undefined && { threadId: more.threadId }) } });
}

export function typing(roomId: string, userId: string, isTyping: boolean, timeoutMs = 30_000): RoomInput {
  return input(roomId, { setTyping: { userId, typing: isTyping, timeoutMs } });
}

export interface TestRoom {
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly input: RoomInput;
}

export interface RoomWish {
  readonly version?: string;
  readonly creator?: string;
  readonly name?: string;
  readonly joinRule?: string | object;
  readonly levels?: object;
  readonly content?: object;
  readonly more?: readonly { type: string; stateKey: string; content: unknown }[];
}

/** A room as clientapi makes one: create event, creator's join, power levels, join rules, history visibility. */
export function newRoom(wish: RoomWish = {}): TestRoom {
  const version = roomVersion(wish.version ?? '12')!;
  const creator = wish.creator ?? ALICE;
  const hashed = version.roomIdFormat === 'create-hash';
  const name = wish.name ?? 'room';
  const content = {
    room_version: version.id, ...(version.creatorInContent && { creator }), ...(hashed && { nonce: name }), ...wish.content,
  };
  const domainRoomId = hashed ? undefined : `!${name}:${SERVER}`;
  const built = buildEvent({
    version, draft: { type: 'm.room.create', sender: creator, state_key: '', content }, roomId: domainRoomId, prevEvents: [], authEvents: [],
    depth: 1, originServerTs: START_MS, serverName: SERVER, signingKey: KEY,
  });
  const levels = {
    users: hashed ? {} : { [creator]: 100 }, users_default: 0, events: {}, events_default: 0, state_default: 50, ban: 50, kick: 50, redact: 50, invite: 0, ...wish.levels,
  };
  const rule = wish.joinRule ?? 'invite';
  const first = [
    { type: 'm.room.member', stateKey: creator, content: { membership: 'join' } },
    { type: 'm.room.power_levels', stateKey: '', content: levels },
    { type: 'm.room.join_rules', stateKey: '', content: typeof rule === 'string' ? { join_rule: rule } : rule },
    { type: 'm.room.history_visibility', stateKey: '', content: { history_visibility: 'shared' } },
    ...(wish.more ?? []),
  ];
  const roomId = domainRoomId ?? `!${built.eventId.slice(1)}`;
  const createRoom = {
    roomVersion: version.id, sender: creator, createEvent: Buffer.from(built.json), events: first.map((event) => ({ ...event, content: json(event.content) })),
  };
  return { roomId, version, input: input(roomId, { createRoom }) };
}

/** The ID of the event that was made; fails the test when the input was refused. */
export function eventIdIn(answer: Answer | undefined): string {
  assert.ok(answer !== undefined && 'ok' in answer, `refused: ${JSON.stringify(answer)}`);
  return answer.ok['event_id'] as string;
}

export function assertRefused(answer: Answer | undefined, status: number, errcode: string): void {
  assert.ok(answer !== undefined && 'no' in answer, `accepted: ${JSON.stringify(answer)}`);
  assert.deepEqual([answer.no.status, answer.no.errcode], [status, errcode], answer.no.error);
}

export const TABLES = ['rooms', 'events', 'event_edges', 'state_deltas', 'current_state', 'receipts', 'annotations'] as const;

/** Every row of the roomserver's tables, in an order of their own. */
export async function allRows(database: Database): Promise<Record<string, unknown[]>> {
  const tables: Record<string, unknown[]> = {};
  for (const table of TABLES) {
    const rows = (await database.query(`SELECT * FROM ${table}`)).map((row) =>
      JSON.stringify(Object.entries(row).map(([key, value]) => [key, value instanceof Uint8Array ? Buffer.from(value).toString() : value])));
    tables[table] = rows.sort();
  }
  return tables;
}
