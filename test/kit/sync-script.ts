/** Random scripts of rooms, syncs and partly applied records: what the properties of the read model are tried on. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HistoryLog, RoomHistory } from './room-history.ts';
import { SyncClient } from './sync-client.ts';
import type { SyncWorld } from './sync-world.ts';

export const SCRIPT_USERS = ['@alice:history.test', '@bob:history.test'] as const;
const [alice, bob] = SCRIPT_USERS;
const carol = '@carol:history.test';
const zoe = '@zoe:elsewhere.test';
/** The room that this server has to come into. */
const SHARED_ROOM = 2;

export type Step =
  | { kind: 'say' | 'redact' | 'receipt'; room: number; pick: number }
  | { kind: 'topic' | 'carol'; room: number; pick: number }
  | { kind: 'bob'; room: number; pick: number }
  | { kind: 'apply'; room: number; pick: number }
  | { kind: 'sync'; room: number; pick: number }
  /** Of rooms shared with other servers: an event of another branch, changes by state resolution, something asked, an invite from outside, the way into the room. */
  | { kind: 'fork' | 'resolve' | 'need' | 'outside' | 'enter'; room: number; pick: number };

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('say', 'say', 'say', 'topic', 'carol', 'redact', 'receipt', 'bob', 'apply', 'sync', 'sync', 'fork', 'resolve', 'need', 'outside', 'enter'),
  room: fc.nat(2),
  pick: fc.nat(1000),
}) as fc.Arbitrary<Step>;

export const script = fc.record({
  steps: fc.array(step, { maxLength: 60, size: 'max' }),
  limit: fc.integer({ min: 1, max: 6 }),
  visibility: fc.constantFrom('shared', 'joined'),
  version: fc.constantFrom('10', '11', '12'),
  partitions: fc.constantFrom(1, 3),
  /** The clients take the state from `state_after`: only so do they hear of what state resolution changed behind a state event that the timeline shows. */
  stateAfter: fc.boolean(),
});
export type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

/** Memberships that may follow one another. */
const NEXT: Readonly<Record<string, readonly string[]>> = { leave: ['invite', 'join', 'ban'], invite: ['join', 'leave'], join: ['leave', 'join', 'ban'], ban: ['leave'] };

export interface Play {
  readonly log: HistoryLog;
  readonly rooms: readonly RoomHistory[];
  readonly memberships: Map<string, string>;
}

/** Two rooms of alice's, and one that others have made elsewhere. */
export function begin({ visibility, version, partitions }: Script): Play {
  const log = new HistoryLog({ version: 1, partitions });
  const rooms = ['one', 'two'].map((name) => new RoomHistory(log, { name, creator: alice, visibility, version }));
  rooms.push(new RoomHistory(log, { name: 'three', creator: zoe, visibility, version, elsewhere: true }));
  return { log, rooms, memberships: new Map() };
}

/** Plays one step, but for `apply` and `sync`. */
function play(played: Play, step: Step, stateAfter: boolean): void {
  if (step.kind === 'need') (played.rooms[step.room] as RoomHistory).need();
  if (step.room === SHARED_ROOM && (step.kind === 'enter' || !isHere(played))) playOutside(played, step);
  else playHere(played, step, stateAfter);
}

/** Whether the server is in the shared room: alice is. */
function isHere({ memberships }: Play): boolean {
  return memberships.get(`${SHARED_ROOM}${alice}`) === 'join';
}

