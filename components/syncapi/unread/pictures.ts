/**
 * Pictures of rooms, kept from batch to batch. They are the room's partition owner's alone, who carries them forward over memberships; rules of users come by another log, perhaps on another
 * instance: a number in the tables says whether any have changed.
 */
import type { Reader } from '../../../pkg/storage/database.ts';
import { OPEN, slotOf, stateKeyOfSlot } from '../storage/rows.ts';
import { NOBODY, usersOnList } from '../visibility/ignored-users.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { parsePdu } from '../events/client-event.ts';
import { ruledMember, type RoomPicture, type RuledMember, type UserSettings } from './room-picture.ts';
import { ALL } from './tree.ts';

/** Rooms whose pictures are kept, and members with rules of their own in them: beyond, all are read anew. */
const PICTURES_MAX = 20_000;
const MEMBERS_MAX = 100_000;

export const PUSH_RULES = 'm.push_rules';
export const IGNORED_USERS = 'm.ignored_user_list';

export interface PicturesDeps {
  readonly database: Reader;
  readonly roomQuery: Pick<RoomQuery, 'eventsById'>;
  /** The same value as long as nobody's rules can have changed; absent where others may change them unheard. */
  readonly rulesAsOf?: (() => unknown) | undefined;
}

export interface Pictures {
  /** Pictures of these rooms, with the rules as they are now. */
  ensure(roomIds: readonly string[]): Promise<void>;
  get(roomId: string): RoomPicture | undefined;
  /** Users who have just come into rooms, as far as they have rules of their own. */
  arrivals(pairs: readonly (readonly [roomId: string, userId: string])[]): Promise<Map<string, Arrival>>;
  /** Nothing of it is true any more. */
  forget(): void;
}

/** A member, and whether their audience there is yet to be written down. */
export interface Arrival {
  readonly member: RuledMember;
  readonly isSettled: boolean;
}

export function createPictures(deps: PicturesDeps): Pictures {
  const pictures = new Map<string, RoomPicture>();
  let versions: Map<number, number> | undefined;
  let membersRead = 0;
  let followed: { readonly asOf: unknown; readonly areRules: boolean } | undefined;
  const { database } = deps;

  /** Drops pictures that rules have changed in. Says whether anybody has rules of their own. */
  async function follow(): Promise<boolean> {
    const asOf = deps.rulesAsOf?.();
    if (asOf !== undefined && followed?.asOf === asOf) return followed.areRules;
    const rows = await database.query<{ partition_number: number; sequence: number }>('SELECT partition_number, sequence FROM rule_versions');
    if (versions !== undefined && pictures.size > 0) {
      for (const { partition_number: partition, sequence } of rows) if (sequence > (versions.get(partition) ?? 0)) await dropOf(partition, versions.get(partition) ?? 0);
    }
    versions = new Map(rows.map((row) => [row.partition_number, row.sequence]));
    followed = { asOf, areRules: rows.length > 0 };
    return followed.areRules;
  }

  async function dropOf(partition: number, after: number): Promise<void> {
    const users = await database.query<{ user_id: string }>('SELECT user_id FROM rule_changes WHERE partition_number = ? AND sequence > ?', [partition, after]);
    if (users.length === 0) return;
    const rooms = await database.queryIn<{ room_id: string }>(
      `SELECT DISTINCT room_id FROM memberships WHERE to_sequence = ? AND membership = 'join' AND user_id IN (??)`, [OPEN], users.map((row) => row.user_id));
    for (const { room_id: roomId } of rooms) pictures.delete(roomId);
  }

  return {
    async ensure(roomIds) {
      const areRules = await follow();
      const missing = roomIds.filter((roomId) => !pictures.has(roomId));
      if (missing.length === 0) return;
      if (pictures.size + missing.length > PICTURES_MAX || membersRead > MEMBERS_MAX) {
        pictures.clear();
        membersRead = 0;
      }
      const wanted = roomIds.filter((roomId) => !pictures.has(roomId));
      for (const [roomId, picture] of await readPictures(deps, wanted, areRules)) {
        pictures.set(roomId, picture);
        membersRead += picture.members.size;
      }
    },
    get: (roomId) => pictures.get(roomId),
    async arrivals(pairs) {
      const ruled = pairs.length === 0 ? [] : await database.queryIn<{ user_id: string }>('SELECT user_id FROM rule_changes WHERE user_id IN (??)', [], pairs.map(([, userId]) => userId));
      const users = new Set(ruled.map((row) => row.user_id));
      const found = await readMembers(deps, pairs.filter(([, userId]) => users.has(userId)));
      return new Map(found.map((arrival) => [slotOf(arrival.roomId, 'm.room.member', arrival.member.userId), arrival]));
    },
    forget() {
      pictures.clear();
      versions = undefined;
      followed = undefined;
    },
  };
}

