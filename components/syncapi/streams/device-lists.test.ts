import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HistoryLog, RoomHistory } from '../../../test/kit/room-history.ts';
import { createSyncWorld, NOTHING_NEW, type SyncWorld } from '../../../test/kit/sync-world.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { membershipsOfUser } from '../storage/memberships.ts';
import { loadDeviceLists, type DeviceLists } from './device-lists.ts';

const USERS = ['@alice:history.test', '@bob:history.test', '@carol:history.test', '@zoe:elsewhere.test', '@yan:far.test'] as const;
const [alice, bob, carol] = USERS;
const NONE = new Uint8Array(0);
const keysChanged = (world: SyncWorld, userId: string) => world.applyUser({ userId, deviceList: { deviceId: 'D', deleted: false, displayName: '', keys: NONE, crossSigning: NONE, previous: 0 } });

test('what is left to claim is always told, and news of it end a wait', async () => {
  const log = new HistoryLog();
  const world = await createSyncWorld(log);
  const first = await world.sync(alice);
  assert.deepEqual([first.device_one_time_keys_count, first.device_unused_fallback_key_types, first.device_lists], [{}, [], undefined]);
  const counts = { deviceId: 'DEVICE', counts: '{"signed_curve25519":5}', unusedFallbacks: '["signed_curve25519"]' };
  const waiting = world.sync(alice, { since: first.next_batch, timeout: '30000' });
  await world.applyUser({ userId: alice, keyCounts: { ...counts, deviceId: 'OTHER' } });
  await world.applyUser({ userId: alice, keyCounts: counts });
  const told = await waiting;
  assert.deepEqual([told.device_one_time_keys_count, told.device_unused_fallback_key_types], [{ signed_curve25519: 5 }, ['signed_curve25519']]);
  const next = await world.sync(alice, { since: told.next_batch });
  assert.deepEqual([Object.keys(next), next.device_one_time_keys_count], [NOTHING_NEW, { signed_curve25519: 5 }]);
  await world.applyUser({ userId: alice, device: { deviceId: 'DEVICE', removed: true } });
  assert.deepEqual((await world.sync(alice, { since: told.next_batch })).device_one_time_keys_count, {});
  await world.close();
});

test('who waits hears of changed keys of those in their rooms; a filter of rooms hides nobody', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  room.member(bob, 'join');
  const world = await createSyncWorld(log);
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  const waiting = world.sync(alice, { since, timeout: '30000', filter: JSON.stringify({ room: { not_rooms: [room.roomId] } }) });
  await keysChanged(world, carol);
  await keysChanged(world, bob);
  const { device_lists: lists, next_batch: next } = await waiting;
  assert.deepEqual(lists, { changed: [bob], left: [] });
  room.member(carol, 'join');
  room.member(bob, 'leave');
  await world.apply();
  const filtered = await world.sync(alice, { since: next, filter: JSON.stringify({ room: { not_rooms: [room.roomId] } }) });
  assert.deepEqual(filtered.device_lists, { changed: [carol], left: [bob] });
  assert.deepEqual(await world.get(alice, '/keys/changes', { from: since, to: filtered.next_batch }), { changed: [carol], left: [bob] });
  assert.equal((await world.get(alice, '/keys/changes', { from: since })).errcode, 'M_MISSING_PARAM');
  assert.equal((await world.get(alice, '/keys/changes', { from: since, to: 'none' })).errcode, 'M_INVALID_PARAM');
  await world.close();
});

test('with changed keys of the reader come those of the room whose keys the reader has signed', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  for (const user of [bob, carol]) room.member(user, 'join');
  const world = await createSyncWorld(log, { signedUsers: (signer) => Promise.resolve(signer === alice ? [carol, '@stranger:history.test'] : []) });
  await world.apply();
  const { next_batch: since } = await world.sync(alice);
  await keysChanged(world, alice);
  const { device_lists: lists, next_batch: next } = await world.sync(alice, { since });
  assert.deepEqual(lists, { changed: [alice, carol], left: [] });
  assert.deepEqual(await world.get(alice, '/keys/changes', { from: since, to: next }), lists);
  await keysChanged(world, bob);
  assert.deepEqual((await world.sync(alice, { since: next })).device_lists, { changed: [bob], left: [] });
  await world.close();
});

