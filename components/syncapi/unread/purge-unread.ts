import type { Transaction } from '../../../pkg/storage/database.ts';
import { LEVEL_NUMBERS, endOf, nodeAt } from './tree.ts';

/** Takes away what the purged events of a room were counted for, and marks that stand among them: there is nothing before them any more. */
export async function purgeUnread(tx: Transaction, roomId: string, toOrderKey: number): Promise<void> {
  if (toOrderKey <= 0) return;
  await tx.run('DELETE FROM unread_nodes WHERE room_id = ? AND level = 0 AND start <= ?', [roomId, toOrderKey]);
  for (const level of LEVEL_NUMBERS.slice(1)) await cutLevel(tx, { roomId, level, toOrderKey });
  await tx.run(`DELETE FROM unread_marks WHERE room_id = ? AND kind = 'read' AND order_key <= ?`, [roomId, toOrderKey]);
}

/** Sums that have lost a part are made anew from what is left below them. */
async function cutLevel(tx: Transaction, { roomId, level, toOrderKey }: { roomId: string; level: number; toOrderKey: number }): Promise<void> {
  const { start } = nodeAt({ roomId, audience: '' }, level, toOrderKey);
  await tx.run('DELETE FROM unread_nodes WHERE room_id = ? AND level = ? AND start <= ?', [roomId, level, start]);
  const left = await tx.query<{ audience: string; thread_id: string; notify: number; highlight: number; sequence: number }>(
    `SELECT audience, thread_id, SUM(notify) AS notify, SUM(highlight) AS highlight, MAX(sequence) AS sequence FROM unread_nodes
     WHERE room_id = ? AND level = 0 AND start > ? AND start < ? GROUP BY audience, thread_id`, [roomId, toOrderKey, endOf(level, start)]);
  if (left.length === 0) return;
  await tx.insertMany({
    into: 'unread_nodes',
    columns: ['parent', 'start', 'thread_id', 'level', 'room_id', 'audience', 'notify', 'highlight', 'actions', 'sequence'],
    rows: left.map((row) => {
      const { parent } = nodeAt({ roomId, audience: row.audience }, level, toOrderKey);
      return [parent, start, row.thread_id, level, roomId, row.audience, Number(row.notify), Number(row.highlight), '', row.sequence];
    }),
  });
}
