/**
 * `unread`: a room with 5,000 users here and a million messages that one of them has not read: how long their /sync takes, and the receipt that clears the count. The messages come to the
 * consumer of room-output as records, as they would from the room's owner; sync and consumer are the server's own, without sockets.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { roomOutputCodec } from '../../pkg/log/codec.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { openPostgres } from '../../pkg/storage/postgres/open.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { RoomOutput, StateChange } from '../../schemas/log/room-output.ts';
import type { HistoryRecord } from '../../test/kit/room-history.ts';
import { createSyncWorld, type SyncWorld } from '../../test/kit/sync-world.ts';
import type { Column } from '../report/table.ts';
import { median, rounded } from '../statistics.ts';

export interface UnreadResult {
  readonly database: string;
  readonly unread: number;
  readonly members: number;
  /** Records that the consumer took in a second while the messages came. */
  readonly perSecond: number;
  readonly initialMs: number;
  readonly incrementalMs: number;
  /** The receipt of an event in the middle, until it is committed. */
  readonly halfMs: number;
  /** The receipt of the last event. */
  readonly clearMs: number;
  /** The sync that tells that nothing is unread any more. */
  readonly clearedMs: number;
}

export const unreadColumns: readonly Column<UnreadResult>[] = [
  { title: 'database', text: (row) => row.database },
  { title: 'unread', text: (row) => String(row.unread) },
  { title: 'users here', text: (row) => String(row.members) },
  { title: 'records/s', text: (row) => row.perSecond.toFixed(0) },
  { title: 'initial sync ms', text: (row) => row.initialMs.toFixed(1) },
  { title: 'incremental ms', text: (row) => row.incrementalMs.toFixed(1) },
  { title: 'receipt in the middle ms', text: (row) => row.halfMs.toFixed(1) },
  { title: 'receipt of the last ms', text: (row) => row.clearMs.toFixed(1) },
  { title: 'sync after it ms', text: (row) => row.clearedMs.toFixed(1) },
];

const MEMBERS = 5000;
const BATCH = 500;
const SERVER = 'history.test';
const ROOM = `!unread:${SERVER}`;
const WRITER = `@writer:${SERVER}`;
const READER = `@user7:${SERVER}`;
const START_MS = 1_700_000_000_000;

/** One row for each database that is there. */
export async function unreadWorkload(options: { unread: number; runs: number; isWanted: (name: string) => boolean }): Promise<UnreadResult[]> {
  const results: UnreadResult[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'myelin-unread-'));
  const url = process.env['MYELIN_TEST_POSTGRES_URL'];
  const databases: [name: string, open: () => Promise<Database>][] = [['SQLite', () => openSqlite({ path: join(folder, 'syncapi.db') })]];
  if (url !== undefined) databases.push(['PostgreSQL', () => openPostgres({ url, schema: `unread_${randomBytes(4).toString('hex')}` })]);
  try {
    for (const [name, open] of databases.filter(([one]) => options.isWanted(one))) results.push(await measure(name, await open(), options));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

async function measure(name: string, database: Database, { unread, runs }: { unread: number; runs: number }): Promise<UnreadResult> {
  const log = new Records();
  const world = await createSyncWorld(log.asHistory(), { database });
  log.upTo(MEMBERS + 2);
  await world.apply(BATCH);
  const before = await timed(() => world.sync(READER));
  const { next_batch: empty } = before.value as { next_batch: string };
  log.upTo(MEMBERS + 2 + unread);
  const seeded = await timed(() => world.apply(BATCH));
  const initial = await timesOf(runs, () => expectUnread(world, {}, unread));
  const incremental = await timesOf(runs, () => expectUnread(world, { since: empty }, unread));
  const half = await timed(() => read(world, log, Math.floor(unread / 2)));
  await expectUnread(world, {}, unread - Math.floor(unread / 2));
  const clear = await timed(() => read(world, log, unread));
  const cleared = await timed(() => expectUnread(world, { since: empty }, 0));
  await world.close();
  return {
    database: name, unread, members: MEMBERS, perSecond: rounded(unread / (seeded.ms / 1000)), initialMs: initial, incrementalMs: incremental,
    halfMs: rounded(half.ms), clearMs: rounded(clear.ms), clearedMs: rounded(cleared.ms),
  };
}

async function read(world: SyncWorld, log: Records, message: number): Promise<void> {
  log.receipt(messageId(message));
  await world.apply();
}

/** The measured answer has to be right. */
async function expectUnread(world: SyncWorld, query: Record<string, string>, expected: number): Promise<void> {
  const answer = await world.sync(READER, query);
  const count = answer.rooms.join[ROOM].unread_notifications.notification_count;
  if (count !== expected) throw new Error(`${count} messages are said to be unread, and ${expected} are`);
}

async function timesOf(runs: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < Math.max(3, runs); run += 1) times.push((await timed(work)).ms);
  return rounded(median(times));
}

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await work();
  return { value, ms: performance.now() - began };
}