test('a join is asked about once for all whom it wakes, and they are told of it', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  room.member(bob, 'join');
  const world = await createSyncWorld(log);
  await world.apply();
  const { partition, last: before } = await placeOf(world, room.roomId);
  room.member(carol, 'join');
  await world.apply();
  const { last: after } = await placeOf(world, room.roomId);
  let queries = 0;
  const reader: Reader = {
    query: (sql, params) => ((queries += 1), world.database.query(sql, params)),
    queryIn: (sql, params, values) => ((queries += 1), world.database.queryIn(sql, params, values)),
  };
  const vector = (sequence: number): number[] => Array.from({ length: partition + 1 }, (_, index) => (index === partition ? sequence : 0));
  const ask = async (userId: string): Promise<DeviceLists> => loadDeviceLists(reader, {
    userId, memberships: await membershipsOfUser(world.database, userId), since: { room: vector(before), user: [] }, now: { room: vector(after), user: [] },
    membersMoved: new Map([[room.roomId, after]]), signedUsers: () => Promise.resolve([]),
  });
  assert.deepEqual(await ask(alice), { changed: [carol], left: [] });
  const ofOne = queries;
  queries = 0;
  for (const lists of await Promise.all([alice, bob, alice, bob].map(ask))) assert.deepEqual(lists, { changed: [carol], left: [] });
  assert.equal(queries, ofOne);
  await world.close();
});

async function placeOf({ database }: SyncWorld, roomId: string): Promise<{ partition: number; last: number }> {
  const [row] = await database.query<{ partition: number; last: number }>('SELECT partition_number AS partition, last_sequence AS last FROM rooms WHERE room_id = ?', [roomId]);
  return row!;
}

test('a crowd that comes and goes is told of whole', async () => {
  const log = new HistoryLog();
  const room = new RoomHistory(log, { name: 'one', creator: alice });
  const other = new RoomHistory(log, { name: 'other', creator: alice });
  const crowd = Array.from({ length: 120 }, (_, index) => `@user${String(index).padStart(3, '0')}:history.test`);
  other.member(crowd[0]!, 'join');
  const world = await createSyncWorld(log);
  await world.apply();
  const { next_batch: empty } = await world.sync(alice);
  for (const user of crowd) room.member(user, 'join');
  await world.apply();
  const full = await world.sync(alice, { since: empty });
  assert.deepEqual(full.device_lists, { changed: crowd.slice(1), left: [] });
  for (const user of crowd) room.member(user, 'leave');
  await world.apply();
  assert.deepEqual((await world.sync(alice, { since: full.next_batch })).device_lists, { changed: [], left: crowd.slice(1) });
  await world.close();
});

const KINDS = ['join', 'join', 'join', 'join', 'leave', 'leave', 'ban', 'invite', 'forget', 'keys', 'keys', 'login', 'say', 'profile', 'sync', 'sync'] as const;
type Step = { readonly kind: (typeof KINDS)[number]; readonly room: number; readonly user: number };

const step: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom(...KINDS), room: fc.nat(2), user: fc.nat(USERS.length - 1) });
/** The first users are of this server. */
const HERE = 3;

/** What is true at a moment: which stay of each user in each room, and how often their keys have changed. */
interface Moment {
  readonly stays: ReadonlyMap<string, number>;
  readonly keys: readonly number[];
}

const stayIn = ({ stays }: Moment, room: number, user: number) => stays.get(`${room} ${user}`);
const ROOMS = [0, 1, 2];
const share = (moment: Moment, one: number, other: number) => ROOMS.some((room) => stayIn(moment, room, one) !== undefined && stayIn(moment, room, other) !== undefined);
const shareAllTheTime = (then: Moment, now: Moment, one: number, other: number) =>
  ROOMS.some((room) => [one, other].every((user) => stayIn(then, room, user) !== undefined && stayIn(then, room, user) === stayIn(now, room, user)));

/** Keys that have changed since are told whatever the end is: `latest` is what is true when it is asked. */
function expected(then: Moment, now: Moment, { reader, latest = now }: { reader: number; latest?: Moment }) {
  const others = USERS.map((_, user) => user).filter((user) => user !== reader);
  const changed = others.filter((user) => share(now, reader, user) && (then.keys[user] !== latest.keys[user] || !shareAllTheTime(then, now, reader, user)));
  const left = others.filter((user) => share(then, reader, user) && !share(now, reader, user));
  const ids = (users: number[]): string[] => users.map((user) => USERS[user]!).sort();
  return { changed: [...(then.keys[reader] === latest.keys[reader] ? [] : [USERS[reader]!]), ...ids(changed)], left: ids(left) };
}

interface Play {
  readonly log: HistoryLog;
  readonly rooms: readonly RoomHistory[];
  readonly world: SyncWorld;
  /** By room and user: the number of the step that began the stay. */
  readonly stays: Map<string, number>;
  readonly keys: number[];
}

