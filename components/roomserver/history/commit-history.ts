/** Rows of where rooms' history ends. */
import type { Transaction } from '../../../pkg/storage/database.ts';
import { prevEventIds } from '../../../pkg/matrix/events/pdu.ts';
import type { AcceptedInput, HistoryEdge } from '../input/effects.ts';

const COLUMNS = ['room_id', 'prev_event_id', 'event_id', 'depth', 'history_at', 'visibility', 'tries'];
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

/** Takes in where events follow what is not here, and what has come of fetching it. */
export async function writeHistory(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  for (const { effects: { roomId, history, events } } of accepted) {
    // Nearly no event is.
    if (history === undefined && events.every(({ unplacedPrevs = [] }) => unplacedPrevs.length === 0)) continue;
    const gaps = events.filter(({ kind, verdict, sequence }) => kind !== 'history' && verdict === 'accepted' && sequence !== null);
    const edges = gaps.flatMap((event): HistoryEdge[] => (event.unplacedPrevs ?? []).map((prevEventId) => (
      { prevEventId, eventId: event.eventId, depth: event.pdu.depth, historyAt: event.sequence!, visibility: event.historyVisibility })));
    await addEdges(tx, roomId, [...edges, ...(history?.edges ?? [])]);
    if (history === undefined) continue;
    for (const eventId of history.walked) await tx.run('DELETE FROM history_edges WHERE room_id = ? AND prev_event_id = ?', [roomId, eventId]);
    for (const eventId of history.tried) await tx.run('UPDATE history_edges SET tries = tries + 1 WHERE room_id = ? AND prev_event_id = ?', [roomId, eventId]);
  }
}

async function addEdges(tx: Transaction, roomId: string, edges: readonly HistoryEdge[]): Promise<void> {
  const rows = edges.map(({ prevEventId, eventId, depth, historyAt, visibility }) => [roomId, prevEventId, eventId, Math.min(depth, DEPTH_MAX), historyAt, visibility, 0]);
  if (rows.length > 0) await tx.insertMany({ into: 'history_edges', columns: COLUMNS, rows, onConflict: 'ON CONFLICT (room_id, prev_event_id, event_id) DO NOTHING' });
}

/** For a migration: rooms that were joined by way of another server before there was this table begin with that join. */
export async function addEdgesOfJoins(tx: Transaction): Promise<void> {
  for (let last = ''; ;) {
    const rows = await tx.query<{ room_id: string; event_id: string; depth: number; sequence: number; history_visibility: string; json: Uint8Array }>(
      `SELECT room_id, event_id, depth, sequence, history_visibility, json FROM events WHERE order_key = 1 AND sequence IS NOT NULL AND type = 'm.room.member' AND room_id > ?
       ORDER BY room_id LIMIT 200`, [last]);
    for (const row of rows) {
      const prevs = prevEventIds(JSON.parse(Buffer.from(row.json).toString()) as Parameters<typeof prevEventIds>[0]);
      await addEdges(tx, row.room_id, prevs.map((prevEventId) => (
        { prevEventId, eventId: row.event_id, depth: row.depth, historyAt: row.sequence, visibility: row.history_visibility })));
    }
    if (rows.length < 200) return;
    last = rows.at(-1)!.room_id;
  }
}
