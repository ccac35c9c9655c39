/** States beside the way of the current one (sequence 0) that nothing refers to any more: no event that has it as the state after it, and no state that is told as a difference to it. */
import type { Reader, Transaction } from '../../../pkg/storage/database.ts';

/** Those of the states, which count down, that can go: with a state the one below it can go, too, when nothing else stands on that. */
export async function unreferenced(reader: Reader, roomId: string, stateIds: readonly number[]): Promise<number[]> {
  if (stateIds.length === 0) return [];
  const own = await reader.queryIn<{ state_id: number }>(
    `SELECT DISTINCT d.state_id FROM state_deltas d JOIN events e ON e.event_id = d.event_id AND e.state_id = d.state_id AND e.room_id = d.room_id
     WHERE d.room_id = ? AND d.state_id IN (??)`, [roomId], stateIds);
  // Events that change nothing are in such a state only when it differed from the current one.
  const others = await reader.queryIn<{ state_id: number }>('SELECT DISTINCT state_id FROM events WHERE state_before_differs = 1 AND room_id = ? AND state_id IN (??)', [roomId], stateIds);
  const above = await reader.queryIn<{ state_id: number; prev_state_id: number }>(
    'SELECT DISTINCT state_id, prev_state_id FROM state_deltas WHERE sequence = 0 AND room_id = ? AND prev_state_id IN (??)', [roomId], stateIds);
  const current = await reader.query<{ state_id: number }>('SELECT state_id FROM rooms WHERE room_id = ?', [roomId]);
  const needed = new Set([...own, ...others, ...current].map((row) => row.state_id));
  const onTop = Map.groupBy(above, (row) => row.prev_state_id);
  const gone = new Set<number>();
  for (const stateId of stateIds) {
    if (!needed.has(stateId) && (onTop.get(stateId) ?? []).every((row) => gone.has(row.state_id))) gone.add(stateId);
  }
  return [...gone];
}

/** Of these states those go that still can. How many. */
export async function collectStates(tx: Transaction, roomId: string, stateIds: readonly number[]): Promise<number> {
  const beside = await tx.queryIn<{ state_id: number }>('SELECT DISTINCT state_id FROM state_deltas WHERE sequence = 0 AND room_id = ? AND state_id IN (??)', [roomId], stateIds);
  const gone = await unreferenced(tx, roomId, beside.map((row) => row.state_id).sort((left, right) => right - left));
  for (const stateId of gone) {
    for (const table of ['state_deltas', 'state_snapshots', 'state_marks']) await tx.run(`DELETE FROM ${table} WHERE room_id = ? AND state_id = ?`, [roomId, stateId]);
  }
  return gone.length;
}
