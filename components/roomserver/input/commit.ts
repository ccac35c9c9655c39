/** Writes the rows of a batch: one multi-row statement a table, however many inputs. */
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { InputPlace } from '../../../pkg/log/processor.ts';
import { receiptRef, stateRef } from '../storage/refs.ts';
import { writeSnapshots } from '../storage/state-snapshots.ts';
import type { NewEvent, ReceiptRow, RoomEffects, RoomRow } from './effects.ts';

export interface AcceptedInput {
  readonly place: InputPlace;
  readonly effects: RoomEffects;
}

/** An event with what its rows take from its input. */
interface PlacedEvent {
  readonly roomId: string;
  readonly partition: number;
  readonly inputId: string;
  readonly event: NewEvent;
}

export async function commitBatch(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const events = accepted.flatMap(({ place, effects }) => effects.events.map((event): PlacedEvent => ({
    roomId: effects.room!.roomId, partition: place.partition, inputId: effects.inputId, event,
  })));
  await writeRooms(tx, accepted);
  await writeEvents(tx, events);
  await writeEdges(tx, events);
  await writeState(tx, events);
  for (const { effects } of accepted) {
    for (const { eventId, redactedBy, bytes } of effects.redactions) {
      await tx.run('UPDATE events SET json = ?, redacted_by = ? WHERE event_id = ?', [bytes, redactedBy, eventId]);
    }
  }
  await writeReceipts(tx, accepted);
}

/** Only the last row of a room counts; a statement may not touch the same row twice. */
async function writeRooms(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const rooms = new Map<string, RoomRow>();
  for (const { effects } of accepted) if (effects.room !== undefined) rooms.set(effects.room.roomId, effects.room);
  if (rooms.size === 0) return;
  await tx.insertMany({
    into: 'rooms',
    columns: ['room_id', 'room_version', 'partition', 'creator', 'create_event_id', 'order_key', 'depth', 'state_id', 'state_depth', 'forward_extremities'],
    rows: [...rooms.values()].map((room) => [room.roomId, room.roomVersion, room.partition, room.creator, room.createEventId, room.orderKey, room.depth,
      room.stateId, room.stateDepth, JSON.stringify(room.extremities)]),
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET partition = excluded.partition, order_key = excluded.order_key, depth = excluded.depth,
      state_id = excluded.state_id, state_depth = excluded.state_depth, forward_extremities = excluded.forward_extremities`,
  });
}

async function writeEvents(tx: Transaction, events: readonly PlacedEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.insertMany({
    into: 'events',
    columns: ['event_id', 'room_id', 'order_key', 'partition', 'sequence', 'type', 'state_key', 'sender', 'depth', 'origin_server_ts', 'state_id',
      'history_visibility', 'redacts', 'input_id', 'device_id', 'txn_id', 'json'],
    rows: events.map(({ roomId, partition, inputId, event }): SqlValue[] => [
      event.eventId, roomId, event.orderKey, partition, event.sequence, event.pdu.type, event.pdu.state_key ?? null, event.pdu.sender, event.pdu.depth,
      event.pdu.origin_server_ts, event.stateId, event.historyVisibility, event.redacts ?? null, inputId, event.deviceId, event.txnId, event.bytes,
    ]),
  });
}

async function writeEdges(tx: Transaction, events: readonly PlacedEvent[]): Promise<void> {
  const rows = events.flatMap(({ event }) => event.pdu.prev_events.map((prev) => [prev, event.eventId]));
  if (rows.length > 0) await tx.insertMany({ into: 'event_edges', columns: ['prev_event_id', 'event_id'], rows });
}

async function writeState(tx: Transaction, events: readonly PlacedEvent[]): Promise<void> {
  const deltas: SqlValue[][] = [];
  const current = new Map<string, SqlValue[]>();
  for (const { roomId, partition, event } of events) {
    const { step } = event;
    if (step === undefined) continue;
    deltas.push([roomId, event.stateId, step.type, step.stateKey, step.prevStateId, event.eventId, step.replaces ?? null, step.depth, partition, event.sequence]);
    const ref = stateRef(roomId, step.type, step.stateKey);
    const membership = step.type === 'm.room.member' ? (event.pdu.content.membership as string) : null;
    current.set(ref, [ref, roomId, step.type, step.stateKey, event.eventId, membership]);
  }
  if (deltas.length === 0) return;
  await tx.insertMany({
    into: 'state_deltas',
    columns: ['room_id', 'state_id', 'type', 'state_key', 'prev_state_id', 'event_id', 'replaces', 'depth', 'partition', 'sequence'],
    rows: deltas,
  });
  await tx.insertMany({
    into: 'current_state',
    columns: ['state_ref', 'room_id', 'type', 'state_key', 'event_id', 'membership'],
    rows: [...current.values()],
    onConflict: 'ON CONFLICT (state_ref) DO UPDATE SET event_id = excluded.event_id, membership = excluded.membership',
  });
  await writeSnapshots(tx, events.flatMap(({ roomId, event: { stateId, step } }) => (step === undefined ? [] : [{ roomId, stateId }])));
}

async function writeReceipts(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const receipts = new Map<string, SqlValue[]>();
  for (const { place, effects } of accepted) {
    if (effects.receipt === undefined) continue;
    const ref = refOf(effects.receipt);
    const { roomId, userId, receiptType, threadId, eventId, orderKey, ts, sequence } = effects.receipt;
    receipts.set(ref, [ref, roomId, userId, receiptType, threadId, eventId, orderKey, ts, place.partition, sequence, effects.inputId]);
  }
  if (receipts.size === 0) return;
  await tx.insertMany({
    into: 'receipts',
    columns: ['receipt_ref', 'room_id', 'user_id', 'receipt_type', 'thread_id', 'event_id', 'order_key', 'ts', 'partition', 'sequence', 'input_id'],
    rows: [...receipts.values()],
    onConflict: `ON CONFLICT (receipt_ref) DO UPDATE SET event_id = excluded.event_id, order_key = excluded.order_key, ts = excluded.ts,
      partition = excluded.partition, sequence = excluded.sequence, input_id = excluded.input_id`,
  });
}

function refOf(receipt: ReceiptRow): string {
  return receiptRef(receipt.roomId, receipt.userId, receipt.receiptType, receipt.threadId);
}
