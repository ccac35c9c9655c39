/**
 * The state of rooms at any of their state IDs. Each is found by following `prev_state_id` down to a state that has a snapshot, on the state's own branch, however long it is and whatever the
 * others did meanwhile: `state-snapshots.ts` says how far that is at most.
 */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

interface DeltaSql extends SqlRow {
  state_id: number; prev_state_id: number; event_id: string; replaces: string | null;
}

/** Ways that meet go on as one; those of all states that are asked for are read at once. CROSS JOIN: SQLite, which cannot know how long the ways are, would rather read all states of all rooms. */
const WAYS = `WITH RECURSIVE way (room_id, state_id, prev_state_id) AS (
    SELECT room_id, state_id, prev_state_id FROM state_deltas WHERE room_id = ? AND state_id IN (??)
    UNION
    SELECT d.room_id, d.state_id, d.prev_state_id FROM way JOIN state_deltas d ON d.room_id = way.room_id AND d.state_id = way.prev_state_id
    WHERE NOT EXISTS (SELECT 1 FROM state_snapshots s WHERE s.room_id = way.room_id AND s.state_id = way.state_id))
  SELECT d.state_id, d.prev_state_id, d.event_id, d.replaces FROM way CROSS JOIN state_deltas d WHERE d.room_id = way.room_id AND d.state_id = way.state_id`;

/** States as their changes, and those of them that are known whole. */
interface Ways {
  readonly deltas: ReadonlyMap<number, readonly DeltaSql[]>;
  readonly snapshots: ReadonlyMap<number, readonly string[]>;
}

/**
 * The event IDs of the room's state at each of these state IDs, in no order; 0 is the empty state. Throws when a state ID is not one of the room.
 */
export async function readStates(reader: Reader, roomId: string, stateIds: readonly number[]): Promise<Map<number, string[]>> {
  const wanted = [...new Set(stateIds)];
  const above = wanted.filter((stateId) => stateId !== 0);
  const deltas = Map.groupBy(above.length === 0 ? [] : await reader.queryIn<DeltaSql>(WAYS, [roomId], above), (row) => row.state_id);
  const ends = [...deltas].filter(([, rows]) => rows[0]!.prev_state_id === 0 || !deltas.has(rows[0]!.prev_state_id)).map(([stateId]) => stateId);
  // A way may end at the snapshot of a state that another one goes on from.
  const snapshots = await readSnapshots(reader, roomId, [...new Set([...ends, ...above])]);
  return new Map(wanted.map((stateId) => [stateId, stateAt(roomId, { deltas, snapshots }, stateId)]));
}

async function readSnapshots(reader: Reader, roomId: string, stateIds: readonly number[]): Promise<Map<number, readonly string[]>> {
  if (stateIds.length === 0) return new Map();
  const rows = await reader.queryIn<{ state_id: number; event_ids: string }>('SELECT state_id, event_ids FROM state_snapshots WHERE room_id = ? AND state_id IN (??)', [roomId], stateIds);
  return new Map(rows.map((row) => [row.state_id, JSON.parse(row.event_ids) as string[]]));
}

function stateAt(roomId: string, { deltas, snapshots }: Ways, stateId: number): string[] {
  const changes: (readonly DeltaSql[])[] = [];
  let at = stateId;
  while (at !== 0 && !snapshots.has(at)) {
    const rows = deltas.get(at);
    if (rows === undefined || rows[0]!.prev_state_id >= at) throw new Error(`room ${roomId} has no state ${at}`);
    changes.push(rows);
    at = rows[0]!.prev_state_id;
  }
  return play(snapshots.get(at) ?? [], changes);
}

/** `changes`: newest first. */
function play(base: readonly string[], changes: readonly (readonly DeltaSql[])[]): string[] {
  const state = new Set(base);
  for (const rows of changes.toReversed()) {
    for (const { replaces } of rows) if (replaces !== null) state.delete(replaces);
    for (const { event_id: eventId } of rows) if (eventId !== '') state.add(eventId);
  }
  return [...state];
}
