/**
 * Snapshots of rooms' states, written in the transaction of the change that makes them due, so that every state is a bounded number of steps above one **on its own branch**.
 *
 * Every 256th state of a way (by `depth`) gets a *mark*: how many rows of changes lie between it and the snapshot below it, and how many entries that one has. From mark to mark costs one walk of
 * 256 steps. A snapshot is due at a mark that is as many rows above the last one as that has entries, and 256 at least: over the life of a room it costs no more than about one stored event ID a
 * change. Many branches that become due together (a hostile room may have thousands) do not all get one: there must have been half as many new states in the room since its newest snapshot, or the
 * branch must be twice as far. So no state is more than 2 x max(256, entries of the snapshot below it) + 512 steps above that snapshot, or above the empty state.
 *
 * Where the marks are follows from the states alone, whatever the batches were.
 */
import type { SqlRow, Transaction } from '../../../pkg/storage/database.ts';
import { readStates } from './read-state.ts';

/** Steps between two marks. */
export const INTERVAL = 256;

export interface SnapshotState {
  readonly roomId: string;
  readonly stateId: number;
  /** Steps to the empty state. */
  readonly depth: number;
}

/** Writes the marks and snapshots that became due with these new states. The states' deltas must have been written, in this transaction or before. */
export async function writeSnapshots(tx: Transaction, newStates: readonly SnapshotState[], interval: number = INTERVAL): Promise<void> {
  const marked = newStates.filter(({ depth }) => depth % interval === 0).sort((left, right) => left.stateId - right.stateId);
  for (const state of marked) await writeMark(tx, state, interval);
}

interface Mark extends SqlRow {
  entries: number; distance: number;
}

interface StepSql extends SqlRow {
  state_id: number; depth: number; changes: number;
}

/** From a state down to the next one whose depth is a multiple of the interval, or to the first. */
const STEPS = `WITH RECURSIVE way (state_id, prev_state_id, depth, room_id, every, top) AS (
    SELECT state_id, prev_state_id, depth, room_id, CAST(? AS BIGINT), 1 FROM state_deltas WHERE room_id = ? AND state_id = ?
    UNION
    SELECT d.state_id, d.prev_state_id, d.depth, d.room_id, way.every, 0 FROM way JOIN state_deltas d ON d.room_id = way.room_id AND d.state_id = way.prev_state_id
    WHERE way.top = 1 OR way.depth % way.every <> 0)
  SELECT way.state_id, way.depth, COUNT(*) AS changes FROM way CROSS JOIN state_deltas d WHERE d.room_id = way.room_id AND d.state_id = way.state_id
  GROUP BY way.state_id, way.depth ORDER BY way.state_id`;

async function writeMark(tx: Transaction, { roomId, stateId }: SnapshotState, interval: number): Promise<void> {
  const steps = await tx.query<StepSql>(STEPS, [interval, roomId, stateId]);
  const lowest = steps[0]!;
  const isMark = lowest.state_id !== stateId && lowest.depth % interval === 0;
  const below = isMark ? await markAt(tx, roomId, lowest.state_id) : { entries: 0, distance: 0 };
  const rows = (isMark ? steps.slice(1) : steps).reduce((sum, { changes }) => sum + changes, 0);
  const distance = (below?.distance ?? 0) + rows;
  // A state of before there were marks: nobody knows how far its snapshot is.
  const isDue = below === undefined || (distance >= span(below, interval) && (await mayCopy(tx, { roomId, stateId }, { entries: below.entries, distance }, interval)));
  const mark = isDue ? { entries: await writeSnapshot(tx, roomId, stateId), distance: 0 } : { entries: below.entries, distance };
  await tx.run('INSERT INTO state_marks (room_id, state_id, entries, distance) VALUES (?, ?, ?, ?)', [roomId, stateId, mark.entries, mark.distance]);
}

async function markAt(tx: Transaction, roomId: string, stateId: number): Promise<Mark | undefined> {
  return (await tx.query<Mark>('SELECT entries, distance FROM state_marks WHERE room_id = ? AND state_id = ?', [roomId, stateId]))[0];
}

function span({ entries }: { entries: number }, interval: number): number {
  return Math.max(interval, entries);
}

async function mayCopy(tx: Transaction, { roomId, stateId }: { roomId: string; stateId: number }, mark: { entries: number; distance: number }, interval: number): Promise<boolean> {
  if (mark.distance >= 2 * span(mark, interval)) return true;
  const rows = await tx.query<{ newest: number | null }>('SELECT MAX(state_id) AS newest FROM state_snapshots WHERE room_id = ?', [roomId]);
  return stateId - (rows[0]?.newest ?? 0) >= span(mark, interval) / 2;
}

/** How many entries it has. */
async function writeSnapshot(tx: Transaction, roomId: string, stateId: number): Promise<number> {
  const eventIds = (await readStates(tx, roomId, [stateId])).get(stateId)!;
  await tx.run('INSERT INTO state_snapshots (room_id, state_id, entries, event_ids) VALUES (?, ?, ?, ?)', [roomId, stateId, eventIds.length, JSON.stringify(eventIds)]);
  return eventIds.length;
}
