/** A partition's output records made again from the tables, for read models that are built anew or were left behind by the outbox. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';
import { receiptSet } from '../input/outputs.ts';

interface EventSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; event_id: string; json: Uint8Array; order_key: number; history_visibility: string;
  redacts: string | null; input_id: string; device_id: string; txn_id: string;
}

interface DeltaSql extends SqlRow {
  sequence: number; type: string; state_key: string; delta_event_id: string; replaces: string | null;
}

interface ReceiptSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; user_id: string; receipt_type: string; thread_id: string; event_id: string; ts: number; input_id: string;
}

/**
 * Up to `limit` records of the partition with sequence > `afterSequence`, in order; none: the end. They are as they were sent, with three differences that make no difference to
 * a read model in the end: a receipt that was replaced is not sent (so sequence numbers have gaps), a redacted event has lost its content already, trace IDs
 * are empty. Safe beside a writing owner: what is committed while the page is read is left to the next page, never half of it.
 */
export async function roomSnapshot(reader: Reader, partition: number, afterSequence: number, limit: number): Promise<SequencedRecord<RoomOutput>[]> {
  const head = await newestSequence(reader, partition);
  const range = [partition, afterSequence, head, limit];
  const events = await reader.query<EventSql>(
    `SELECT e.sequence, e.room_id, r.room_version, e.event_id, e.json, e.order_key, e.history_visibility, e.redacts, e.input_id, e.device_id, e.txn_id
     FROM events e JOIN rooms r ON r.room_id = e.room_id WHERE e.partition = ? AND e.sequence > ? AND e.sequence <= ? AND e.rejected = 0 ORDER BY e.sequence LIMIT ?`,
    range);
  const receipts = await reader.query<ReceiptSql>(
    `SELECT p.sequence, p.room_id, r.room_version, p.user_id, p.receipt_type, p.thread_id, p.event_id, p.ts, p.input_id
     FROM receipts p JOIN rooms r ON r.room_id = p.room_id WHERE p.partition = ? AND p.sequence > ? AND p.sequence <= ? ORDER BY p.sequence LIMIT ?`,
    range);
  const deltas = events.length === 0 ? new Map<number, StateChange[]>() : await readDeltas(reader, partition, afterSequence, events.at(-1)!.sequence);
  const records = [...events.map((row) => eventRecord(partition, row, deltas.get(row.sequence) ?? [])), ...receipts.map((row) => receiptRecord(partition, row))];
  return records.sort((left, right) => left.sequence - right.sequence).slice(0, limit);
}

/** One statement, so that it sees both tables at one moment: every record up to it is then there for the statements that follow. */
async function newestSequence(reader: Reader, partition: number): Promise<number> {
  const rows = await reader.query<{ sequence: number | null }>(
    `SELECT MAX(sequence) AS sequence FROM (SELECT MAX(sequence) AS sequence FROM events WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM receipts WHERE partition = ?) AS newest`, [partition, partition]);
  return rows[0]?.sequence ?? 0;
}

async function readDeltas(reader: Reader, partition: number, after: number, last: number): Promise<Map<number, StateChange[]>> {
  const rows = await reader.query<DeltaSql>(
    `SELECT d.sequence, d.type, d.state_key, d.event_id AS delta_event_id, d.replaces FROM state_deltas d
     WHERE d.partition = ? AND d.sequence > ? AND d.sequence <= ?`, [partition, after, last]);
  const deltas = new Map<number, StateChange[]>();
  for (const row of rows) {
    const change = { type: row.type, stateKey: row.state_key, eventId: row.delta_event_id, replaces: row.replaces ?? '' };
    const list = deltas.get(row.sequence);
    if (list === undefined) deltas.set(row.sequence, [change]);
    else list.push(change);
  }
  return deltas;
}

function eventRecord(partition: number, row: EventSql, stateDelta: StateChange[]): SequencedRecord<RoomOutput> {
  return {
    partition, sequence: row.sequence,
    output: {
      roomId: row.room_id, roomVersion: row.room_version, inputId: row.input_id, traceId: '',
      event: {
        eventId: row.event_id, pdu: row.json, orderKey: row.order_key, stateDelta, historyVisibility: row.history_visibility,
        deviceId: row.device_id, txnId: row.txn_id, softFailedAccepted: false, stateBeforeDiffers: false, redacts: row.redacts ?? '',
      },
    },
  };
}

function receiptRecord(partition: number, row: ReceiptSql): SequencedRecord<RoomOutput> {
  const receipt = receiptSet({ userId: row.user_id, receiptType: row.receipt_type, threadId: row.thread_id, eventId: row.event_id, ts: row.ts });
  return { partition, sequence: row.sequence, output: { roomId: row.room_id, roomVersion: row.room_version, inputId: row.input_id, traceId: '', receipt } };
}
