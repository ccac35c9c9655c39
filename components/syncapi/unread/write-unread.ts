import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { Leaf, Mark, UnreadPlan } from './plan-unread.ts';
import { LEVEL_NUMBERS, nodeAt } from './tree.ts';

const NODE_COLUMNS = ['parent', 'start', 'thread_id', 'level', 'room_id', 'audience', 'notify', 'highlight', 'actions', 'sequence', 'sent_at'];
const ADD = `ON CONFLICT (parent, start, thread_id) DO UPDATE SET notify = unread_nodes.notify + excluded.notify, highlight = unread_nodes.highlight + excluded.highlight,
  sequence = CASE WHEN excluded.sequence > unread_nodes.sequence THEN excluded.sequence ELSE unread_nodes.sequence END`;

/** Writes what notifies, and how far users have read; a batch that has neither writes nothing. */
export async function writeUnread(tx: Transaction, { leaves, marks, removed }: UnreadPlan): Promise<void> {
  await Promise.all([writeNodes(tx, [...leaves.values()]), writeMarks(tx, [...marks.values()])]);
  if (removed.length > 0) await removeLeaves(tx, removed);
}

async function writeNodes(tx: Transaction, leaves: readonly Leaf[]): Promise<void> {
  if (leaves.length === 0) return;
  const rows = new Map<string, SqlValue[]>();
  for (const leaf of leaves) for (const level of LEVEL_NUMBERS) addNode(rows, leaf, level);
  await tx.insertMany({ into: 'unread_nodes', columns: NODE_COLUMNS, rows: [...rows.values()], onConflict: ADD });
}

const [NOTIFY, HIGHLIGHT, SEQUENCE] = [6, 7, 9];

function addNode(rows: Map<string, SqlValue[]>, leaf: Leaf, level: number): void {
  const { tree, orderKey, thread, notify, highlight, actions, sequence, sentAt } = leaf;
  const { parent, start } = nodeAt(tree, level, orderKey);
  const key = JSON.stringify([parent, start, thread]);
  const row = rows.get(key);
  if (row === undefined) {
    rows.set(key, [parent, start, thread, level, tree.roomId, tree.audience, notify, highlight, level === 0 ? actions : '', sequence, level === 0 ? sentAt : 0]);
    return;
  }
  row[NOTIFY] = (row[NOTIFY] as number) + notify;
  row[HIGHLIGHT] = (row[HIGHLIGHT] as number) + highlight;
  row[SEQUENCE] = Math.max(row[SEQUENCE] as number, sequence);
}

async function writeMarks(tx: Transaction, marks: readonly Mark[]): Promise<void> {
  if (marks.length === 0) return;
  await tx.insertMany({
    into: 'unread_marks',
    columns: ['user_id', 'room_id', 'kind', 'name', 'order_key', 'audience', 'sequence'],
    rows: marks.map(({ userId, roomId, kind, name, orderKey, audience, sequence }) => [userId, roomId, kind, name, orderKey, audience, sequence]),
    onConflict: `ON CONFLICT (user_id, room_id, kind, name) DO UPDATE SET audience = excluded.audience,
      sequence = CASE WHEN excluded.sequence > unread_marks.sequence THEN excluded.sequence ELSE unread_marks.sequence END,
      order_key = CASE WHEN excluded.order_key > unread_marks.order_key THEN excluded.order_key ELSE unread_marks.order_key END`,
  });
  // What a receipt of all threads has passed says nothing any more.
  for (const { userId, roomId, orderKey } of marks.filter(({ kind, name, sequence }) => kind === 'read' && name === '' && sequence > 0)) {
    await tx.run(`DELETE FROM unread_marks WHERE user_id = ? AND room_id = ? AND kind = 'read' AND name <> '' AND order_key <= ?`, [userId, roomId, orderKey]);
  }
}

type LeafRow = { room_id: string; audience: string; start: number; thread_id: string; notify: number; highlight: number };

/** Redacted events notify nobody any more. */
async function removeLeaves(tx: Transaction, removed: UnreadPlan['removed']): Promise<void> {
  for (const [roomId, places] of Map.groupBy(removed, (one) => one.roomId)) {
    const rows = await tx.queryIn<LeafRow>(
      'SELECT room_id, audience, start, thread_id, notify, highlight FROM unread_nodes WHERE room_id = ? AND level = 0 AND start IN (??)', [roomId], places.map((place) => place.orderKey));
    const leaves = rows.map((row) => ({
      tree: { roomId, audience: row.audience }, orderKey: row.start, thread: row.thread_id, notify: -row.notify, highlight: -row.highlight, actions: '', sequence: 0, sentAt: 0,
    }));
    await writeNodes(tx, leaves);
    for (const { orderKey } of leaves) await tx.run('DELETE FROM unread_nodes WHERE room_id = ? AND level = 0 AND start = ?', [roomId, orderKey]);
    for (const { tree, orderKey } of leaves) await recountAbove(tx, tree, orderKey);
  }
}

/** What holds the sums of a leaf that is gone: nodes without anything go, too. */
async function recountAbove(tx: Transaction, tree: Leaf['tree'], orderKey: number): Promise<void> {
  for (const level of LEVEL_NUMBERS.slice(1)) {
    const { parent, start } = nodeAt(tree, level, orderKey);
    await tx.run('DELETE FROM unread_nodes WHERE parent = ? AND start = ? AND notify = 0 AND highlight = 0', [parent, start]);
    // As if the event had never notified anybody, which is how a read model that is built anew hears of it.
    await tx.run(
      `UPDATE unread_nodes SET sequence = COALESCE((SELECT MAX(c.sequence) FROM unread_nodes c WHERE c.parent = ? AND c.thread_id = unread_nodes.thread_id), sequence) WHERE parent = ? AND start = ?`,
      [nodeAt(tree, level - 1, orderKey).parent, parent, start]);
  }
}
