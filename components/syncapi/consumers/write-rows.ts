/** Rows of the read model but for the timeline's. */
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { RoomOutput } from '../../../schemas/log/room-output.ts';
import { OPEN, storable } from '../storage/rows.ts';
import { changesOf, type Records } from './decoded.ts';
import { visibilitySet } from './foreign-events.ts';
import { NO_MEMBERS, type MembershipPlan, type NewMembership, type StatePlan } from './room-rows.ts';

interface KnownOfRooms {
  readonly counts: MembershipPlan['counts'];
  readonly foreign: ReadonlyMap<string, string>;
  /** Rooms that the server is on its way into before these records. */
  readonly onTheWayIn: ReadonlySet<string>;
}

export async function writeRooms(tx: Transaction, records: Records, known: KnownOfRooms): Promise<void> {
  const rows = new Map<string, SqlValue[]>();
  const onTheWayIn = new Set(known.onTheWayIn);
  for (const { partition, sequence, output } of records) {
    const { roomId, roomVersion, event, stateSlice } = output.record;
    const counts = known.counts.get(roomId) ?? NO_MEMBERS;
    const before = rows.get(roomId);
    const orderKey = Math.max(event?.orderKey ?? 0, ofRow(before, 4));
    const visibility = visibilitySet(output, known.foreign) ?? before?.[7] ?? '';
    const resetAt = stateSlice?.reset === true ? sequence : ofRow(before, 8);
    const hiddenAt = changesUnseen(output.record, onTheWayIn) ? sequence : ofRow(before, 9);
    const membersAt = changesOf(output).some(({ type }) => type === 'm.room.member') ? sequence : ofRow(before, 10);
    rows.set(roomId, [roomId, roomVersion, partition, sequence, orderKey, counts.joined, counts.invited, visibility, resetAt, hiddenAt, Math.max(resetAt, membersAt), counts.here]);
  }
  await insert(tx, {
    into: 'rooms',
    columns: ['room_id', 'version', 'partition_number', 'last_sequence', 'last_order_key', 'joined_count', 'invited_count', 'history_visibility', 'reset_sequence', 'hidden_sequence', 'members_sequence', 'joined_here'],
    rows: [...rows.values()],
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET partition_number = excluded.partition_number, last_sequence = excluded.last_sequence,
      last_order_key = CASE WHEN excluded.last_order_key > rooms.last_order_key THEN excluded.last_order_key ELSE rooms.last_order_key END,
      joined_count = rooms.joined_count + excluded.joined_count, invited_count = rooms.invited_count + excluded.invited_count, joined_here = rooms.joined_here + excluded.joined_here,
      history_visibility = CASE WHEN excluded.history_visibility <> '' THEN excluded.history_visibility ELSE rooms.history_visibility END,
      reset_sequence = CASE WHEN excluded.reset_sequence > rooms.reset_sequence THEN excluded.reset_sequence ELSE rooms.reset_sequence END,
      hidden_sequence = CASE WHEN excluded.hidden_sequence > rooms.hidden_sequence THEN excluded.hidden_sequence ELSE rooms.hidden_sequence END,
      members_sequence = CASE WHEN excluded.members_sequence > rooms.members_sequence THEN excluded.members_sequence ELSE rooms.members_sequence END`,
  });
}

/** A number of the room's row that the batch has made so far; 0: none yet. */
function ofRow(row: readonly SqlValue[] | undefined, column: number): number {
  return row === undefined ? 0 : (row[column] as number);
}

/** Whether the state changes with what no timeline shows. A state that comes before the event by which the server is in the room is new to everybody: `onTheWayIn` is moved on. */
function changesUnseen({ roomId, event, stateSlice }: RoomOutput, onTheWayIn: Set<string>): boolean {
  if (stateSlice?.reset === true) onTheWayIn.add(roomId);
  if (event?.orderKey) onTheWayIn.delete(roomId);
  if (stateSlice) return !onTheWayIn.has(roomId);
  return event?.orderKey === 0 && event.stateDelta.length > 0;
}

export async function writeState(tx: Transaction, plan: StatePlan): Promise<void> {
  await Promise.all([
    ...[...plan.ends].map(([slot, endsAt]) => tx.run('UPDATE state_intervals SET to_sequence = ? WHERE slot = ? AND to_sequence = ?', [endsAt, slot, OPEN])),
    insert(tx, {
      into: 'state_intervals',
      columns: ['slot', 'from_sequence', 'to_sequence', 'room_id', 'type', 'event_id'],
      rows: plan.begins.map((state) => [state.slot, state.from, state.to, state.roomId, storable(state.type), state.eventId]),
    }),
  ]);
}

export async function writeMemberships(tx: Transaction, plan: MembershipPlan): Promise<void> {
  await Promise.all([
    ...[...plan.resumes].map(([slot, from]) => tx.run('UPDATE memberships SET to_sequence = ? WHERE slot = ? AND from_sequence = ?', [OPEN, slot, from])),
    ...[...plan.ends].map(([slot, endsAt]) => tx.run('UPDATE memberships SET to_sequence = ? WHERE slot = ? AND to_sequence = ?', [endsAt, slot, OPEN])),
    insert(tx, {
      into: 'memberships',
      columns: ['user_id', 'room_id', 'from_sequence', 'to_sequence', 'membership', 'event_id', 'partition_number', 'slot'],
      rows: plan.begins.map((row) => [storable(row.userId), row.roomId, row.from, row.to, storable(row.membership), row.eventId, row.partition, row.slot]),
    }),
  ]);
}

/** IDs of the events that are redacted now. */
export async function writeRedactions(tx: Transaction, records: Records): Promise<Set<string>> {
  const rows = new Map<string, SqlValue[]>();
  for (const { output } of records) {
    const { event, roomId } = output.record;
    if (event && event.redacts !== '' && !rows.has(event.redacts)) rows.set(event.redacts, [event.redacts, event.eventId, roomId]);
    if (event?.redactedBy && !rows.has(event.eventId)) rows.set(event.eventId, [event.eventId, event.redactedBy, roomId]);
  }
  // A redacted event has no url any more; so a read model made of redacted events equals this one.
  await Promise.all([
    ...[...rows.keys()].map((eventId) => tx.run('UPDATE timeline SET has_url = 0 WHERE event_id = ?', [eventId])),
    insert(tx, { into: 'redactions', columns: ['event_id', 'redacted_by', 'room_id'], rows: [...rows.values()], onConflict: 'ON CONFLICT (event_id) DO NOTHING' }),
  ]);
  return new Set(rows.keys());
}

export async function writeReceipts(tx: Transaction, records: Records): Promise<void> {
  const rows = new Map<string, SqlValue[]>();
  for (const { sequence, output } of records) {
    const { receipt, roomId } = output.record;
    if (!receipt) continue;
    const threadId = storable(receipt.threadId ?? '');
    const key = JSON.stringify([roomId, receipt.userId, receipt.receiptType, threadId]);
    rows.set(key, [roomId, receipt.userId, storable(receipt.receiptType), threadId, storable(receipt.eventId), receipt.ts, sequence]);
  }
  await insert(tx, {
    into: 'receipts',
    columns: ['room_id', 'user_id', 'receipt_type', 'thread_id', 'event_id', 'ts', 'sequence'],
    rows: [...rows.values()],
    onConflict:
      'ON CONFLICT (room_id, user_id, receipt_type, thread_id) DO UPDATE SET event_id = excluded.event_id, ts = excluded.ts, sequence = excluded.sequence',
  });
}

/** Memberships in rooms that this server is not in: the newest of each. The users concerned. */
export async function writeOutside(tx: Transaction, records: Records): Promise<string[]> {
  const rows = new Map<string, SqlValue[]>();
  const users: string[] = [];
  for (const { partition, sequence, output } of records) {
    const { outsideMembership: outside, roomId, roomVersion } = output.record;
    if (!outside) continue;
    users.push(outside.userId);
    const row = [outside.userId, roomId, roomVersion, partition, sequence, storable(outside.membership), outside.eventId, outside.pdu, outside.strippedState, 0];
    rows.set(JSON.stringify([roomId, outside.userId]), row);
  }
  const columns = ['user_id', 'room_id', 'room_version', 'partition_number', 'sequence', 'membership', 'event_id', 'pdu', 'stripped_state', 'forgotten_at'];
  const updates = columns.slice(2).map((column) => `${column} = excluded.${column}`);
  await insert(tx, { into: 'outside_memberships', columns, rows: [...rows.values()], onConflict: `ON CONFLICT (user_id, room_id) DO UPDATE SET ${updates.join(', ')}` });
  return users;
}

/** Rooms that users have forgotten: marks the leaves that stood then. */
export async function writeForgotten(tx: Transaction, records: Records): Promise<void> {
  for (const { sequence, output } of records) {
    const { forgotten, roomId } = output.record;
    if (!forgotten) continue;
    const place = [sequence, storable(forgotten.userId), roomId, sequence];
    await tx.run('UPDATE memberships SET forgotten_at = ? WHERE user_id = ? AND room_id = ? AND from_sequence < ? AND to_sequence > ?', [...place, sequence]);
    await tx.run('UPDATE outside_memberships SET forgotten_at = ? WHERE user_id = ? AND room_id = ? AND sequence < ?', place);
  }
}

/** After these joins this server is in their rooms: what others said before counts no more. */
export async function endOutside(tx: Transaction, joins: readonly NewMembership[]): Promise<void> {
  const newest = new Map(joins.map(({ roomId, from }) => [roomId, from]));
  for (const [roomId, from] of newest) await tx.run('DELETE FROM outside_memberships WHERE room_id = ? AND sequence < ?', [roomId, from]);
}

/** Inserts the rows, if there are any. */
export async function insert(tx: Transaction, rows: Parameters<Transaction['insertMany']>[0]): Promise<void> {
  if (rows.rows.length > 0) await tx.insertMany(rows);
}
