/** Room summaries: how many members, and for rooms without a name the heroes. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { contentText } from '../events/client-event.ts';
import type { EventLoader } from '../events/load-events.ts';
import { eldestMembers, type Presence } from '../storage/memberships.ts';
import { OPEN, slotOf, type RoomRow } from '../storage/rows.ts';

export interface RoomSummary {
  readonly joined: number;
  readonly invited: number;
  /** undefined: the room has a name. */
  readonly heroes: readonly string[] | undefined;
}

const HEROES_MAX = 5;
const NAMING: readonly (readonly [type: string, key: string])[] = [['m.room.name', 'name'], ['m.room.canonical_alias', 'alias']];

/** Summaries of these rooms as they are now, for `userId`, who is no hero of their own. */
export async function loadSummaries(deps: { database: Reader; events: EventLoader }, roomIds: readonly string[], userId: string): Promise<Map<string, RoomSummary>> {
  if (roomIds.length === 0) return new Map();
  const rooms = await deps.database.queryIn<Pick<RoomRow, 'room_id' | 'joined_count' | 'invited_count'>>(
    'SELECT room_id, joined_count, invited_count FROM rooms WHERE room_id IN (??)',
    [],
    roomIds,
  );
  const named = await namedRooms(deps, roomIds);
  const heroes = await heroesOf(deps.database, roomIds.filter((roomId) => !named.has(roomId)), userId);
  return new Map(rooms.map((room) => [room.room_id, { joined: room.joined_count, invited: room.invited_count, heroes: heroes.get(room.room_id) }]));
}

async function namedRooms(deps: { database: Reader; events: EventLoader }, roomIds: readonly string[]): Promise<Set<string>> {
  const slots = roomIds.flatMap((roomId) => NAMING.map(([type]) => slotOf(roomId, type, '')));
  const rows = await deps.database.queryIn<{ event_id: string }>('SELECT event_id FROM state_intervals WHERE to_sequence = ? AND slot IN (??)', [OPEN], slots);
  const named = new Set<string>();
  for (const event of (await deps.events.load(rows.map((row) => row.event_id))).values()) {
    const content = JSON.parse(contentText(event)) as Record<string, unknown>;
    if (NAMING.some(([type, key]) => type === event.type && typeof content[key] === 'string' && content[key] !== '')) named.add(event.roomId);
  }
  return named;
}

async function heroesOf(reader: Reader, roomIds: readonly string[], userId: string): Promise<Map<string, string[]>> {
  const heroes = await eldestOthers(reader, roomIds, { userId, presence: 'here' });
  const empty = roomIds.filter((roomId) => !heroes.has(roomId));
  const gone = await eldestOthers(reader, empty, { userId, presence: 'gone' });
  return new Map(roomIds.map((roomId) => [roomId, heroes.get(roomId) ?? gone.get(roomId) ?? []]));
}

async function eldestOthers(reader: Reader, roomIds: readonly string[], { userId, presence }: { userId: string; presence: Presence }): Promise<Map<string, string[]>> {
  const others = (await eldestMembers(reader, roomIds, presence)).filter((member) => member.user_id !== userId);
  const byRoom = Map.groupBy(others, (member) => member.room_id);
  return new Map([...byRoom].map(([roomId, members]) => [roomId, members.slice(0, HEROES_MAX).map((member) => member.user_id)]));
}

/** JSON text of a summary. */
export function summaryText(summary: RoomSummary): string {
  const heroes = summary.heroes === undefined ? '' : `"m.heroes":${JSON.stringify(summary.heroes)},`;
  return `{${heroes}"m.invited_member_count":${summary.invited},"m.joined_member_count":${summary.joined}}`;
}
