/** A partition's output records made again from the tables, for read models that are built anew or were left behind by the outbox. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { unpackJson } from '../../../pkg/storage/packed-json.ts';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';
import { receiptSet } from '../input/outputs.ts';
import { outsideMembership } from '../remote/outputs.ts';
import { inputIdOfEvent } from '../storage/refs.ts';
import { readPartialRecords } from '../partial/partial-row.ts';
import { readDeltas, sliceRecord, sliceSequences } from './snapshot-states.ts';

interface EventSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; event_id: string; json: Uint8Array; order_key: number | null; history_visibility: string;
  redacts: string | null; state_before_differs: number; soft_failed: number; history_at: number | null; relay_of: string; input_id: string; device_id: string; txn_id: string;
}

interface ReceiptSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; user_id: string; receipt_type: string; thread_id: string; event_id: string; ts: number; input_id: string;
}

interface OutsideSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; user_id: string; membership: string; event_id: string; json: Uint8Array; stripped_state: Uint8Array; input_id: string;
}

interface ForgottenSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; user_id: string; input_id: string;
}

interface PublishedSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; networks: string; input_id: string;
}

interface PurgeSql extends SqlRow {
  sequence: number; room_id: string; room_version: string; order_key: number; to_sequence: number;
}

/** State slices are big; of them a page has no more. */
const SLICES_MAX = 10;

/**
 * Up to `limit` records of the partition with sequence > `afterSequence`, in order; none: the end. They are as they were sent, with differences that make no difference to
 * a read model in the end: a receipt or outside membership that was replaced is not sent, nor are needs, nor is a state slice that another one has made void (so sequence numbers have gaps); a
 * redacted event has lost its content already; trace IDs, and input IDs of state slices, are empty. Safe beside a writing owner: what is committed while the page is read is left to the next page,
 * never half of it.
 */
export async function roomSnapshot(reader: Reader, partition: number, afterSequence: number, limit: number): Promise<SequencedRecord<RoomOutput>[]> {
  const head = await newestSequence(reader, partition);
  const range = [partition, afterSequence, head, limit];
  const events = await reader.query<EventSql>(
    `SELECT e.sequence, e.room_id, r.room_version, e.event_id, e.json, e.order_key, e.history_visibility, e.redacts, e.state_before_differs, e.soft_failed, e.history_at, e.relay_of, e.input_id, e.device_id, e.txn_id
     FROM events e JOIN rooms r ON r.room_id = e.room_id WHERE e.partition = ? AND e.sequence > ? AND e.sequence <= ? AND e.rejected = 0 ORDER BY e.sequence LIMIT ?`,
    range);
  const receipts = await reader.query<ReceiptSql>(
    `SELECT p.sequence, p.room_id, r.room_version, p.user_id, p.receipt_type, p.thread_id, p.event_id, p.ts, p.input_id
     FROM receipts p JOIN rooms r ON r.room_id = p.room_id WHERE p.partition = ? AND p.sequence > ? AND p.sequence <= ? ORDER BY p.sequence LIMIT ?`,
    range);
  const outside = await reader.query<OutsideSql>(
    `SELECT sequence, room_id, room_version, user_id, membership, event_id, json, stripped_state, input_id
     FROM outside_memberships WHERE partition = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`, range);
  const forgotten = await reader.query<ForgottenSql>(
    'SELECT sequence, room_id, room_version, user_id, input_id FROM forgotten WHERE partition = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?', range);
  const purges = await reader.query<PurgeSql>(
    `SELECT p.sequence, p.room_id, r.room_version, p.order_key, p.to_sequence FROM purges p JOIN rooms r ON r.room_id = p.room_id
     WHERE p.partition = ? AND p.sequence > ? AND p.sequence <= ? ORDER BY p.sequence LIMIT ?`, range);
  const published = await reader.query<PublishedSql>(
    'SELECT sequence, room_id, room_version, networks, input_id FROM published_rooms WHERE partition = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?', range);
  const partial = await readPartialRecords(reader, { partition, after: afterSequence, upTo: head, limit });
  const last = lastOfPage([events, receipts, outside, forgotten, published, purges, partial], limit, head);
  const deltas = events.length === 0 ? new Map<number, StateChange[]>() : await readDeltas(reader, partition, afterSequence, Math.min(last, events.at(-1)!.sequence));
  const slices = await sliceSequences(reader, { partition, after: afterSequence, last, limit: Math.min(limit, SLICES_MAX) });
  const upTo = slices.length === Math.min(limit, SLICES_MAX) ? slices.at(-1)! : last;
  const records = [
    ...events.map((row) => eventRecord(partition, row, deltas.get(row.sequence) ?? [])), ...receipts.map((row) => receiptRecord(partition, row)),
    ...outside.map((row) => outsideRecord(partition, row)), ...forgotten.map((row) => forgottenRecord(partition, row)), ...purges.map((row) => purgeRecord(partition, row)),
    ...published.map((row) => publishedRecord(partition, row)), ...partial.map((one) => partialRecord(partition, one)),
  ].filter(({ sequence }) => sequence <= upTo);
  for (const sequence of slices) {
    const record = await sliceRecord(reader, partition, sequence);
    if (record !== undefined) records.push(record);
  }
  return records.sort((left, right) => left.sequence - right.sequence).slice(0, limit);
}

