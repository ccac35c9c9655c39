/** Who is in a room, now and at its events: users and servers. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import type { StateSide, StoredEvent } from '../../../schemas/ports/room-query.ts';
import { readStates } from '../storage/read-state.ts';
import { byRoom, isStraight, readPlaces, stateOfType } from './state-at.ts';
import { isStorable, readStored } from './stored-event.ts';

export interface Member {
  readonly userId: string;
  readonly membership: string;
}

/** See `RoomHistoryQuery.joinedHosts`. */
export async function joinedHosts(reader: Reader, roomId: string): Promise<string[]> {
  if (!isStorable(roomId)) return [];
  const rows = await reader.query<{ state_key: string }>(
    "SELECT state_key FROM current_state WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join'", [roomId]);
  return hostsOf(rows.map((row) => row.state_key));
}

/** See `RoomHistoryQuery.joinedHostsAt`. */
export async function joinedHostsAt(reader: Reader, eventId: string, side: StateSide): Promise<string[] | undefined> {
  const [place] = await readPlaces(reader, [eventId]);
  if (place === undefined) return undefined;
  const members = (await stateOfType(reader, place, side, 'm.room.member')).map(memberOf);
  return hostsOf(members.filter(({ membership }) => membership === 'join').map(({ userId }) => userId));
}

/** See `RoomHistoryQuery.membershipsAt`. */
export async function membershipsAt(reader: Reader, wish: { userId: string; eventIds: readonly string[]; side: StateSide }): Promise<Map<string, string>> {
  const memberships = new Map<string, string>();
  for (const [roomId, places] of byRoom(await readPlaces(reader, wish.eventIds))) {
    const at = await memberAt(reader, roomId, { stateIds: places.map((place) => place[wish.side]), userId: wish.userId });
    for (const place of places) memberships.set(place.event_id, at.get(place[wish.side])?.membership ?? 'leave');
  }
  return memberships;
}

interface ChangeSql extends SqlRow {
  state_id: number; event_id: string;
}

/** The user's membership in each of these states of the room that has one. */
async function memberAt(reader: Reader, roomId: string, { stateIds, userId }: { stateIds: readonly number[]; userId: string }): Promise<Map<number, Member>> {
  const found = new Map<number, Member>();
  if (!isStorable(userId)) return found;
  const [first, last] = [Math.min(...stateIds), Math.max(...stateIds)];
  if (!(await isStraight(reader, roomId, last))) return memberInEach(reader, roomId, { stateIds, userId });
  // The change that the first of the states stands on, and those up to the last.
  const changes = await reader.query<ChangeSql>(
    `SELECT d.state_id, d.event_id FROM state_deltas d
     WHERE d.room_id = ? AND d.type = 'm.room.member' AND d.state_key = ? AND d.state_id <= ? AND d.state_id >= COALESCE((SELECT MAX(b.state_id) FROM state_deltas b
       WHERE b.room_id = ? AND b.type = 'm.room.member' AND b.state_key = ? AND b.state_id <= ?), 0) ORDER BY d.state_id`,
    [roomId, userId, last, roomId, userId, first]);
  const members = new Map((await readStored(reader, changes.map((change) => change.event_id))).map((event) => [event.eventId, memberOf(event)]));
  for (const stateId of stateIds) {
    // A change may take the membership out of the state.
    const member = members.get(changes.findLast((candidate) => candidate.state_id <= stateId)?.event_id ?? '');
    if (member !== undefined) found.set(stateId, member);
  }
  return found;
}

async function memberInEach(reader: Reader, roomId: string, { stateIds, userId }: { stateIds: readonly number[]; userId: string }): Promise<Map<number, Member>> {
  const states = await readStates(reader, roomId, stateIds);
  const rows = await reader.query<{ event_id: string }>(
    "SELECT DISTINCT event_id FROM state_deltas WHERE room_id = ? AND type = 'm.room.member' AND state_key = ?", [roomId, userId]);
  const events = await readStored(reader, rows.map((row) => row.event_id));
  const found = new Map<number, Member>();
  for (const [stateId, eventIds] of states) {
    const inState = new Set(eventIds);
    const event = events.find(({ eventId }) => inState.has(eventId));
    if (event !== undefined) found.set(stateId, memberOf(event));
  }
  return found;
}

export function memberOf(event: StoredEvent): Member {
  const pdu = JSON.parse(Buffer.from(event.pdu).toString()) as { state_key: string; content: { membership?: unknown } };
  return { userId: pdu.state_key, membership: String(pdu.content.membership) };
}

export function hostOf(userId: string): string {
  return userId.slice(userId.indexOf(':') + 1);
}

function hostsOf(userIds: readonly string[]): string[] {
  return [...new Set(userIds.map(hostOf))].sort();
}
