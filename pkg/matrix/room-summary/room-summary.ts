/** PURE. What a room looks like to who is not in it (Client-Server API, "Room previews": `RoomSummary`, `PublishedRoomsChunk`). */

/** Wire object. */
export interface RoomSummary {
  readonly room_id: string;
  readonly num_joined_members: number;
  readonly world_readable: boolean;
  readonly guest_can_join: boolean;
  readonly name?: string;
  readonly topic?: string;
  readonly canonical_alias?: string;
  readonly avatar_url?: string;
  readonly join_rule?: string;
  readonly room_type?: string;
  readonly allowed_room_ids?: readonly string[];
  readonly encryption?: string;
  readonly room_version?: string;
}

/** A room of the room directory: what a summary says beyond it is left out. */
export type PublishedRoom = Omit<RoomSummary, 'allowed_room_ids' | 'encryption' | 'room_version'>;

export type Content = Readonly<Record<string, unknown>>;

/** What a summary is made of. */
export const SUMMARY_STATE: readonly (readonly [type: string, stateKey: string])[] = [
  'm.room.create', 'm.room.name', 'm.room.topic', 'm.room.avatar', 'm.room.canonical_alias', 'm.room.join_rules', 'm.room.history_visibility', 'm.room.guest_access', 'm.room.encryption',
].map((type) => [type, '']);

export interface RoomFacts {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly joined: number;
  /** Contents of the room's state under the keys of `SUMMARY_STATE`, by type. */
  readonly contents: ReadonlyMap<string, Content>;
}

const RESTRICTED = new Set(['restricted', 'knock_restricted']);
const ALLOWED_MAX = 100;

export function summaryOf({ roomId, roomVersion, joined, contents }: RoomFacts): RoomSummary {
  const text = (type: string, key: string): string | undefined => textIn(contents.get(type), key);
  const joinRule = text('m.room.join_rules', 'join_rule') ?? 'invite';
  return {
    room_id: roomId,
    num_joined_members: joined,
    world_readable: text('m.room.history_visibility', 'history_visibility') === 'world_readable',
    guest_can_join: text('m.room.guest_access', 'guest_access') === 'can_join',
    join_rule: joinRule,
    room_version: roomVersion,
    ...optional('name', text('m.room.name', 'name')),
    ...optional('topic', plainTopic(contents.get('m.room.topic'))),
    ...optional('canonical_alias', text('m.room.canonical_alias', 'alias')),
    ...optional('avatar_url', text('m.room.avatar', 'url')),
    ...optional('room_type', text('m.room.create', 'type')),
    ...optional('encryption', text('m.room.encryption', 'algorithm')),
    ...(RESTRICTED.has(joinRule) && { allowed_room_ids: allowedRooms(contents.get('m.room.join_rules')) }),
  };
}

/** The form in which the room directory has it. */
export function publishedRoom(summary: RoomSummary): PublishedRoom {
  const { allowed_room_ids: _allowed, encryption: _encryption, room_version: _version, ...room } = summary;
  return room;
}

/** Rooms whose members may join a restricted room. */
export function allowedRooms(joinRules: Content | undefined): string[] {
  const allow = Array.isArray(joinRules?.['allow']) ? (joinRules['allow'] as unknown[]) : [];
  const rooms = allow.flatMap((one) => {
    const { type, room_id: roomId } = isObject(one) ? one : {};
    return type === 'm.room_membership' && typeof roomId === 'string' ? [roomId] : [];
  });
  return [...new Set(rooms)].slice(0, ALLOWED_MAX);
}

/** A topic that has texts in several forms (`m.topic`) is told in its plain one, or not at all. */
function plainTopic(content: Content | undefined): string | undefined {
  const block = content?.['m.topic'];
  const texts = isObject(block) ? block['m.text'] : undefined;
  if (!Array.isArray(texts)) return textIn(content, 'topic');
  const plain = (texts as unknown[]).find((one) => isObject(one) && (one['mimetype'] === undefined || one['mimetype'] === 'text/plain'));
  return isObject(plain) ? textIn(plain, 'body') : undefined;
}

function textIn(content: Content | undefined, key: string): string | undefined {
  const value = content?.[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function optional<Key extends string>(key: Key, value: string | undefined): { readonly [key in Key]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in Key]?: string });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
