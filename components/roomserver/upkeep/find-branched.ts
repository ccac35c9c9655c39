import type { Database, SqlRow } from '../../../pkg/storage/database.ts';
import { PREV_EVENTS_MAX } from '../input/make-event.ts';
import type { UpkeepWork } from './upkeep-work.ts';

interface RoomSql extends SqlRow {
  room_id: string; partition: number; branches: number; forward_extremities: string;
}

/** Of one look. */
const ROOMS_MAX = 20;
const EVENTS_MAX = 5;

/**
 * Looks for rooms that have had more than `extremitiesMax` forward extremities for a while: at two looks in a row. So branches that a busy room joins by itself are left to it. Of one room
 * a look brings no more than a few events, each of which joins up to 20 branches.
 */
export function findBranched({ database, extremitiesMax }: { database: Database; extremitiesMax: number }): (owned: readonly number[]) => Promise<UpkeepWork[]> {
  let before = new Set<string>();
  return async (owned) => {
    const rows = await database.queryIn<RoomSql>(
      'SELECT room_id, partition, branches, forward_extremities FROM rooms WHERE branches > 1 AND branches > ? AND partition IN (??)', [extremitiesMax], owned);
    const due = rows.filter((row) => before.has(row.room_id)).slice(0, ROOMS_MAX);
    before = new Set(rows.map((row) => row.room_id));
    return due.flatMap(workOf);
  };

  function workOf({ room_id: roomId, partition, branches, forward_extremities: extremities }: RoomSql): UpkeepWork[] {
    const events = Math.min(EVENTS_MAX, Math.ceil((branches - extremitiesMax) / (PREV_EVENTS_MAX - 1)));
    return Array.from({ length: events }, (_, number) => ({ partition, roomId, name: ['join', number, extremities], kind: { joinBranches: { extremitiesMax } } }));
  }
}
