/**
 * What it costs to bring two sides of a large room together: from the decision on the event that follows both to its verdict, with all that is read meanwhile (SQLite file, WAL,
 * synchronous=FULL; nothing of the room in memory, then the newest events); beside it, what an event of a side costs while both are open, and the rows that one change of membership writes.
 * Run: node bench/micro/two-sides.ts [members] [room version]
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { roomInputCodec } from '../../pkg/log/codec.ts';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { buildEvent, type BuiltEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft } from '../../pkg/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { slotOf, slotOfEvent } from '../../pkg/matrix/state-res/slot.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { unpackJson } from '../../pkg/storage/packed-json.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { beginning } from '../../test/kit/received-room.ts';
import { createRoomDriver, input, KEY, PARTITIONS, type RoomDriver } from '../../test/kit/room-driver.ts';
import type { RoomDag } from '../../test/kit/room-dag.ts';

const members = Number(process.argv[2] ?? 50_000);
const versionId = process.argv[3] ?? '11';
const version = roomVersion(versionId)!;
const CREATOR = '@creator:one.test';
const ADMINS = Array.from({ length: 10 }, (_, index) => `@admin${index}:one.test`);
const SERVERS = 200;
const SIDES = [5, 50, 500];
const MERGES = 5;

const hashed = version.roomIdFormat === 'create-hash';
let depth = 0;
let now = 1_700_000_000_000;
const create = make({ type: 'm.room.create', sender: CREATOR, state_key: '', content: { room_version: versionId, ...(version.creatorInContent && { creator: CREATOR }) } }, [], []);
const roomId = hashed ? roomIdOfCreateEvent(create.eventId) : '!large:one.test';

function make(draft: EventDraft, prevEvents: string[], authEvents: string[]): BuiltEvent {
  depth += 1;
  now += 1000;
  const room = draft.type === 'm.room.create' ? (hashed ? undefined : '!large:one.test') : roomId;
  return buildEvent({ version, draft, roomId: room, prevEvents, authEvents, depth, originServerTs: now, serverName: 'one.test', signingKey: KEY });
}

/** A way through the room: its newest event and its state. */
class Side {
  readonly state: Map<string, string>;
  newest: string;
  readonly sent: BuiltEvent[] = [];

  constructor(newest: string, state: ReadonlyMap<string, string>) {
    this.newest = newest;
    this.state = new Map(state);
  }

  send(draft: EventDraft, prevs: string[] = [this.newest]): BuiltEvent {
    const auth = authTypesFor(draft, version).flatMap(([type, stateKey]) => this.state.get(slotOf(type, stateKey)) ?? []);
    const event = make(draft, prevs, auth);
    if (event.pdu.state_key !== undefined) this.state.set(slotOfEvent(event.pdu), event.eventId);
    this.newest = event.eventId;
    this.sent.push(event);
    return event;
  }

  member(sender: string, target: string, membership: string, name?: string): void {
    this.send({ type: 'm.room.member', sender, state_key: target, content: { membership, ...(name !== undefined && { displayname: name }) } });
  }

  levels(round: number): void {
    const users = { ...(hashed ? {} : { [CREATOR]: 100 }), ...Object.fromEntries(ADMINS.map((userId) => [userId, 50])), [`@round${round}:one.test`]: 1 };
    this.send({ type: 'm.room.power_levels', sender: CREATOR, state_key: '', content: { users } });
  }
}

function user(index: number): string {
  return `@user${index}:server${index % SERVERS}.test`;
}

/** Power levels and join rules change now and then while members come in. */
function grow(side: Side): void {
  side.member(CREATOR, CREATOR, 'join');
  side.levels(0);
  side.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'public' } });
  for (const userId of ADMINS) side.member(userId, userId, 'join');
  for (let index = 0; index < members; index += 1) {
    if (index % 1000 === 999) side.levels(index);
    if (index % 9000 === 8999) side.send({ type: 'm.room.join_rules', sender: CREATOR, state_key: '', content: { join_rule: 'public', round: index } });
    side.member(user(index), user(index), 'join');
  }
}

/**
 * Changes of membership (new names, leaves, returns), bans by admins, one change of power levels, a topic. The first half of the members of the right side have done something on the left side, too;
 * nobody does what the other side's state would not let them do.
 */
function part(side: Side, { changes, from, round, isRight }: { changes: number; from: number; round: number; isRight: boolean }): void {
  side.send({ type: 'm.room.topic', sender: ADMINS[0]!, state_key: '', content: { topic: `topic ${round}` } });
  for (let index = 0; index < changes; index += 1) {
    if (index === Math.floor(changes / 2)) side.levels(round);
    const userId = user(from + index);
    const kind = (from + index) % 5;
    if (kind === 0) side.member(ADMINS[(index + round) % ADMINS.length]!, user(members - 2 - from - index), 'ban');
    else if (kind === 1 || (kind === 2 && !(isRight && index < changes / 2))) side.member(userId, userId, 'leave');
    else side.member(userId, userId, 'join', `name ${round}`);
    if (kind === 1) side.member(userId, userId, 'join');
  }
}

async function receive(driver: RoomDriver, events: readonly BuiltEvent[], batchSize: number): Promise<number> {
  const start = performance.now();
  for (let at = 0; at < events.length; at += batchSize) {
    const batch = events.slice(at, at + batchSize).map(({ eventId, json }) => input(roomId, { receivePdu: { eventId, pdu: Buffer.from(json), origin: 'one.test', needId: '', relay: false } }));
    for (const answer of await driver.batch(batch)) assert.ok('ok' in answer && answer.ok['verdict'] === 'accepted', JSON.stringify(answer));
  }
  return performance.now() - start;
}

