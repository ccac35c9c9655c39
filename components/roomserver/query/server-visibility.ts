import type { Reader } from '../../../pkg/storage/database.ts';
import { readSomeJoined } from '../storage/read-events.ts';
import { readStates } from '../storage/read-state.ts';
import { memberOf } from './members-at.ts';
import { byRoom, readPlaces, type StatePlace } from './state-at.ts';
import { isStorable, readStored } from './stored-event.ts';

/** A server's membership events in a room, by event ID, and the newest state that one of them made with a join; -1: none did. */
interface ServerHistory {
  readonly memberships: ReadonlyMap<string, string>;
  readonly lastJoin: number;
}

/**
 * See `RoomHistoryQuery.visibleToServer`: `world_readable` for all; `shared` for servers with a joined member at the event or since; `invited` for those with a joined or invited
 * member at it; `joined` for those with a joined member at it. An event that changes a membership counts with both states around it.
 */
export async function visibleToServer(reader: Reader, serverName: string, eventIds: readonly string[]): Promise<Set<string>> {
  const visible: StatePlace[] = [];
  for (const [roomId, places] of byRoom(await readPlaces(reader, eventIds))) {
    const isOpen = (place: StatePlace) => place.history_visibility === 'world_readable';
    visible.push(...places.filter(isOpen));
    const others = places.filter((place) => !isOpen(place));
    if (others.length > 0 && isStorable(serverName)) visible.push(...(await visibleToMembers(reader, roomId, { places: others, serverName })));
  }
  return new Set([...visible.map((place) => place.event_id), ...(await visibleHistory(reader, serverName, eventIds))]);
}

/** Of history from before this server took part the states are not known: who is in the room now has joined since. */
async function visibleHistory(reader: Reader, serverName: string, eventIds: readonly string[]): Promise<string[]> {
  const ids = [...new Set(eventIds)].filter(isStorable);
  if (ids.length === 0 || !isStorable(serverName)) return [];
  const rows = await reader.queryIn<{ event_id: string; room_id: string; history_visibility: string }>(
    'SELECT event_id, room_id, history_visibility FROM events WHERE rejected = 0 AND state_id IS NULL AND order_key < 0 AND event_id IN (??)', [], ids);
  const visible: string[] = [];
  for (const [roomId, events] of Map.groupBy(rows, (row) => row.room_id)) {
    const isJoined = (await readSomeJoined(reader, roomId, `:${serverName}`, 1)).length > 0;
    visible.push(...events.filter((row) => row.history_visibility === 'world_readable' || (isJoined && row.history_visibility === 'shared')).map((row) => row.event_id));
  }
  return visible;
}

async function visibleToMembers(reader: Reader, roomId: string, { places, serverName }: { places: readonly StatePlace[]; serverName: string }): Promise<StatePlace[]> {
  const isJoinedNow = (await readSomeJoined(reader, roomId, `:${serverName}`, 1)).length > 0;
  if (isJoinedNow && places.every((place) => place.history_visibility === 'shared')) return [...places];
  const history = await readServerHistory(reader, roomId, serverName);
  const isShared = (place: StatePlace) => place.history_visibility === 'shared' && (isJoinedNow || history.lastJoin >= place.after);
  const unsure = places.filter((place) => !isShared(place));
  return [...places.filter(isShared), ...(await visibleByState(reader, roomId, { places: unsure, history }))];
}

async function visibleByState(reader: Reader, roomId: string, { places, history }: { places: readonly StatePlace[]; history: ServerHistory }): Promise<StatePlace[]> {
  if (history.memberships.size === 0 || places.length === 0) return [];
  const states = await readStates(reader, roomId, places.flatMap(({ before, after }) => [before, after]));
  const best = new Map<number, Set<string | undefined>>();
  for (const [stateId, eventIds] of states) best.set(stateId, new Set(eventIds.map((eventId) => history.memberships.get(eventId))));
  return places.filter((place) => [place.before, place.after].some((stateId) => {
    const memberships = best.get(stateId)!;
    return memberships.has('join') || (place.history_visibility === 'invited' && memberships.has('invite'));
  }));
}

async function readServerHistory(reader: Reader, roomId: string, serverName: string): Promise<ServerHistory> {
  const suffix = `:${serverName}`;
  const rows = await reader.query<{ state_id: number; event_id: string }>(
    `SELECT state_id, event_id FROM state_deltas WHERE room_id = ? AND type = 'm.room.member' AND substr(state_key, length(state_key) - ?) = ?`,
    [roomId, suffix.length - 1, suffix]);
  const memberships = new Map((await readStored(reader, rows.map((row) => row.event_id))).map((event) => [event.eventId, memberOf(event).membership]));
  const joins = rows.filter((row) => memberships.get(row.event_id) === 'join').map((row) => row.state_id);
  return { memberships, lastJoin: joins.reduce((left, right) => Math.max(left, right), -1) };
}
