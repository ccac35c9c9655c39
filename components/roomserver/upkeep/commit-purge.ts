/** Writes of a purge. */
import type { Transaction } from '../../../pkg/storage/database.ts';
import type { PurgedSlice } from '../input/effects.ts';
import type { PurgeRow } from './purge-row.ts';

export async function beginPurge(tx: Transaction, row: PurgeRow): Promise<void> {
  await tx.insertMany({
    into: 'purges', columns: ['room_id', 'purge_id', 'partition', 'to_order_key', 'order_key', 'events_gone', 'events_kept', 'started_at', 'finished_at'],
    rows: [[row.roomId, row.purgeId, row.partition, row.toOrderKey, row.orderKey, row.eventsGone, row.eventsKept, row.startedAt, row.finishedAt]],
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET purge_id = excluded.purge_id, partition = excluded.partition, to_order_key = excluded.to_order_key, order_key = excluded.order_key,
      events_gone = excluded.events_gone, events_kept = excluded.events_kept, started_at = excluded.started_at, finished_at = excluded.finished_at`,
  });
  await tx.run('UPDATE purges SET depth = COALESCE((SELECT e.depth FROM events e WHERE e.room_id = ? AND e.order_key > ? ORDER BY e.order_key LIMIT 1), depth) WHERE room_id = ?',
    [row.roomId, row.toOrderKey, row.roomId]);
}

/** Whether the room's state needs the event: it is a state event (of some state, or of an auth chain), or the state changed with it. */
const NEEDED = '(state_key IS NOT NULL OR EXISTS (SELECT 1 FROM state_deltas d WHERE d.partition = events.partition AND d.sequence = events.sequence))';

/**
 * The events of the slice go. Those that the room's state needs stay as what is known of a state or an auth chain only: without a place in the graph and in the timeline, so that neither
 * clients nor other servers are told of it, or of the state there. How many have gone.
 */
export async function purgeSlice(tx: Transaction, roomId: string, { afterOrderKey, toOrderKey, finishedAt, sequence }: PurgedSlice): Promise<number> {
  const range = [roomId, afterOrderKey, toOrderKey];
  const [newest] = await tx.query<{ sequence: number | null }>('SELECT MAX(sequence) AS sequence FROM events WHERE room_id = ? AND order_key > ? AND order_key <= ? AND order_key > 0', range);
  // Who follows an event that has gone stays known: it is no forward extremity when it comes again.
  await tx.run(
    `DELETE FROM event_edges WHERE prev_event_id IN (SELECT event_id FROM events WHERE room_id = ? AND order_key > ? AND order_key <= ?)
       AND event_id IN (SELECT event_id FROM events WHERE room_id = ? AND order_key > ? AND order_key <= ?)`, [...range, ...range]);
  await tx.run('DELETE FROM annotations WHERE event_id IN (SELECT event_id FROM events WHERE room_id = ? AND order_key > ? AND order_key <= ?)', range);
  const gone = await tx.run(`DELETE FROM events WHERE room_id = ? AND order_key > ? AND order_key <= ? AND NOT ${NEEDED}`, range);
  const kept = await tx.run('UPDATE events SET order_key = NULL, state_id = NULL WHERE room_id = ? AND order_key > ? AND order_key <= ?', range);
  const hidden = finishedAt === 0 ? 0 : await purgeHidden(tx, roomId);
  await tx.run(
    `UPDATE purges SET order_key = ?, events_gone = events_gone + ?, events_kept = events_kept + ?, finished_at = ?, sequence = ?,
       to_sequence = CASE WHEN to_sequence < ? THEN ? ELSE to_sequence END WHERE room_id = ?`,
    [toOrderKey, gone.changes + hidden, kept.changes, hidden < HIDDEN_MAX ? finishedAt : 0, sequence, newest?.sequence ?? 0, newest?.sequence ?? 0, roomId]);
  if (finishedAt > 0) await tx.run('DELETE FROM history_edges WHERE room_id = ? AND depth <= (SELECT p.depth FROM purges p WHERE p.room_id = ?)', [roomId, roomId]);
  return gone.changes + hidden;
}

/** Of events that clients never saw one slice takes so many: where there are more, the purge goes on. */
const HIDDEN_MAX = 200;

/** Events that clients never saw, from before the oldest that stay: rejected and softly failed ones, and those that joined branches. */
async function purgeHidden(tx: Transaction, roomId: string): Promise<number> {
  const [oldest] = await tx.query<{ depth: number | null }>('SELECT MIN(depth) AS depth FROM events WHERE room_id = ? AND order_key IS NOT NULL', [roomId]);
  const { changes } = await tx.run(
    `DELETE FROM events WHERE event_id IN (SELECT event_id FROM events WHERE room_id = ? AND order_key IS NULL AND state_id IS NOT NULL AND depth < ? AND NOT ${NEEDED}
       AND (rejected = 1 OR soft_failed = 1 OR EXISTS (SELECT 1 FROM event_edges x WHERE x.prev_event_id = events.event_id)) LIMIT ?)`, [roomId, oldest?.depth ?? 0, HIDDEN_MAX]);
  return changes;
}
