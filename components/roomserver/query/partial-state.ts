/** The state before a join as a server is told it that takes it in without its members (`RoomHistoryQuery.partialStateBefore`). What it costs hangs on the other state and not on the members. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import type { PartialState } from '../../../schemas/ports/room-query.ts';
import { readStates } from '../storage/read-state.ts';
import { readPlaces, type StatePlace } from './state-at.ts';

interface EntrySql extends SqlRow {
  state_id: number; type: string | null; state_key: string; event_id: string;
}

interface StepSql extends SqlRow {
  type: string; state_key: string; prev_state_id: number; replaces: string | null;
}

/** States between that before the event and the current one that are gone through; beyond it the whole state is read. */
const STEPS_MAX = 50;
/** Members who are named in place of a room's name (client-server: `m.heroes`). */
const HEROES_MAX = 5;
/** The first to come into the room, of whom the heroes are chosen; where these have left, all are looked at. */
const FIRST_MEMBERS = 50;

export async function partialStateBefore(reader: Reader, eventId: string, joinerId: string): Promise<PartialState | undefined> {
  const [place] = await readPlaces(reader, [eventId]);
  if (place === undefined) return undefined;
  const entries = (await fromCurrent(reader, place)) ?? (await fromWhole(reader, place));
  const isNamed = entries.some(({ type, state_key: stateKey }) => stateKey === '' && (type === 'm.room.name' || type === 'm.room.canonical_alias'));
  return { eventIds: entries.map((entry) => entry.event_id), heroes: isNamed ? [] : await heroes(reader, place.room_id, joinerId) };
}

/** The current state without what has come since; undefined: the way back is long, or is another. */
async function fromCurrent(reader: Reader, place: StatePlace): Promise<EntrySql[] | undefined> {
  // One statement, so that the state is that of the ID.
  const rows = await reader.query<EntrySql>(
    `SELECT r.state_id, s.type, s.state_key, s.event_id FROM rooms r
     LEFT JOIN current_state s ON s.room_id = r.room_id AND (s.type < 'm.room.member' OR s.type > 'm.room.member') WHERE r.room_id = ?`, [place.room_id]);
  const entries = new Map(rows.filter(({ type }) => type !== null).map((row) => [keyOf(row), row]));
  let at = rows[0]?.state_id ?? 0;
  for (let step = 0; at !== place.before; step += 1) {
    if (at < place.before || step === STEPS_MAX) return undefined;
    const changes = await reader.query<StepSql>('SELECT type, state_key, prev_state_id, replaces FROM state_deltas WHERE room_id = ? AND state_id = ?', [place.room_id, at]);
    if (changes[0] === undefined) return undefined;
    for (const change of changes) undo(entries, change);
    at = changes[0].prev_state_id;
  }
  return [...entries.values()];
}

function undo(entries: Map<string, EntrySql>, change: StepSql): void {
  if (change.type === 'm.room.member') return;
  if (change.replaces === null) entries.delete(keyOf(change));
  else entries.set(keyOf(change), { state_id: 0, type: change.type, state_key: change.state_key, event_id: change.replaces });
}

function keyOf({ type, state_key: stateKey }: { type: string | null; state_key: string }): string {
  return JSON.stringify([type, stateKey]);
}

async function fromWhole(reader: Reader, place: StatePlace): Promise<EntrySql[]> {
  const eventIds = (await readStates(reader, place.room_id, [place.before])).get(place.before)!;
  return eventIds.length === 0 ? [] : reader.queryIn<EntrySql>("SELECT 0 AS state_id, type, state_key, event_id FROM events WHERE type <> 'm.room.member' AND event_id IN (??)", [], eventIds);
}

/** Event IDs of the memberships of the first who are in the room or invited, else of the first who were, without the user who joins. */
async function heroes(reader: Reader, roomId: string, joinerId: string): Promise<string[]> {
  const first = await reader.query<{ state_key: string }>(
    "SELECT state_key FROM state_deltas WHERE room_id = ? AND type = 'm.room.member' ORDER BY state_id LIMIT ?", [roomId, FIRST_MEMBERS]);
  const order = [...new Set(first.map((row) => row.state_key))].filter((userId) => userId !== joinerId);
  const known = order.length === 0 ? [] : await reader.queryIn<MemberSql>(`${MEMBERS} AND state_key IN (??)`, [roomId], order);
  const chosen = chooseHeroes(known.sort((left, right) => order.indexOf(left.state_key) - order.indexOf(right.state_key)), ['join', 'invite']);
  if (chosen.length === HEROES_MAX || first.length < FIRST_MEMBERS) return chosen.length > 0 ? chosen : chooseHeroes(known, ['leave', 'ban']);
  const all = (await reader.query<MemberSql>(`${MEMBERS} ORDER BY state_key`, [roomId])).filter((row) => row.state_key !== joinerId);
  const here = chooseHeroes(all, ['join', 'invite']);
  return here.length > 0 ? here : chooseHeroes(all, ['leave', 'ban']);
}

interface MemberSql extends SqlRow {
  state_key: string; event_id: string; membership: string;
}

const MEMBERS = "SELECT state_key, event_id, membership FROM current_state WHERE room_id = ? AND type = 'm.room.member'";

function chooseHeroes(members: readonly MemberSql[], memberships: readonly string[]): string[] {
  return members.filter(({ membership }) => memberships.includes(membership)).slice(0, HEROES_MAX).map((row) => row.event_id);
}
