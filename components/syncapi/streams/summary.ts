/** Room summaries: how many members, and for rooms without a name the heroes. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { contentText } from '../events/client-event.ts';
import { eldestMembers, type Presence } from '../storage/memberships.ts';
import { OPEN, slotOf } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import type { KnownView } from './room-facts.ts';

export interface RoomSummary {
  readonly joined: number;
  readonly invited: number;
  /** undefined: the room has a name. */
  readonly heroes: readonly string[] | undefined;
}

const HEROES_MAX = 5;
const NAMING: readonly (readonly [type: string, key: string])[] = [['m.room.name', 'name'], ['m.room.canonical_alias', 'alias']];

type SummaryDeps = Pick<ReadDeps, 'database' | 'events' | 'shared'>;

/** What the members of a room have in common of its summary. */
interface Naming {
  readonly room_id: string;
  readonly isNamed: boolean;
  /** Eldest members, one more than heroes are shown, because the user may be among them. */
  readonly eldest: readonly string[];
}

/** Summaries of these rooms as they are now, for `userId`, who is no hero of their own. */
export async function loadSummaries(deps: SummaryDeps, views: readonly KnownView[], userId: string): Promise<Map<string, RoomSummary>> {
  const rooms = views.map(({ roomId, lastSequence }) => ({ roomId, lastSequence, bound: 0 }));
  const namings = await deps.shared.get('naming', rooms, (missing) => readNamings(deps, missing.map(({ roomId }) => roomId)));
  const byRoom = new Map(namings.map((naming) => [naming.room_id, naming]));
  const empty = views.map((view) => view.roomId).filter((roomId) => byRoom.get(roomId)?.isNamed === false && heroesAmong(byRoom.get(roomId)?.eldest, userId).length === 0);
  const gone = await eldestOf(deps.database, empty, 'gone');
  return new Map(
    views.map(({ roomId, joinedCount, invitedCount }) => {
      const naming = byRoom.get(roomId);
      const heroes = heroesAmong(gone.get(roomId) ?? naming?.eldest, userId);
      return [roomId, { joined: joinedCount, invited: invitedCount, heroes: naming?.isNamed === true ? undefined : heroes }];
    }),
  );
}

function heroesAmong(members: readonly string[] | undefined, userId: string): string[] {
  return (members ?? []).filter((member) => member !== userId).slice(0, HEROES_MAX);
}

async function readNamings(deps: SummaryDeps, roomIds: readonly string[]): Promise<Naming[]> {
  const named = await namedRooms(deps, roomIds);
  const eldest = await eldestOf(deps.database, roomIds.filter((roomId) => !named.has(roomId)), 'here');
  return roomIds.map((roomId) => ({ room_id: roomId, isNamed: named.has(roomId), eldest: eldest.get(roomId) ?? [] }));
}

async function namedRooms(deps: SummaryDeps, roomIds: readonly string[]): Promise<Set<string>> {
  const slots = roomIds.flatMap((roomId) => NAMING.map(([type]) => slotOf(roomId, type, '')));
  const rows = await deps.database.queryIn<{ event_id: string }>('SELECT event_id FROM state_intervals WHERE to_sequence = ? AND slot IN (??)', [OPEN], slots);
  const named = new Set<string>();
  for (const event of (await deps.events.load(rows.map((row) => row.event_id))).values()) {
    const content = JSON.parse(contentText(event)) as Record<string, unknown>;
    if (NAMING.some(([type, key]) => type === event.type && typeof content[key] === 'string' && content[key] !== '')) named.add(event.roomId);
  }
  return named;
}

async function eldestOf(reader: Reader, roomIds: readonly string[], presence: Presence): Promise<Map<string, string[]>> {
  const byRoom = Map.groupBy(await eldestMembers(reader, roomIds, presence), (member) => member.room_id);
  return new Map([...byRoom].map(([roomId, members]) => [roomId, members.slice(0, HEROES_MAX + 1).map((member) => member.user_id)]));
}

/** JSON text of a summary. */
export function summaryText(summary: RoomSummary): string {
  const heroes = summary.heroes === undefined ? '' : `"m.heroes":${JSON.stringify(summary.heroes)},`;
  return `{${heroes}"m.invited_member_count":${summary.invited},"m.joined_member_count":${summary.joined}}`;
}
