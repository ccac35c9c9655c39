import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { UpkeepWork } from './upkeep-work.ts';
import { unreferenced } from './unreferenced-states.ts';

/** States of one look at a partition. */
const SLICE = 100;
/** After all states of a partition were looked at. */
const REST_MS = 3_600_000;

interface Cursor {
  /** Rooms up to this one were looked through. */
  after: string;
  roomId: string | undefined;
  below: number;
  restUntilMs: number;
}

/**
 * Looks through the states beside the way, a slice of each partition at a time, from the newest of a room down, and once an hour all over again. It only reads: what is found is looked at again
 * where it is deleted.
 */
export function findStates({ database, clock }: { database: Database; clock: Clock }): (owned: readonly number[]) => Promise<UpkeepWork[]> {
  const cursors = new Map<number, Cursor>();

  async function look(partition: number, cursor: Cursor): Promise<UpkeepWork[]> {
    if (cursor.roomId === undefined) {
      const [next] = await database.query<{ room_id: string }>(
        'SELECT room_id FROM state_deltas WHERE partition = ? AND sequence = 0 AND room_id > ? ORDER BY room_id LIMIT 1', [partition, cursor.after]);
      if (next === undefined) {
        Object.assign(cursor, { after: '', restUntilMs: clock.now() + REST_MS });
        return [];
      }
      Object.assign(cursor, { roomId: next.room_id, below: Number.MAX_SAFE_INTEGER });
    }
    const roomId = cursor.roomId!;
    const rows = await database.query<{ state_id: number }>(
      'SELECT DISTINCT state_id FROM state_deltas WHERE partition = ? AND sequence = 0 AND room_id = ? AND state_id < ? ORDER BY state_id DESC LIMIT ?', [partition, roomId, cursor.below, SLICE]);
    if (rows.length < SLICE) Object.assign(cursor, { roomId: undefined, after: roomId });
    else cursor.below = rows.at(-1)!.state_id;
    const stateIds = await unreferenced(database, roomId, rows.map((row) => row.state_id));
    return stateIds.length === 0 ? [] : [{ partition, roomId, name: ['collect', ...stateIds], kind: { collectStates: { stateIds } } }];
  }

  return async (owned) => {
    const work: UpkeepWork[] = [];
    for (const partition of owned) {
      const cursor = cursors.get(partition) ?? { after: '', roomId: undefined, below: 0, restUntilMs: 0 };
      cursors.set(partition, cursor);
      if (cursor.restUntilMs <= clock.now()) work.push(...(await look(partition, cursor)));
    }
    return work;
  };
}