/** Somebody of this server is in the room, so that it hears what goes on there. */
const isHere = ({ stays }: Play, room: number): boolean => USERS.slice(0, HERE).some((_, user) => stays.has(`${room} ${user}`));

/** Alice makes the rooms, so she begins in all of them. */
async function playAgainstModel(steps: readonly Step[], partitions: number): Promise<void> {
  const log = new HistoryLog({ version: 1, partitions });
  const rooms = ['one', 'two', 'three'].map((name) => new RoomHistory(log, { name, creator: alice }));
  const world = await createSyncWorld(log);
  const play: Play = { log, rooms, world, stays: new Map(ROOMS.map((room): [string, number] => [`${room} 0`, 0])), keys: USERS.map(() => 0) };
  const moments = USERS.map((): Known[] => []);
  for (const [index, one] of [...steps, ...USERS.slice(0, HERE).map((_, user): Step => ({ kind: 'sync', room: 0, user }))].entries()) {
    await playOne(play, one, index + 1);
    if (one.kind !== 'sync' || one.user >= HERE) continue;
    await world.apply();
    await checkSyncs(world, { user: one.user, now: { stays: new Map(play.stays), keys: [...play.keys] }, before: moments[one.user]! });
  }
  await world.close();
}

async function playOne(play: Play, { kind, room, user }: Step, index: number): Promise<void> {
  const { log, rooms, world, stays, keys } = play;
  const [history, userId] = [rooms[room]!, USERS[user]!];
  const isIn = stays.has(`${room} ${user}`);
  if (kind === 'say' && isHere(play, room)) history.say(alice, `${index}`);
  if (kind === 'profile' && isIn) changeMember(play, { room, user }, { membership: 'join', displayname: `n${index}` });
  if (kind === 'forget' && !isIn && history.current('m.room.member', userId) !== '' && user < HERE) log.append({ roomId: history.roomId, roomVersion: history.version.id, forgotten: { userId } });
  if (kind === 'keys') {
    keys[user] = keys[user]! + 1;
    await keysChanged(world, userId);
  }
  // Without keys, which is nothing to anybody.
  if (kind === 'login') await world.applyUser({ userId, device: { deviceId: `D${index}`, removed: false } });
  if (kind === 'join' && !isIn) changeMember(play, { room, user }, { membership: 'join', stay: index });
  // Nobody who is in a room is asked into it.
  if (kind === 'leave' || kind === 'ban' || (kind === 'invite' && !isIn)) changeMember(play, { room, user }, { membership: kind, ...(kind !== 'leave' && { sender: alice }) });
}

/** What goes on in a room that nobody of this server is in is heard of when one comes back, with a state that begins anew. */
function changeMember(play: Play, { room, user }: { room: number; user: number }, { membership, stay, ...more }: { membership: string; stay?: number; sender?: string; displayname?: string }): void {
  const [history, userId, place] = [play.rooms[room]!, USERS[user]!, `${room} ${user}`];
  if (isHere(play, room)) history.member(userId, membership, more);
  else if (user >= HERE) history.elsewhere('m.room.member', userId, { membership }, userId);
  else if (membership === 'join') {
    history.importState(2);
    history.member(userId, membership);
  } else return;
  if (membership !== 'join') play.stays.delete(place);
  else if (stay !== undefined) play.stays.set(place, stay);
}

interface Known {
  readonly token: string;
  readonly moment: Moment;
}

/** From each token that the user has had so far to each later one. */
async function checkSyncs(world: SyncWorld, { user: reader, now, before }: { user: number; now: Moment; before: Known[] }): Promise<void> {
  const userId = USERS[reader]!;
  const { next_batch: token } = await world.sync(userId);
  for (const { token: since, moment } of before) {
    const wanted = expected(moment, now, { reader });
    const { device_lists: lists } = await world.sync(userId, { since });
    assert.deepEqual(lists ?? { changed: [], left: [] }, wanted);
    assert.deepEqual(await world.get(userId, '/keys/changes', { from: since, to: token }), wanted);
  }
  for (const [index, from] of before.entries()) {
    const to = before[index + 1];
    if (to !== undefined) assert.deepEqual(await world.get(userId, '/keys/changes', { from: from.token, to: to.token }), expected(from.moment, to.moment, { reader, latest: now }));
  }
  before.push({ token, moment: now });
}

test('device lists are what a model says, from every token to every later one', async () => {
  const numRuns = Number(process.env['DEVICE_LIST_RUNS'] ?? 1000);
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), fc.constantFrom(1, 4), playAgainstModel), { numRuns });
});
