/**
 * The state of rooms at any of their state IDs. What is read for one: the last snapshot at or below it and the deltas between, so never many more rows than the state has
 * entries. Deltas are followed by their `prev_state_id`, so that a state on a side branch is found as well; each snapshot that such a branch passes by costs one step more.
 */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

interface DeltaSql extends SqlRow {
  state_id: number; prev_state_id: number; event_id: string; replaces: string | null;
}

interface SnapshotSql extends SqlRow {
  state_id: number; event_ids: string;
}

/** A state that is asked for, and how far back its deltas are known. */
interface Trail {
  readonly wanted: number;
  /** The state under the deltas so far. */
  at: number;
  /** Newest first. */
  readonly deltas: DeltaSql[];
}

/**
 * The event IDs of the room's state at each of these state IDs, in no order; 0 is the empty state. Throws when a state ID is not one of the room.
 */
export async function readStates(reader: Reader, roomId: string, stateIds: readonly number[]): Promise<Map<number, string[]>> {
  const states = new Map<number, string[]>();
  let trails: Trail[] = [...new Set(stateIds)].map((wanted) => ({ wanted, at: wanted, deltas: [] }));
  while (trails.length > 0) {
    const top = Math.max(...trails.map(({ at }) => at));
    const base = top === 0 ? { stateId: 0, eventIds: [] } : await readBase(reader, roomId, top);
    if (base.stateId < top) await followDeltas(reader, roomId, { trails, from: base.stateId, to: top });
    for (const trail of trails) if (trail.at === base.stateId) states.set(trail.wanted, play(base.eventIds, trail.deltas));
    trails = trails.filter(({ at }) => at !== base.stateId);
  }
  return states;
}

/** The last snapshot at or below the state ID, or the empty state. */
async function readBase(reader: Reader, roomId: string, stateId: number): Promise<{ stateId: number; eventIds: readonly string[] }> {
  const rows = await reader.query<SnapshotSql>(
    'SELECT state_id, event_ids FROM state_snapshots WHERE room_id = ? AND state_id <= ? ORDER BY state_id DESC LIMIT 1', [roomId, stateId]);
  const row = rows[0];
  return row === undefined ? { stateId: 0, eventIds: [] } : { stateId: row.state_id, eventIds: JSON.parse(row.event_ids) as string[] };
}

/** Takes every trail that is above `from` down to it, or below it where its branch passes by. */
async function followDeltas(reader: Reader, roomId: string, range: { trails: readonly Trail[]; from: number; to: number }): Promise<void> {
  const rows = await reader.query<DeltaSql>(
    'SELECT state_id, prev_state_id, event_id, replaces FROM state_deltas WHERE room_id = ? AND state_id > ? AND state_id <= ? ORDER BY state_id', [roomId, range.from, range.to]);
  const byId = new Map<number, DeltaSql[]>();
  for (const row of rows) {
    const list = byId.get(row.state_id);
    if (list === undefined) byId.set(row.state_id, [row]);
    else list.push(row);
  }
  for (const trail of range.trails) {
    while (trail.at > range.from) {
      const deltas = byId.get(trail.at);
      if (deltas === undefined || deltas[0]!.prev_state_id >= trail.at) throw new Error(`room ${roomId} has no state ${trail.at}`);
      trail.deltas.push(...deltas);
      trail.at = deltas[0]!.prev_state_id;
    }
  }
}

function play(base: readonly string[], deltas: readonly DeltaSql[]): string[] {
  const state = new Set(base);
  for (const { event_id: eventId, replaces } of deltas.toReversed()) {
    if (replaces !== null) state.delete(replaces);
    if (eventId !== '') state.add(eventId);
  }
  return [...state];
}
