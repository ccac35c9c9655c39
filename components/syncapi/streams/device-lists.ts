/** Whose devices a client has to look at anew, and whose it need not follow any more (Client-Server API, "Tracking the device list for a user"). */
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import type { KeyQuery } from '../../../schemas/ports/key-query.ts';
import { OPEN, slotOf, type MembershipRow } from '../storage/rows.ts';
import { rememberLast } from '../token/remember-last.ts';
import type { SyncPosition } from '../token/sync-token.ts';

export interface DeviceLists {
  readonly changed: readonly string[];
  readonly left: readonly string[];
}

export interface DeviceListsWish {
  readonly userId: string;
  /** All that the user ever was, by room. */
  readonly memberships: ReadonlyMap<string, readonly MembershipRow[]>;
  readonly since: Pick<SyncPosition, 'room' | 'user'>;
  readonly now: Pick<SyncPosition, 'room' | 'user'>;
  /** By room, where members last changed, of those of the user's rooms of which that is known; it is asked for of the others. */
  readonly membersMoved: ReadonlyMap<string, number>;
  readonly signedUsers: KeyQuery['signedUsers'];
}

type Interval = { user_id: string; room_id: string; from_sequence: number; to_sequence: number; partition_number: number };
type Vector = readonly number[];

const NONE: DeviceLists = { changed: [], left: [] };
const COLUMNS = 'user_id, room_id, from_sequence, to_sequence, partition_number';
const JOINED = `SELECT ${COLUMNS} FROM memberships WHERE membership = 'join'`;
const IN_SLOTS = { sql: `SELECT slot, ${COLUMNS} FROM memberships WHERE membership = 'join' AND slot IN (??)`, by: 'slot' };
/** Of rooms times users: up to so many are asked for one by one, together with those of others who wake in the same moment. */
const SLOTS_MAX = 100;
const SHARED = `SELECT m.user_id AS user_id, m.room_id AS room_id, m.from_sequence AS from_sequence, m.to_sequence AS to_sequence, m.partition_number AS partition_number
  FROM memberships me JOIN memberships m ON m.room_id = me.room_id AND m.membership = 'join' WHERE me.user_id = ? AND me.membership = 'join' AND m.user_id IN (??)`;

/**
 * Exactly what lies between the two positions. `changed`: users who share a room with the reader at `now`, and have not shared one all the time since (what changed meanwhile may not have been told here), or whose devices or keys have changed;
 * the reader among them. With the reader's own keys all whose keys the reader has signed: such a signature is told as a change of the reader's keys, and other devices of the reader find it only at the keys of who was signed.
 * `left`: users who shared one at `since`, and none at `now`. Costs a query if anybody's keys have changed, and a few where members have; these are the same for all whom a join or a leave
 * wakes, and put once for all of them.
 */
export async function loadDeviceLists(reader: Reader, wish: DeviceListsWish): Promise<DeviceLists> {
  if (changedRanges(wish.since.user, wish.now.user).length === 0 && areMembersQuiet(wish)) return NONE;
  const [changed, moved] = await Promise.all([changedUsers(reader, wish), movedUsers(reader, wish)]);
  const isOwn = changed.has(wish.userId);
  if (isOwn) for (const userId of await wish.signedUsers(wish.userId)) changed.add(userId);
  const others = new Set([...changed, ...moved]);
  others.delete(wish.userId);
  if (others.size === 0) return { changed: isOwn ? [wish.userId] : [], left: [] };
  const { before, after, throughout } = await sharing(reader, wish, [...others]);
  const isChanged = (userId: string): boolean => after.has(userId) && (changed.has(userId) || !throughout.has(userId));
  const ids = [...others].sort();
  return { changed: [...(isOwn ? [wish.userId] : []), ...ids.filter(isChanged)], left: ids.filter((userId) => before.has(userId) && !after.has(userId)) };
}

/** By partition of users, after where and up to where something has happened. */
const changedRanges = rememberLast((since: Vector, now: Vector): readonly (readonly [partition: number, after: number, upTo: number])[] =>
  now.flatMap((upTo, partition) => (upTo > (since[partition] ?? 0) ? [[partition, since[partition] ?? 0, upTo] as const] : [])));

/** Whether it is known already that nobody has come into a room of the reader, or gone from one. */
function areMembersQuiet({ memberships, since, now, membersMoved }: DeviceListsWish): boolean {
  for (const [roomId, intervals] of memberships) {
    const partition = intervals[0]?.partition_number ?? 0;
    const [before, after] = [since.room[partition] ?? 0, now.room[partition] ?? 0];
    const stay = stayAt(intervals, before);
    if (stay !== stayAt(intervals, after)) return false;
    if (stay !== undefined && after > before && (membersMoved.get(roomId) ?? Infinity) > before) return false;
  }
  return true;
}

/** Whose devices or keys have changed, whoever they are. */
async function changedUsers(reader: Reader, { since, now }: DeviceListsWish): Promise<Set<string>> {
  const ranges = changedRanges(since.user, now.user);
  if (ranges.length === 0) return new Set();
  // One text per power of two, filled up with ranges that hold nothing.
  const places = 2 ** Math.ceil(Math.log2(ranges.length));
  const filled = [...ranges, ...Array.from({ length: places - ranges.length }, () => [0, 0, 0] as const)];
  const sql = `SELECT user_id FROM device_list_changes WHERE ${filled.map(() => '(partition_number = ? AND sequence > ? AND sequence <= ?)').join(' OR ')}`;
  const rows = await reader.query<{ user_id: string }>(sql, filled.flat());
  return new Set(rows.map((row) => row.user_id));
}

