/** Random scripts of rooms, syncs and partly applied records: what the properties of the read model are tried on. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HistoryLog, RoomHistory } from './room-history.ts';
import { SyncClient } from './sync-client.ts';
import type { SyncWorld } from './sync-world.ts';

export const SCRIPT_USERS = ['@alice:history.test', '@bob:history.test'] as const;
const [alice, bob] = SCRIPT_USERS;
const carol = '@carol:history.test';

export type Step =
  | { kind: 'say' | 'redact' | 'receipt'; room: number; pick: number }
  | { kind: 'topic' | 'carol'; room: number; pick: number }
  | { kind: 'bob'; room: number; pick: number }
  | { kind: 'apply'; room: number; pick: number }
  | { kind: 'sync'; room: number; pick: number };

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('say', 'say', 'say', 'topic', 'carol', 'redact', 'receipt', 'bob', 'apply', 'sync', 'sync'),
  room: fc.nat(1),
  pick: fc.nat(1000),
}) as fc.Arbitrary<Step>;

export const script = fc.record({
  steps: fc.array(step, { maxLength: 60 }),
  limit: fc.integer({ min: 1, max: 6 }),
  visibility: fc.constantFrom('shared', 'joined'),
  version: fc.constantFrom('10', '11', '12'),
  partitions: fc.constantFrom(1, 3),
});
export type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

/** Memberships that may follow one another. */
const NEXT: Readonly<Record<string, readonly string[]>> = { leave: ['invite', 'join', 'ban'], invite: ['join', 'leave'], join: ['leave', 'join', 'ban'], ban: ['leave'] };

export interface Play {
  readonly log: HistoryLog;
  readonly rooms: readonly RoomHistory[];
  readonly memberships: Map<string, string>;
}

/** Two rooms of alice's. */
export function begin({ visibility, version, partitions }: Script): Play {
  const log = new HistoryLog({ version: 1, partitions });
  const rooms = ['one', 'two'].map((name) => new RoomHistory(log, { name, creator: alice, visibility, version }));
  return { log, rooms, memberships: new Map() };
}

/** Plays one step, but for `apply` and `sync`. */
function play({ rooms, memberships, log }: Play, { kind, room: index, pick }: Step): void {
  const room = rooms[index] as RoomHistory;
  const target = room.timeline[pick % room.timeline.length] as string;
  if (kind === 'say') room.say(pick % 3 === 0 && memberships.get(`${index}${bob}`) === 'join' ? bob : alice, `m${pick}`);
  if (kind === 'topic') room.state('m.room.topic', '', { topic: `${pick}` }, alice);
  if (kind === 'receipt') room.receipt(alice, target);
  if (kind === 'redact' && log.events.get(target)?.pdu.type === 'm.room.message') room.redact(alice, target);
  if (kind === 'bob' || kind === 'carol') {
    const userId = kind === 'bob' ? bob : carol;
    const before = memberships.get(`${index}${userId}`) ?? 'leave';
    const choices = NEXT[before] as readonly string[];
    const membership = choices[pick % choices.length] as string;
    memberships.set(`${index}${userId}`, membership);
    room.member(userId, membership, membership === 'join' ? { displayname: `n${pick}` } : { sender: alice });
  }
}

/** What bob may see, from the script alone. */
function visibleToBob(play: Play, room: RoomHistory, visibility: string): string[] {
  if (visibility === 'shared') return room.timeline;
  let membership = 'leave';
  let setting = 'shared';
  return room.timeline.filter((eventId) => {
    const { pdu } = play.log.events.get(eventId) as { pdu: { type: string; state_key?: string; content: Record<string, unknown> } };
    const isOwn = pdu.type === 'm.room.member' && pdu.state_key === bob;
    const before = [membership, setting];
    if (isOwn) membership = pdu.content['membership'] as string;
    if (pdu.type === 'm.room.history_visibility') setting = 'joined';
    return isOwn || before[0] === 'join' || before[1] === 'shared';
  });
}

/** Lets bob in, applies what is left, and syncs once more. */
async function finish(played: Play, world: SyncWorld, clients: readonly SyncClient[]): Promise<void> {
  for (const [index, room] of played.rooms.entries()) {
    if (played.memberships.get(`${index}${bob}`) === 'ban') room.member(bob, 'leave', { sender: alice });
    if (played.memberships.get(`${index}${bob}`) !== 'join') room.member(bob, 'join');
  }
  await world.apply();
  for (const client of clients) await client.sync();
}

/** Bob's events in the room's order: what happened while he was out comes when he is in again, behind what he knew. */
function inOrder(room: RoomHistory, client: SyncClient): string[] {
  const places = new Map(room.timeline.map((eventId, place) => [eventId, place]));
  return (client.rooms.get(room.roomId)?.timeline ?? []).toSorted((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
}

const TABLES = ['rooms', 'timeline', 'redactions', 'state_intervals', 'memberships', 'receipts', 'account_data'];

/** Every row of the read model, in an order of their own. */
export async function dump(world: SyncWorld): Promise<Record<string, string[]>> {
  const tables: Record<string, string[]> = {};
  for (const table of TABLES) tables[table] = (await world.database.query(`SELECT * FROM ${table}`)).map((row) => JSON.stringify(Object.entries(row).sort())).sort();
  return tables;
}


/** Plays the whole script in `world`; the clients of the two users at its end. */
export async function perform(wish: Script, played: Play, world: SyncWorld, query: Record<string, string> = {}): Promise<readonly [SyncClient, SyncClient]> {
  const clients = [new SyncClient(world, alice, query), new SyncClient(world, bob, query)] as const;
  for (const next of wish.steps) {
    play(played, next);
    if (next.kind === 'apply') await world.apply(1 + (next.pick % 5));
    if (next.kind === 'sync') await clients[next.room]?.sync();
  }
  await finish(played, world, clients);
  return clients;
}

/** Fails unless the clients have what the rooms' histories say that they must. */
export function checkComposition(wish: Script, played: Play, clients: readonly [SyncClient, SyncClient]): void {
  const [ofAlice, ofBob] = clients;
  for (const room of played.rooms) {
    assert.deepEqual(ofAlice.rooms.get(room.roomId)?.timeline, room.timeline, 'alice has it all, in order');
    assert.deepEqual(inOrder(room, ofBob), visibleToBob(played, room, wish.visibility), 'bob has what he may see');
    for (const client of clients) assert.deepEqual(new Set(client.rooms.get(room.roomId)?.state.values()), room.currentState());
  }
}
