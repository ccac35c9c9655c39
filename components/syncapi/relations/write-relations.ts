/** Rows of relations and threads, kept in step with the timeline: they come with an event, and go when it is redacted or purged. Batches without either write nothing. */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { relationOf, REPLACE, THREAD } from '../../../pkg/matrix/relations/relation-of.ts';
import { knownVisibility } from '../../../pkg/matrix/visibility/may-read.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { storable } from '../storage/rows.ts';

export interface NewRelation {
  readonly roomId: string;
  readonly childId: string;
  readonly parentId: string;
  readonly relType: string;
  readonly isRestricted: boolean;
  /** All columns of `relations`. */
  readonly row: readonly SqlValue[];
}

const COLUMNS = ['room_id', 'order_key', 'child_id', 'parent_id', 'rel_type', 'type', 'sender', 'sent_at', 'is_edit', 'is_restricted'];

/** The relation that an event of the timeline forms; undefined: none. `historyVisibility` is that of its row. */
export function newRelation(pdu: Pdu, place: { roomId: string; orderKey: number; eventId: string; historyVisibility: string }): NewRelation | undefined {
  const relation = relationOf(pdu.content);
  if (relation === undefined) return undefined;
  const { roomId, orderKey, eventId: childId, historyVisibility } = place;
  const [relType, parentId] = [storable(relation.relType), storable(relation.eventId)];
  const isRestricted = ['invited', 'joined'].includes(knownVisibility(historyVisibility));
  const isEdit = relType === REPLACE && mayReplace(pdu);
  return {
    ...{ roomId, childId, parentId, relType, isRestricted },
    row: [roomId, orderKey, childId, parentId, relType, storable(pdu.type), pdu.sender, pdu.origin_server_ts, Number(isEdit), Number(isRestricted)],
  };
}

/** What a replacement has to be by itself (spec: "Validity of replacement events"); the new content of an encrypted one is not seen here. */
function mayReplace(pdu: Pdu): boolean {
  if (pdu.state_key !== undefined) return false;
  const content = pdu.content['m.new_content'];
  return pdu.type === 'm.room.encrypted' || (typeof content === 'object' && content !== null && !Array.isArray(content));
}

/** `added`: of the events of a batch, in whatever order; `redacted`: IDs of events that it redacts, or brings redacted. */
export async function writeRelations(tx: Transaction, added: readonly NewRelation[], redacted: ReadonlySet<string>): Promise<void> {
  const removed = redacted.size === 0 ? [] : await removeChildren(tx, redacted);
  const lasting = added.filter(({ childId }) => !redacted.has(childId));
  if (lasting.length > 0) await tx.insertMany({ into: 'relations', columns: COLUMNS, rows: lasting.map(({ row }) => row) });
  await addToThreads(tx, lasting.filter(({ relType }) => relType === THREAD));
  for (const thread of countByThread(removed)) await takeFromThread(tx, thread);
}

/** Drops the relations of purged events: those of the room up to the order key. */
export async function purgeRelations(tx: Transaction, roomId: string, toOrderKey: number): Promise<void> {
  const range = [roomId, toOrderKey];
  const threads = await tx.query<{ parent_id: string; gone: number; restricted: number }>(
    `SELECT parent_id, COUNT(*) AS gone, SUM(is_restricted) AS restricted FROM relations WHERE room_id = ? AND order_key <= ? AND rel_type = '${THREAD}' GROUP BY parent_id`, range);
  await tx.run('DELETE FROM relations WHERE room_id = ? AND order_key <= ?', range);
  for (const { parent_id: rootId, gone, restricted } of threads) await takeFromThread(tx, { rootId, roomId, events: gone, restricted, latestKey: 0 });
}

/** Events of one thread. */
interface ThreadEvents {
  readonly rootId: string;
  readonly roomId: string;
  events: number;
  restricted: number;
  /** Greatest order key among them. */
  latestKey: number;
}

type RemovedRow = { room_id: string; order_key: number; child_id: string; parent_id: string; is_restricted: number; rel_type: string };

/** Takes away the relations that these events formed; those that made them part of threads. */
async function removeChildren(tx: Transaction, children: ReadonlySet<string>): Promise<ThreadEvents[]> {
  const rows = await tx.queryIn<RemovedRow>('SELECT room_id, order_key, child_id, parent_id, rel_type, is_restricted FROM relations WHERE child_id IN (??)', [], [...children]);
  for (const row of rows) await tx.run('DELETE FROM relations WHERE child_id = ?', [row.child_id]);
  return rows.filter((row) => row.rel_type === THREAD).map((row) => ({ rootId: row.parent_id, roomId: row.room_id, events: 1, restricted: row.is_restricted, latestKey: row.order_key }));
}

async function addToThreads(tx: Transaction, relations: readonly NewRelation[]): Promise<void> {
  if (relations.length === 0) return;
  const threads = countByThread(relations.map(({ parentId, roomId, isRestricted, row }) => ({ rootId: parentId, roomId, events: 1, restricted: Number(isRestricted), latestKey: Number(row[1]) })));
  await tx.insertMany({
    into: 'threads',
    columns: ['root_id', 'room_id', 'latest_key', 'event_count', 'restricted_count'],
    rows: threads.map(({ rootId, roomId, latestKey, events, restricted }) => [rootId, roomId, latestKey, events, restricted]),
    onConflict: `ON CONFLICT (root_id, room_id) DO UPDATE SET event_count = threads.event_count + excluded.event_count, restricted_count = threads.restricted_count + excluded.restricted_count,
      latest_key = CASE WHEN excluded.latest_key > threads.latest_key THEN excluded.latest_key ELSE threads.latest_key END`,
  });
}

function countByThread(events: readonly ThreadEvents[]): ThreadEvents[] {
  const threads = new Map<string, ThreadEvents>();
  for (const event of events) {
    const ref = JSON.stringify([event.rootId, event.roomId]);
    const thread = threads.get(ref);
    if (thread === undefined) {
      threads.set(ref, { ...event });
      continue;
    }
    thread.events += event.events;
    thread.restricted += event.restricted;
    thread.latestKey = Math.max(thread.latestKey, event.latestKey);
  }
  return [...threads.values()];
}

/** After the rows of these events have gone. */
async function takeFromThread(tx: Transaction, { rootId, roomId, events, restricted }: ThreadEvents): Promise<void> {
  await tx.run(
    `UPDATE threads SET event_count = event_count - ?, restricted_count = restricted_count - ?, latest_key = COALESCE(
       (SELECT MAX(r.order_key) FROM relations r WHERE r.parent_id = ? AND r.room_id = ? AND r.rel_type = '${THREAD}'), 0)
     WHERE root_id = ? AND room_id = ?`,
    [events, restricted, rootId, roomId, rootId, roomId]);
  await tx.run('DELETE FROM threads WHERE root_id = ? AND room_id = ? AND event_count = 0', [rootId, roomId]);
}
