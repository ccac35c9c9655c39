/**
 * The state of an answer: what a client must know before (or, with `use_state_after`, beside) the timeline so that both together give the room's current state.
 */
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import type { ReadDeps } from '../sync/deps.ts';
import type { PartialRoom } from '../consumers/partial-rooms.ts';
import type { SharedRoom } from './shared-rows.ts';
import { slotOf, stateKeyOfSlot, type StateRow, type TimelineRow } from '../storage/rows.ts';

export interface StateWanted {
  readonly roomId: string;
  /** Of the newest record about the room. */
  readonly lastSequence: number;
  /** An event of the room that is not after the start of the timeline, or the newest one. */
  readonly anchor: Pick<TimelineRow, 'event_id' | 'sequence'>;
  /** The timeline starts at this sequence; behind `upper` when it is empty. */
  readonly startSequence: number;
  readonly upper: number;
  /** The state is told as it was here, but for the member event of `userId`: what they are now. undefined: as it is at `upper`. */
  readonly departure: number | undefined;
  readonly userId: string;
  /** Only what began after this sequence; 0: all state. undefined: nothing but `members`. */
  readonly after: number | undefined;
  /** Events of the timeline, which need not be in the state too. */
  readonly shownIds: ReadonlySet<string>;
  /** Members to be included whether they changed or not. */
  readonly members: ReadonlySet<string>;
  /** Leave out other members where all state is asked for. */
  readonly lazyMembers: boolean;
  readonly useStateAfter: boolean;
  /** Members of the room came later than the join, as the state of these sequence numbers: who loads members lazily is not told of them all. */
  readonly partial?: PartialRoom | undefined;
}

/** So many records of the room's partition are many. */
const LONG_GAP = 10_000;

type StateDeps = Pick<ReadDeps, 'database' | 'shared'>;

const COLUMNS = 's.slot, s.from_sequence, s.to_sequence, s.room_id, s.type, s.event_id';

/** Event IDs of the state, by room. */
export async function loadState(deps: StateDeps, wanted: readonly StateWanted[]): Promise<Map<string, string[]>> {
  const rows = [...(await readAll(deps, wanted)), ...(await readChanged(deps, wanted)), ...(await readMembers(deps.database, wanted))];
  const byRoom = new Map<string, Map<string, Map<number, StateRow>>>();
  for (const row of rows) {
    const slots = byRoom.get(row.room_id) ?? new Map<string, Map<number, StateRow>>();
    byRoom.set(row.room_id, slots);
    slots.set(row.slot, (slots.get(row.slot) ?? new Map<number, StateRow>()).set(row.from_sequence, row));
  }
  return new Map(wanted.map((room) => [room.roomId, chooseRows(room, byRoom.get(room.roomId) ?? new Map())]));
}

/**
 * What stood at the start of the timeline or later. Also where the client has been away for long: then there is less of that than of what changed meanwhile. Members of a gap are told of
 * however they are loaded.
 */
async function readAll(deps: StateDeps, wanted: readonly StateWanted[]): Promise<StateRow[]> {
  const whole = wanted.filter((room) => isWhole(room));
  const [others, everything] = [whole.filter((room) => room.lazyMembers && room.after === 0), whole.filter((room) => !room.lazyMembers || room.after !== 0)];
  return [...(await readFrom(deps, everything, 'all')), ...(await readFrom(deps, others, 'others'))];
}

function isWhole({ after, upper }: StateWanted): boolean {
  return after === 0 || (after !== undefined && upper - after > LONG_GAP);
}

const OVERLAP = `SELECT ${COLUMNS} FROM timeline a JOIN state_intervals s ON s.room_id = a.room_id AND s.to_sequence >= a.sequence`;
const FROM_ANCHOR = { all: `${OVERLAP} WHERE a.event_id IN (??)`, others: `${OVERLAP} AND s.type <> 'm.room.member' WHERE a.event_id IN (??)` };

