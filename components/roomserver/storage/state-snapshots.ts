/**
 * Snapshots of rooms' states, written in the transaction of the change that makes them due. The next one of a room is due once its state IDs have counted up by as many as the last
 * one has entries, and by at least `INTERVAL_MIN`: over the life of a room it costs no more than about one stored event ID a change.
 * They are where `dueAt` says, whatever the batches were; a room that is behind (one from before there were snapshots) catches up a few at a time, the oldest first.
 */
import type { SqlRow, Transaction } from '../../../pkg/storage/database.ts';
import { readStates } from './read-state.ts';

/** Rooms are looked at when their state IDs pass a multiple of this. */
const INTERVAL_MIN = 256;
/** Of one room in one transaction. */
const SNAPSHOTS_MAX = 4;

interface Newest extends SqlRow {
  state_id: number; entries: number;
}

/** Writes the snapshots that became due with these new states. The states' deltas must have been written, in this transaction or before. */
export async function writeSnapshots(tx: Transaction, newStates: readonly { readonly roomId: string; readonly stateId: number }[]): Promise<void> {
  const passed = new Map<string, number>();
  const newest = new Map<string, number>();
  for (const { roomId, stateId } of newStates) {
    if (stateId % INTERVAL_MIN === 0) passed.set(roomId, stateId);
    newest.set(roomId, Math.max(stateId, newest.get(roomId) ?? 0));
  }
  for (const roomId of passed.keys()) await catchUp(tx, roomId, newest.get(roomId)!);
}

async function catchUp(tx: Transaction, roomId: string, stateId: number): Promise<void> {
  const rows = await tx.query<Newest>('SELECT state_id, entries FROM state_snapshots WHERE room_id = ? ORDER BY state_id DESC LIMIT 1', [roomId]);
  let last = rows[0] ?? { state_id: 0, entries: 0 };
  for (let written = 0; written < SNAPSHOTS_MAX && dueAt(last) <= stateId; written += 1) {
    const due = dueAt(last);
    const eventIds = (await readStates(tx, roomId, [due])).get(due)!;
    await tx.run('INSERT INTO state_snapshots (room_id, state_id, entries, event_ids) VALUES (?, ?, ?, ?)', [roomId, due, eventIds.length, JSON.stringify(eventIds)]);
    last = { state_id: due, entries: eventIds.length };
  }
}

function dueAt(last: Newest): number {
  return last.state_id + Math.max(INTERVAL_MIN, last.entries);
}