async function tableSizes(database: Database): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const { name } of await database.query<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")) {
    sizes.set(name, (await database.query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${name}`))[0]!.n);
  }
  return sizes;
}

async function rowsOfOne(driver: RoomDriver, side: Side, index: number): Promise<object> {
  const before = await tableSizes(driver.database);
  side.member(user(index), user(index), 'leave');
  await receive(driver, side.sent.splice(0), 1);
  return Object.fromEntries([...(await tableSizes(driver.database))].map(([name, size]) => [name, size - before.get(name)!]).filter(([, more]) => more !== 0));
}

/** Against the JSON of all events. */
async function indexBytes(database: Database): Promise<{ bytes: number; ofJson: number }> {
  const names = ['auth_links', 'auth_links_by_target', 'auth_chain_counters', 'events_by_auth_chain', 'events_without_auth_chain'];
  const [tables] = await database.queryIn<{ n: number }>('SELECT SUM(pgsize) AS n FROM dbstat WHERE name IN (??)', [], names);
  const events = await database.query<{ json: Uint8Array }>('SELECT json FROM events');
  const jsonBytes = events.reduce((sum, { json }) => sum + unpackJson(json).byteLength, 0);
  return { bytes: tables!.n, ofJson: +(tables!.n / jsonBytes).toFixed(3) };
}

interface Merge {
  readonly ms: number;
  readonly msMax: number;
  readonly cpuMs: number;
  /** How often the decision had to wait for rows. */
  readonly loads: number;
}

/** The verdict on an event that follows both sides, undone each time. */
async function mergeMs(database: Database, event: BuiltEvent, isCold: boolean): Promise<Merge> {
  const samples: number[] = [];
  let loads = 0;
  const cpu = process.cpuUsage();
  let driver = await createRoomDriver({ database });
  for (let run = 0; run < MERGES; run += 1) {
    if (isCold) driver = await createRoomDriver({ database });
    const { processor } = driver;
    const received = processor.decode(encoded(event));
    const start = performance.now();
    await processor.load([{ input: received, partition: 0 }]);
    const place = { partition: 0, epoch: 1, nextSequence: 10_000_000, nowMs: 0 };
    let decision = processor.decide(received, place);
    while (decision.kind === 'lacking') {
      await processor.loadMore!(received);
      loads += 1;
      decision = processor.decide(received, place);
    }
    samples.push(performance.now() - start);
    assert.ok(decision.kind === 'accepted' && decision.result['verdict'] === 'accepted', JSON.stringify(decision));
    processor.forget(0);
  }
  const { user: inUser, system } = process.cpuUsage(cpu);
  return { ms: median(samples), msMax: +Math.max(...samples).toFixed(1), cpuMs: +((inUser + system) / 1000 / MERGES).toFixed(1), loads: loads / MERGES };
}

function encoded({ eventId, json }: BuiltEvent): Uint8Array {
  return roomInputCodec.encode(input(roomId, { receivePdu: { eventId, pdu: Buffer.from(json), origin: 'one.test', needId: '', relay: false } }));
}

function median(samples: readonly number[]): number {
  return +[...samples].sort((left, right) => left - right)[Math.floor(samples.length / 2)]!.toFixed(1);
}

function report(figures: object): void {
  console.log(JSON.stringify({ members, version: versionId, ...figures }));
}

const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'));
const database = await openSqlite({ path: join(folder, 'rooms.db') });
const driver = await createRoomDriver({ database });
const dag = { createId: create.eventId, events: new Map([[create.eventId, { pdu: create.pdu }]]), roomId, version } as unknown as RoomDag;
const { partition, effects } = beginning(dag, PARTITIONS.partitions);
await driver.begin(partition, effects);
const main = new Side(create.eventId, new Map([[slotOfEvent(create.pdu), create.eventId]]));
grow(main);
const grown = main.sent.splice(0);
report({ what: 'received one after the other', events: grown.length, perSecond: Math.round((grown.length * 1000) / (await receive(driver, grown, 200))) });
report({ what: 'rows that one change of membership adds', rows: await rowsOfOne(driver, main, members - 1) });

report({ what: 'the index of auth chains, against the JSON of all events', ...(await indexBytes(database)) });

let used = 0;
for (const changes of SIDES) {
  const [left, right] = [new Side(main.newest, main.state), new Side(main.newest, main.state)];
  part(left, { changes, from: used, round: used + 1, isRight: false });
  part(right, { changes, from: used + Math.floor(changes / 2), round: used + 2, isRight: true });
  used += changes * 2;
  await receive(driver, left.sent, 200);
  const openMs = await receive(driver, right.sent, 50);
  const rows = await database.query<{ type: string; state_key: string; event_id: string }>('SELECT type, state_key, event_id FROM current_state WHERE room_id = ?', [roomId]);
  main.state.clear();
  for (const row of rows) main.state.set(slotOf(row.type, row.state_key), row.event_id);
  const merge = main.send({ type: 'm.room.message', sender: CREATOR, content: { body: 'together again' } }, [left.newest, right.newest]);
  const [cold, warm] = [await mergeMs(database, merge, true), await mergeMs(database, merge, false)];
  report({ what: 'two sides', changes, eventsOfASide: right.sent.length, cold, warm, eventWhileOpenMs: +(openMs / right.sent.length).toFixed(2) });
  await receive(driver, main.sent.splice(0), 1);
}
await database.close();
rmSync(folder, { recursive: true, force: true });