async function readPictures(deps: PicturesDeps, roomIds: readonly string[], areRules: boolean): Promise<Map<string, RoomPicture>> {
  const [counts, ruled] = await Promise.all([
    deps.database.queryIn<{ room_id: string; joined_count: number; joined_here: number | null }>('SELECT room_id, joined_count, joined_here FROM rooms WHERE room_id IN (??)', [], roomIds),
    areRules ? deps.database.queryIn<{ room_id: string; user_id: string }>(
      `SELECT m.room_id AS room_id, m.user_id AS user_id FROM memberships m JOIN rule_changes c ON c.user_id = m.user_id WHERE m.to_sequence = ? AND m.membership = 'join' AND m.room_id IN (??)`,
      [OPEN], roomIds) : [],
  ]);
  const known = new Map(counts.map((row) => [row.room_id, { joined: row.joined_count, here: row.joined_here ?? Infinity }]));
  const pictures = new Map(roomIds.map((roomId) => [roomId, { ...known.get(roomId) ?? { joined: 0, here: 0 }, members: new Map<string, RuledMember>(), unsettled: new Set<string>(), power: undefined }]));
  for (const { roomId, member, isSettled } of await readMembers(deps, ruled.map((row) => [row.room_id, row.user_id] as const))) {
    const picture = pictures.get(roomId)!;
    picture.members.set(member.userId, member);
    if (!isSettled) picture.unsettled.add(member.userId);
  }
  return pictures;
}

async function readMembers(deps: PicturesDeps, pairs: readonly (readonly [roomId: string, userId: string])[]): Promise<(Arrival & { roomId: string })[]> {
  if (pairs.length === 0) return [];
  const userIds = [...new Set(pairs.map(([, userId]) => userId))];
  const [settings, settled] = await Promise.all([readSettings(deps.database, userIds), readSettled(deps.database, [...new Set(pairs.map(([roomId]) => roomId))])]);
  const named = pairs.filter(([, userId]) => JSON.stringify(settings.get(userId)?.rules ?? null).includes('contains_display_name'));
  const names = await readDisplayNames(deps, named);
  return pairs.map(([roomId, userId]) => {
    const holder = { userId, roomId, displayName: names.get(slotOf(roomId, 'm.room.member', userId)) };
    const member = ruledMember(holder, settings.get(userId) ?? { rules: undefined, ignored: NOBODY });
    return { roomId, member, isSettled: (settled.get(JSON.stringify([roomId, userId])) ?? ALL) === member.audience };
  });
}

async function readSettings(reader: Reader, userIds: readonly string[]): Promise<Map<string, UserSettings>> {
  const rows = await reader.queryIn<{ user_id: string; type: string; content: string }>(
    `SELECT user_id, type, content FROM account_data WHERE room_id = '' AND type IN ('${PUSH_RULES}', '${IGNORED_USERS}') AND user_id IN (??)`, [], userIds);
  const settings = new Map<string, UserSettings>();
  for (const { user_id: userId, type, content } of rows) {
    const present = settings.get(userId) ?? { rules: undefined, ignored: NOBODY };
    settings.set(userId, type === PUSH_RULES ? { ...present, rules: JSON.parse(content) } : { ...present, ignored: usersOnList(content, userId) });
  }
  return settings;
}

/** By room and user, the audience that the tables name last. */
async function readSettled(reader: Reader, roomIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await reader.queryIn<{ room_id: string; user_id: string; audience: string }>(
    `SELECT room_id, user_id, audience FROM unread_marks WHERE kind = 'rules' AND room_id IN (??) ORDER BY order_key`, [], roomIds);
  return new Map(rows.map((row) => [JSON.stringify([row.room_id, row.user_id]), row.audience]));
}

/** By slot, the display names of members in their rooms. */
async function readDisplayNames({ database, roomQuery }: PicturesDeps, pairs: readonly (readonly [roomId: string, userId: string])[]): Promise<Map<string, string>> {
  if (pairs.length === 0) return new Map();
  const rows = await database.queryIn<{ slot: string; event_id: string }>(
    'SELECT slot, event_id FROM state_intervals WHERE to_sequence = ? AND slot IN (??)', [OPEN], pairs.map(([roomId, userId]) => slotOf(roomId, 'm.room.member', userId)));
  const events = rows.length === 0 ? [] : await roomQuery.eventsById(rows.map((row) => row.event_id));
  const slots = new Map(rows.map((row) => [row.event_id, row.slot]));
  return new Map(events.flatMap(({ eventId, pdu }) => {
    const { content, state_key: stateKey } = parsePdu(pdu);
    const slot = slots.get(eventId)!;
    return typeof content['displayname'] === 'string' && stateKey === stateKeyOfSlot(slot) ? [[slot, content['displayname']] as const] : [];
  }));
}