/** What happens in the shared room while nobody here is in it, and the ways in and out. */
function playOutside(played: Play, { kind, pick }: Step): void {
  const { rooms, memberships } = played;
  const room = rooms[SHARED_ROOM] as RoomHistory;
  if (kind === 'enter' && isHere(played)) leaveShared(played, room);
  // Now and then the state comes, and the join fails.
  else if (kind === 'enter' && pick % 3 === 0) room.importState(1 + (pick % 4));
  else if (kind === 'enter') enterShared(played, 1 + (pick % 4));
  if (kind === 'topic') room.elsewhere('m.room.topic', '', { topic: `${pick}` }, zoe);
  if (kind === 'carol') room.elsewhere('m.room.member', `@zoe${pick % 3}:elsewhere.test`, { membership: pick % 2 === 0 ? 'join' : 'leave' }, zoe);
  if (kind !== 'outside') return;
  const membership = pick % 3 === 0 ? 'leave' : 'invite';
  const adopt = pick % 2 === 0;
  room.outside(bob, membership, { sender: zoe, adopt, stripped: [{ type: 'm.room.name', state_key: '', sender: zoe, content: { name: 'three' } }] });
  if (adopt) memberships.set(`${SHARED_ROOM}${bob}`, membership);
}

function leaveShared({ memberships }: Play, room: RoomHistory): void {
  for (const userId of [bob, alice]) {
    if (memberships.get(`${SHARED_ROOM}${userId}`) !== 'join') continue;
    room.member(userId, 'leave');
    memberships.set(`${SHARED_ROOM}${userId}`, 'leave');
  }
}

function enterShared({ rooms, memberships }: Play, sliceSize: number): void {
  const room = rooms[SHARED_ROOM] as RoomHistory;
  room.importState(sliceSize);
  room.member(alice, 'join');
  memberships.set(`${SHARED_ROOM}${alice}`, 'join');
}

/** The state under a key goes back to an event that stood there before, as state resolution may decide. */
function resolve({ log }: Play, room: RoomHistory, pick: number): void {
  const [type, stateKey] = pick % 2 === 0 ? ['m.room.topic', ''] : ['m.room.member', carol];
  const before = [...log.events.values()].filter((event) => event.roomId === room.roomId && event.pdu.type === type && event.pdu.state_key === stateKey);
  const eventId = before[pick % Math.max(1, before.length)]?.eventId ?? '';
  const replaces = room.current(type as string, stateKey as string);
  if (eventId === '' || eventId === replaces) return;
  const membership = type === 'm.room.member' ? { membership: String(log.events.get(eventId)?.pdu.content['membership']) } : {};
  room.say(alice, `resolved ${pick}`, { hidden: pick % 5 < 2, changes: [{ type: type as string, stateKey: stateKey as string, eventId, replaces, ...membership }] });
}