/** Where the first of the lists that are full ends: beyond it others may be incomplete. */
function lastOfPage(lists: readonly (readonly { sequence: number }[])[], limit: number, head: number): number {
  return Math.min(head, ...lists.filter(({ length }) => length === limit).map((list) => list.at(-1)!.sequence));
}

/** One statement, so that it sees all tables at one moment: every record up to it is then there for the statements that follow. */
async function newestSequence(reader: Reader, partition: number): Promise<number> {
  const rows = await reader.query<{ sequence: number | null }>(
    `SELECT MAX(sequence) AS sequence FROM (SELECT MAX(sequence) AS sequence FROM events WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM receipts WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM outside_memberships WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM forgotten WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM purges WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM published_rooms WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM partial_rooms WHERE partition = ?
       UNION ALL SELECT MAX(end_sequence) AS sequence FROM partial_rooms WHERE partition = ?
       UNION ALL SELECT MAX(sequence) AS sequence FROM state_deltas WHERE partition = ?) AS newest`, new Array<number>(9).fill(partition));
  return rows[0]?.sequence ?? 0;
}

function eventRecord(partition: number, row: EventSql, stateDelta: StateChange[]): SequencedRecord<RoomOutput> {
  return {
    partition, sequence: row.sequence,
    output: {
      roomId: row.room_id, roomVersion: row.room_version, inputId: inputIdOfEvent(row.input_id, row.event_id), traceId: '',
      event: {
        eventId: row.event_id, pdu: unpackJson(row.json), orderKey: row.order_key ?? 0, stateDelta, historyVisibility: row.history_visibility, deviceId: row.device_id, txnId: row.txn_id,
        softFailedAccepted: row.soft_failed === 2, stateBeforeDiffers: row.state_before_differs === 1, redacts: row.redacts ?? '', relayOf: row.relay_of,
        ...(row.history_at !== null && { historyAt: row.history_at }),
      },
    },
  };
}

function partialRecord(partition: number, { sequence, row: { roomId, roomVersion, servers }, ended }: Awaited<ReturnType<typeof readPartialRecords>>[number]): SequencedRecord<RoomOutput> {
  return { partition, sequence, output: { roomId, roomVersion, inputId: '', traceId: '', partial: { servers: [...servers], ended } } };
}

function receiptRecord(partition: number, row: ReceiptSql): SequencedRecord<RoomOutput> {
  const receipt = receiptSet({ userId: row.user_id, receiptType: row.receipt_type, threadId: row.thread_id, eventId: row.event_id, ts: row.ts });
  return { partition, sequence: row.sequence, output: { roomId: row.room_id, roomVersion: row.room_version, inputId: row.input_id, traceId: '', receipt } };
}

function outsideRecord(partition: number, row: OutsideSql): SequencedRecord<RoomOutput> {
  const member = outsideMembership({ userId: row.user_id, membership: row.membership, eventId: row.event_id, pdu: row.json, strippedState: row.stripped_state });
  return { partition, sequence: row.sequence, output: { roomId: row.room_id, roomVersion: row.room_version, inputId: row.input_id, traceId: '', outsideMembership: member } };
}

function forgottenRecord(partition: number, row: ForgottenSql): SequencedRecord<RoomOutput> {
  return { partition, sequence: row.sequence, output: { roomId: row.room_id, roomVersion: row.room_version, inputId: row.input_id, traceId: '', forgotten: { userId: row.user_id } } };
}

function publishedRecord(partition: number, row: PublishedSql): SequencedRecord<RoomOutput> {
  const published = { networks: JSON.parse(row.networks) as string[] };
  return { partition, sequence: row.sequence, output: { roomId: row.room_id, roomVersion: row.room_version, inputId: row.input_id, traceId: '', published } };
}

function purgeRecord(partition: number, row: PurgeSql): SequencedRecord<RoomOutput> {
  const historyPurged = { toOrderKey: row.order_key, toSequence: row.to_sequence };
  return { partition, sequence: row.sequence, output: { roomId: row.room_id, roomVersion: row.room_version, inputId: '', traceId: '', historyPurged } };
}
