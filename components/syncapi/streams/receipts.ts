/** Read receipts as m.receipt events, one a room and thread. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { ReceiptRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import type { KnownView } from './room-facts.ts';
import type { SharedRoom } from './shared-rows.ts';

/**
 * The `content`s of the m.receipt events of each room with news: the newest receipt of each user, type and thread since the client's place. One for each thread, because a content
 * has room for one receipt of a user on an event.
 */
export async function loadReceipts({ database, shared }: Pick<ReadDeps, 'database' | 'shared'>, views: readonly KnownView[], userId: string): Promise<Map<string, ReceiptContent[]>> {
  const byRoom = new Map(views.map((view) => [view.roomId, view]));
  const wanted = views.map((view) => ({ roomId: view.roomId, lastSequence: view.lastSequence, bound: receiptsSeen(view) }));
  const rows = await shared.get('receipts', wanted, (missing) => readSince(database, missing));
  const due = rows.filter((row) => row.sequence <= (byRoom.get(row.room_id)?.upper ?? 0) && (row.receipt_type !== 'm.read.private' || row.user_id === userId));
  return new Map([...Map.groupBy(due, (row) => row.room_id)].map(([roomId, ofRoom]) => [roomId, [...Map.groupBy(ofRoom, (row) => row.thread_id).values()].map(contentOf)]));
}

async function readSince(reader: Reader, rooms: readonly SharedRoom[]): Promise<ReceiptRow[]> {
  const bounds = new Map(rooms.map(({ roomId, bound }) => [roomId, bound]));
  const rows = await reader.queryIn<ReceiptRow>(
    'SELECT room_id, user_id, receipt_type, thread_id, event_id, ts, sequence FROM receipts WHERE sequence > ? AND room_id IN (??) ORDER BY room_id, sequence',
    [Math.min(...bounds.values())],
    [...bounds.keys()],
  );
  return rows.filter((row) => row.sequence > (bounds.get(row.room_id) ?? 0));
}

/** Who enters a room gets all receipts. */
function receiptsSeen(view: KnownView): number {
  return view.entered ? 0 : view.lower;
}

export type ReceiptContent = Record<string, Record<string, Record<string, { ts: number; thread_id?: string }>>>;

function contentOf(rows: readonly ReceiptRow[]): ReceiptContent {
  const content: ReceiptContent = {};
  for (const row of rows) {
    const users = ((content[row.event_id] ??= {})[row.receipt_type] ??= {});
    users[row.user_id] = row.thread_id === '' ? { ts: row.ts } : { ts: row.ts, thread_id: row.thread_id };
  }
  return content;
}