/** Who has come into a room of the reader, or gone from one, or was there when the reader did so; some of them may have done both. */
async function movedUsers(reader: Reader, wish: DeviceListsWish): Promise<Set<string>> {
  const entered = new Map<number, string[]>();
  const gone = new Map<number, string[]>();
  const stayed = new Map<number, string[]>();
  for (const [roomId, intervals] of wish.memberships) {
    const partition = intervals[0]?.partition_number ?? 0;
    const [stay, staysNow] = [stayAt(intervals, wish.since.room[partition]), stayAt(intervals, wish.now.room[partition])];
    if (stay !== undefined && stay === staysNow) {
      if ((wish.now.room[partition] ?? 0) > (wish.since.room[partition] ?? 0)) put(stayed, partition, roomId);
      continue;
    }
    // Who has gone and come back has done both.
    if (stay !== undefined) put(gone, partition, roomId);
    if (staysNow !== undefined) put(entered, partition, roomId);
  }
  await keepMoved(reader, wish, stayed);
  const read = (rooms: ReadonlyMap<number, readonly string[]>, sql: string, params: (partition: number) => number[]): Promise<(readonly Interval[])[]> =>
    Promise.all([...rooms].map(([partition, roomIds]) => gatherIn<Interval>(reader, { sql, params: params(partition), by: 'room_id' }, roomIds)));
  const [since, now] = [wish.since.room, wish.now.room];
  const rows = await Promise.all([
    read(entered, `${JOINED} AND to_sequence > ? AND from_sequence <= ? AND room_id IN (??)`, (partition) => [now[partition] ?? 0, now[partition] ?? 0]),
    read(gone, `${JOINED} AND to_sequence > ? AND from_sequence <= ? AND room_id IN (??)`, (partition) => [since[partition] ?? 0, since[partition] ?? 0]),
    read(stayed, `${JOINED} AND to_sequence = ? AND from_sequence > ? AND room_id IN (??)`, (partition) => [OPEN, since[partition] ?? 0]),
    read(stayed, `${JOINED} AND to_sequence < ? AND to_sequence > ? AND room_id IN (??)`, (partition) => [OPEN, since[partition] ?? 0]),
  ]);
  return new Set(rows.flat(2).map((row) => row.user_id));
}

/** Takes out the rooms whose members are those that they were. */
async function keepMoved(reader: Reader, { since, membersMoved }: DeviceListsWish, rooms: Map<number, string[]>): Promise<void> {
  const unknown = [...rooms.values()].flat().filter((roomId) => !membersMoved.has(roomId));
  const rows = unknown.length === 0 ? [] : await reader.queryIn<{ room_id: string; members_sequence: number }>('SELECT room_id, members_sequence FROM rooms WHERE room_id IN (??)', [], unknown);
  const moved = new Map([...membersMoved, ...rows.map((row): [string, number] => [row.room_id, row.members_sequence])]);
  for (const [partition, roomIds] of rooms) {
    const kept = roomIds.filter((roomId) => (moved.get(roomId) ?? 0) > (since.room[partition] ?? 0));
    if (kept.length === 0) rooms.delete(partition);
    else rooms.set(partition, kept);
  }
}

/** Those of the users who shared a room with the reader at `since`, who do at `now`, and who have shared the same one all the time. */
async function sharing(reader: Reader, { userId, memberships, since, now }: DeviceListsWish, userIds: readonly string[]): Promise<{ before: Set<string>; after: Set<string>; throughout: Set<string> }> {
  const rooms = [...memberships].filter(([, intervals]) => intervals.some(({ membership }) => membership === 'join')).map(([roomId]) => roomId);
  const rows = rooms.length * userIds.length <= SLOTS_MAX
    ? await gatherIn<Interval>(reader, IN_SLOTS, rooms.flatMap((roomId) => userIds.map((one) => slotOf(roomId, 'm.room.member', one))))
    : await reader.queryIn<Interval>(SHARED, [userId], userIds);
  /** Users with an interval that holds at all these places, in a room where the reader has one too. */
  const during = (...vectors: Vector[]): Set<string> => {
    const holds = (row: Pick<Interval, 'from_sequence' | 'to_sequence' | 'partition_number'>): boolean => vectors.every((vector) => {
      const place = vector[row.partition_number] ?? 0;
      return row.from_sequence <= place && place < row.to_sequence;
    });
    const held = new Set([...memberships].filter(([, intervals]) => intervals.some((interval) => interval.membership === 'join' && holds(interval))).map(([roomId]) => roomId));
    return new Set(rows.filter((row) => held.has(row.room_id) && holds(row)).map((row) => row.user_id));
  };
  return { before: during(since.room), after: during(now.room), throughout: during(since.room, now.room) };
}

/** Where the stay began that goes on at `sequence`; undefined: the user is not in the room. */
function stayAt(intervals: readonly MembershipRow[], sequence = 0): number | undefined {
  return intervals.find((one) => one.membership === 'join' && one.from_sequence <= sequence && sequence < one.to_sequence)?.from_sequence;
}

function put(rooms: Map<number, string[]>, partition: number, roomId: string): void {
  const known = rooms.get(partition);
  if (known === undefined) rooms.set(partition, [roomId]);
  else known.push(roomId);
}