function messageId(message: number): string {
  return `$message${message}`;
}

/** The room's records, made when they are asked for: the create event, the joins, the messages, and receipts. */
class Records {
  #length = 0;
  readonly #receipts = new Map<number, string>();

  get length(): number {
    return this.#length;
  }

  upTo(length: number): void {
    this.#length = length;
  }

  receipt(eventId: string): void {
    this.#receipts.set(this.#length, eventId);
    this.#length += 1;
  }

  slice(from: number, to: number): HistoryRecord[] {
    return Array.from({ length: Math.min(to, this.#length) - from }, (_, index) => ({ partition: 0, sequence: from + index + 1, bytes: roomOutputCodec.encode(this.#record(from + index)) }));
  }

  asHistory(): Parameters<typeof createSyncWorld>[0] {
    const eventsById = (eventIds: readonly string[]) => Promise.resolve(eventIds.map((eventId) => ({ eventId, roomId: ROOM, roomVersion: '11', pdu: pduOf(placeOf(eventId)), redactedBy: null, orderKey: placeOf(eventId) + 1 })));
    const roomQuery = { eventsById, currentStates: () => Promise.resolve([]) };
    return { records: this as unknown as HistoryRecord[], partitionMap: { version: 1, partitions: 1 }, roomQuery, roomHistoryQuery: { membershipsAt: () => Promise.resolve(new Map()) } } as unknown as Parameters<typeof createSyncWorld>[0];
  }

  #record(place: number): RoomOutput {
    const common = { roomId: ROOM, roomVersion: '11', inputId: `input-${place}`, traceId: '' };
    const eventId = this.#receipts.get(place);
    if (eventId !== undefined) return { ...common, receipt: { userId: READER, receiptType: 'm.read', eventId, ts: START_MS + place } };
    const event = { eventId: eventIdAt(place), orderKey: place + 1, pdu: pduOf(place), historyVisibility: 'shared', deviceId: '', txnId: '', softFailedAccepted: false, stateBeforeDiffers: false, redacts: '' };
    return { ...common, event: { ...event, stateDelta: stateDeltaOf(place) } };
  }
}

function eventIdAt(place: number): string {
  return place < MEMBERS + 2 ? `$state${place}` : messageId(place - MEMBERS - 1);
}

function placeOf(eventId: string): number {
  return eventId.startsWith('$state') ? Number(eventId.slice(6)) : Number(eventId.slice(8)) + MEMBERS + 1;
}

function memberAt(place: number): string {
  return place === 1 ? WRITER : `@user${place - 2}:${SERVER}`;
}

function stateDeltaOf(place: number): StateChange[] {
  if (place === 0) return [{ type: 'm.room.create', stateKey: '', eventId: eventIdAt(0), replaces: '' }];
  return place < MEMBERS + 2 ? [{ type: 'm.room.member', stateKey: memberAt(place), eventId: eventIdAt(place), replaces: '', membership: 'join', replacedMembership: '' }] : [];
}

function pduOf(place: number): Uint8Array {
  const common = { room_id: ROOM, origin_server_ts: START_MS + place, depth: place + 1, auth_events: [], prev_events: [], hashes: { sha256: '' }, signatures: {} };
  if (place === 0) return bytes({ ...common, type: 'm.room.create', sender: WRITER, state_key: '', content: { room_version: '11' } });
  if (place < MEMBERS + 2) return bytes({ ...common, type: 'm.room.member', sender: memberAt(place), state_key: memberAt(place), content: { membership: 'join' } });
  return bytes({ ...common, type: 'm.room.message', sender: WRITER, content: { msgtype: 'm.text', body: `message ${place}` } });
}

function bytes(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
