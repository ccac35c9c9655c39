/** Read receipts as m.receipt events, one a room and thread. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { ReceiptRow } from '../storage/rows.ts';
import type { RoomView } from '../sync/scope.ts';

/**
 * The `content`s of the m.receipt events of each room with news: the newest receipt of each user, type and thread since the client's place. One for each thread, because a content
 * has room for one receipt of a user on an event.
 */
export async function loadReceipts(reader: Reader, views: readonly RoomView[], userId: string): Promise<Map<string, ReceiptContent[]>> {
  if (views.length === 0) return new Map();
  const byRoom = new Map(views.map((view) => [view.roomId, view]));
  const rows = await reader.queryIn<ReceiptRow>(
    'SELECT room_id, user_id, receipt_type, thread_id, event_id, ts, sequence FROM receipts WHERE sequence > ? AND room_id IN (??) ORDER BY room_id, sequence',
    [Math.min(...views.map(receiptsSeen))],
    [...byRoom.keys()],
  );
  const due = rows.filter((row) => {
    const view = byRoom.get(row.room_id);
    const isDue = view !== undefined && row.sequence > receiptsSeen(view) && row.sequence <= view.upper;
    return isDue && (row.receipt_type !== 'm.read.private' || row.user_id === userId);
  });
  return new Map([...Map.groupBy(due, (row) => row.room_id)].map(([roomId, ofRoom]) => [roomId, [...Map.groupBy(ofRoom, (row) => row.thread_id).values()].map(contentOf)]));
}

/** Who enters a room gets all receipts. */
function receiptsSeen(view: RoomView): number {
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
