/** Read receipts as m.receipt events, one a room. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { ReceiptRow } from '../storage/rows.ts';
import type { RoomView } from '../sync/scope.ts';

/** The `content` of the m.receipt event of each room with news: the newest receipt of each user, type and thread since the client's place. */
export async function loadReceipts(reader: Reader, views: readonly RoomView[], userId: string): Promise<Map<string, Record<string, unknown>>> {
  if (views.length === 0) return new Map();
  const byRoom = new Map(views.map((view) => [view.roomId, view]));
  const rows = await reader.queryIn<ReceiptRow>(
    'SELECT room_id, user_id, receipt_type, thread_id, event_id, ts, sequence FROM receipts WHERE sequence > ? AND room_id IN (??) ORDER BY room_id, sequence',
    [Math.min(...views.map(receiptsSeen))],
    [...byRoom.keys()],
  );
  const contents = new Map<string, Record<string, unknown>>();
  for (const row of rows) {
    const view = byRoom.get(row.room_id);
    const isDue = view !== undefined && row.sequence > receiptsSeen(view) && row.sequence <= view.upper;
    if (!isDue || (row.receipt_type === 'm.read.private' && row.user_id !== userId)) continue;
    const content = contents.get(row.room_id) ?? {};
    contents.set(row.room_id, content);
    addReceipt(content as ReceiptContent, row);
  }
  return contents;
}

/** Who enters a room gets all receipts. */
function receiptsSeen(view: RoomView): number {
  return view.entered ? 0 : view.lower;
}

type ReceiptContent = Record<string, Record<string, Record<string, { ts: number; thread_id?: string }>>>;

function addReceipt(content: ReceiptContent, row: ReceiptRow): void {
  const receipt = row.thread_id === '' ? { ts: row.ts } : { ts: row.ts, thread_id: row.thread_id };
  // One user may have receipts of several threads on one event: the format has room for one, the unthreaded first.
  const users = ((content[row.event_id] ??= {})[row.receipt_type] ??= {});
  if (users[row.user_id] === undefined || row.thread_id === '') users[row.user_id] = receipt;
}