function readFrom({ database, shared }: StateDeps, wanted: readonly StateWanted[], part: 'all' | 'others'): Promise<readonly StateRow[]> {
  const anchors = new Map(wanted.map((room) => [room.roomId, room.anchor.event_id]));
  const rooms = wanted.map(({ roomId, lastSequence, anchor }) => ({ roomId, lastSequence, bound: anchor.sequence }));
  return shared.get(part, rooms, (missing) => database.queryIn<StateRow>(FROM_ANCHOR[part], [], missing.flatMap(({ roomId }) => anchors.get(roomId) ?? [])));
}

/** What changed in these rooms since the client's place. */
function readChanged({ database, shared }: StateDeps, wanted: readonly StateWanted[]): Promise<readonly StateRow[]> {
  const rooms = wanted.flatMap((room) => (room.after === undefined || isWhole(room) ? [] : [{ roomId: room.roomId, lastSequence: room.lastSequence, bound: room.after }]));
  return shared.get('state', rooms, (missing) => readSince(database, missing));
}

/** One query per different bound: rooms of one partition share theirs. */
async function readSince(reader: Reader, rooms: readonly SharedRoom[]): Promise<StateRow[]> {
  const parts: StateRow[][] = [];
  for (const [after, ofBound] of Map.groupBy(rooms, ({ bound }) => bound)) {
    parts.push(await reader.queryIn<StateRow>(`SELECT ${COLUMNS} FROM state_intervals s WHERE s.from_sequence > ? AND s.room_id IN (??)`, [after], ofBound.map(({ roomId }) => roomId)));
  }
  return parts.flat();
}

const MEMBERS = { sql: `SELECT ${COLUMNS} FROM state_intervals s WHERE s.slot IN (??)`, by: 'slot' };

async function readMembers(reader: Reader, wanted: readonly StateWanted[]): Promise<readonly StateRow[]> {
  const slots = wanted.flatMap((room) => [...room.members].map((userId) => slotOf(room.roomId, 'm.room.member', userId)));
  return slots.length === 0 ? [] : gatherIn<StateRow>(reader, MEMBERS, slots);
}

/** In the order in which it came about, the same on every database. */
function chooseRows(room: StateWanted, slots: ReadonlyMap<string, ReadonlyMap<number, StateRow>>): string[] {
  const chosen: StateRow[] = [];
  for (const [slot, intervals] of slots) {
    const row = chooseRow(room, slot, [...intervals.values()]);
    if (row !== undefined) chosen.push(row);
  }
  chosen.sort((left, right) => left.from_sequence - right.from_sequence || (left.slot < right.slot ? -1 : 1));
  return chosen.map((row) => row.event_id);
}

/** What stood under one key at the start of the timeline, or at its end where the timeline does not show the change (a filter dropped it). */
function chooseRow(room: StateWanted, slot: string, intervals: readonly StateRow[]): StateRow | undefined {
  const at = (sequence: number): StateRow | undefined => intervals.find((row) => row.from_sequence <= sequence && sequence < row.to_sequence);
  const end = at(room.departure === undefined || slot === slotOf(room.roomId, 'm.room.member', room.userId) ? room.upper : room.departure);
  const endIsHidden = end !== undefined && end.from_sequence >= room.startSequence && !room.shownIds.has(end.event_id);
  const row = room.useStateAfter || endIsHidden ? end : at(room.startSequence - 1);
  if (row === undefined || isDue(room, row)) return row;
  return undefined;
}

function isDue(room: StateWanted, row: StateRow): boolean {
  const isMember = row.type === 'm.room.member';
  if (isMember && room.members.has(stateKeyOfSlot(row.slot))) return true;
  if (room.after === undefined || row.from_sequence <= room.after) return false;
  if (isMember && room.lazyMembers && isOfPartial(room, row)) return false;
  return !(isMember && room.lazyMembers && room.after === 0);
}

function isOfPartial({ partial }: StateWanted, row: StateRow): boolean {
  return partial !== undefined && row.from_sequence > partial.began && (partial.ended === 0 || row.from_sequence <= partial.ended);
}