function playHere(played: Play, { kind, room: index, pick }: Step, stateAfter: boolean): void {
  const { rooms, memberships, log } = played;
  const room = rooms[index] as RoomHistory;
  if (kind === 'fork') room.say(alice, `f${pick}`, { elsewhere: { [alice]: 'join', [bob]: pick % 2 === 0 ? 'join' : 'leave' } });
  if (kind === 'resolve' && stateAfter) resolve(played, room, pick);
  const target = room.timeline[pick % room.timeline.length] as string;
  if (kind === 'say') room.say(pick % 3 === 0 && memberships.get(`${index}${bob}`) === 'join' ? bob : alice, `m${pick}`, relating(target, pick));
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

/** Most messages relate to something. */
function relating(target: string, pick: number): { more?: Record<string, unknown> } {
  const relType = ['m.thread', 'm.replace', 'm.reference', 'm.thread'][pick % 5];
  return relType === undefined ? {} : { more: { 'm.relates_to': { rel_type: relType, event_id: target }, 'm.new_content': {} } };
}

/** What bob may see, from the script alone. */
function visibleToBob(play: Play, room: RoomHistory, visibility: string): string[] {
  if (visibility === 'shared') return room.timeline;
  let membership = 'leave';
  let setting = room === play.rooms[SHARED_ROOM] ? visibility : 'shared';
  return room.timeline.filter((eventId) => {
    const { pdu } = play.log.events.get(eventId) as { pdu: { type: string; state_key?: string; content: Record<string, unknown> } };
    const isOwn = pdu.type === 'm.room.member' && pdu.state_key === bob;
    const before = [membership, setting];
    if (isOwn) membership = pdu.content['membership'] as string;
    if (pdu.type === 'm.room.history_visibility') setting = 'joined';
    const wasIn = play.log.past.get(JSON.stringify([eventId, bob])) ?? before[0];
    return isOwn || wasIn === 'join' || before[1] === 'shared';
  });
}

/** Lets alice and bob in, applies what is left, and syncs once more. */
async function finish(played: Play, world: SyncWorld, clients: readonly SyncClient[]): Promise<void> {
  if (!isHere(played)) enterShared(played, 2);
  for (const [index, room] of played.rooms.entries()) {
    if (played.memberships.get(`${index}${bob}`) === 'ban') room.member(bob, 'leave', { sender: alice });
    if (played.memberships.get(`${index}${bob}`) !== 'join') room.member(bob, 'join');
  }
  await world.apply();
  for (const client of clients) await client.sync();
}

/** A client's events in the room's order: what happened while its user was out comes when they are in again, behind what it knew. Ends of invites from outside are in no timeline. */
function inOrder(room: RoomHistory, client: SyncClient): string[] {
  const places = new Map(room.timeline.map((eventId, place) => [eventId, place]));
  return (client.rooms.get(room.roomId)?.timeline ?? []).filter((eventId) => places.has(eventId)).toSorted((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
}

const TABLES = ['rooms', 'timeline', 'redactions', 'state_intervals', 'memberships', 'outside_memberships', 'receipts', 'account_data', 'unread_nodes', 'unread_marks', 'relations', 'threads'];

/** Marks of threads that the same user's mark of the whole room has passed say nothing: how many of them are still there depends on what came in one batch. */
const SAYS_NOTHING: Readonly<Record<string, string>> = {
  unread_marks: `WHERE NOT (t.kind = 'read' AND t.name <> '' AND EXISTS (
    SELECT 1 FROM unread_marks w WHERE w.user_id = t.user_id AND w.room_id = t.room_id AND w.kind = 'read' AND w.name = '' AND w.order_key >= t.order_key))`,
};

/** Every row of the read model that says something, in an order of their own. */
export async function dump(world: SyncWorld): Promise<Record<string, string[]>> {
  const tables: Record<string, string[]> = {};
  for (const table of TABLES) tables[table] = (await world.database.query(`SELECT t.* FROM ${table} t ${SAYS_NOTHING[table] ?? ''}`)).map((row) => JSON.stringify(Object.entries(row).sort())).sort();
  return tables;
}


/** Plays the whole script in `world`; the clients of the two users at its end. */
export async function perform(wish: Script, played: Play, world: SyncWorld, query: Record<string, string> = {}): Promise<readonly [SyncClient, SyncClient]> {
  const how = wish.stateAfter ? { ...query, use_state_after: 'true' } : query;
  const clients = [new SyncClient(world, alice, how), new SyncClient(world, bob, how)] as const;
  for (const next of wish.steps) {
    play(played, next, wish.stateAfter);
    if (next.kind === 'apply') await world.apply(1 + (next.pick % 5));
    if (next.kind === 'sync') await clients[next.room % 2]?.sync();
  }
  await finish(played, world, clients);
  return clients;
}

/** Fails unless the clients have what the rooms' histories say that they must. */
export function checkComposition(wish: Script, played: Play, clients: readonly [SyncClient, SyncClient]): void {
  const [ofAlice, ofBob] = clients;
  for (const room of played.rooms) {
    const seen = room === played.rooms[SHARED_ROOM] ? inOrder(room, ofAlice) : ofAlice.rooms.get(room.roomId)?.timeline;
    assert.deepEqual(seen, room.timeline, 'alice has it all, in order');
    assert.deepEqual(inOrder(room, ofBob), visibleToBob(played, room, wish.visibility), 'bob has what he may see');
    for (const client of clients) assert.deepEqual(new Set(client.rooms.get(room.roomId)?.state.values()), room.currentState());
  }
}
