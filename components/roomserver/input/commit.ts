/** Writes the rows of a batch: one multi-row statement a table, however many inputs. */
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { packJson } from '../../../pkg/storage/packed-json.ts';
import { isState } from '../../../pkg/matrix/events/pdu.ts';
import { writeAliases } from '../aliases/commit-aliases.ts';
import type { Position } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { placeInChains, unchained, type Chained } from '../storage/auth-chains.ts';
import { writePublished } from '../directory/commit-published.ts';
import { writeBarred } from '../guests/commit-barred.ts';
import { writeHistory } from '../history/commit-history.ts';
import { writeForgotten } from '../forget/commit-forgotten.ts';
import { receiptRef, storedInputId } from '../storage/refs.ts';
import { writePartial } from '../partial/commit-partial.ts';
import { writeUpgrades } from '../upgrade/commit-upgrades.ts';
import { writeAnnotations } from '../relations/annotation-row.ts';
import { writeEarly } from '../receive/early-redactions.ts';
import { writeNeeds, writeOutsideMemberships } from './commit-needs.ts';
import { writeStates } from './commit-states.ts';
import type { AcceptedInput, NewEvent, ReceiptRow, RoomRow } from './effects.ts';

/** An event with what its rows take from its input. */
interface PlacedEvent {
  readonly roomId: string;
  readonly partition: number;
  readonly inputId: string;
  readonly event: NewEvent;
}

/** Gives back the places of its state events among auth chains. */
export async function commitBatch(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<Chained> {
  const events = accepted.flatMap(({ place, effects }) => effects.events.map((event): PlacedEvent => ({
    roomId: effects.roomId, partition: place.partition, inputId: effects.inputId, event,
  })));
  const chained = await placeInChains(tx, events.filter(({ event }) => isState(event.pdu)).map(({ event: { eventId, pdu }, ...of }) => unchained(eventId, pdu, of)));
  await Promise.all([
    writeRooms(tx, accepted), writeEvents(tx, events, chained.places), writeEdges(tx, events), writeHistory(tx, accepted), writeStates(tx, accepted), writeReceipts(tx, accepted), writeNeeds(tx, accepted),
    writeOutsideMemberships(tx, accepted), writeAliases(tx, accepted), writeForgotten(tx, accepted), writeUpgrades(tx, accepted), writePublished(tx, accepted), writeAnnotations(tx, accepted), writeBarred(tx, accepted),
  ]);
  await writePartial(tx, accepted);
  await writeEarly(tx, accepted);
  // The redacted event may be one of the batch.
  for (const { effects } of accepted) {
    for (const { eventId, redactedBy, bytes } of effects.redactions) {
      await tx.run('UPDATE events SET json = ?, redacted_by = ? WHERE event_id = ?', [packJson(bytes), redactedBy, eventId]);
    }
  }
  return chained;
}

/** Only the last row of a room counts; a statement may not touch the same row twice. */
async function writeRooms(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const rooms = new Map<string, RoomRow>();
  for (const { effects } of accepted) if (effects.room !== undefined) rooms.set(effects.room.roomId, effects.room);
  if (rooms.size === 0) return;
  await tx.insertMany({
    into: 'rooms',
    columns: ['room_id', 'room_version', 'partition', 'creator', 'create_event_id', 'order_key', 'depth', 'state_id', 'state_depth', 'last_state_id', 'forward_extremities', 'branches'],
    rows: [...rooms.values()].map((room) => [room.roomId, room.roomVersion, room.partition, room.creator, room.createEventId, room.orderKey, storedDepth(room.depth),
      room.stateId, room.stateDepth, room.lastStateId, JSON.stringify(room.extremities), room.extremities.length]),
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET partition = excluded.partition, order_key = excluded.order_key, depth = excluded.depth,
      state_id = excluded.state_id, state_depth = excluded.state_depth, last_state_id = excluded.last_state_id, forward_extremities = excluded.forward_extremities,
      branches = excluded.branches`,
  });
}

const EVENT_COLUMNS = ['event_id', 'room_id', 'order_key', 'partition', 'sequence', 'type', 'state_key', 'sender', 'depth', 'origin_server_ts', 'state_id',
  'history_visibility', 'redacts', 'rejected', 'soft_failed', 'state_before_differs', 'relay_of', 'input_id', 'device_id', 'txn_id', 'auth_chain', 'auth_seq', 'history_at', 'json'];

/** An event that was known as an outlier finds its place; what was made of it by then (a redaction) stays. */
const FINDS_PLACE = `ON CONFLICT (event_id) DO UPDATE SET order_key = excluded.order_key, partition = excluded.partition, sequence = excluded.sequence, state_id = excluded.state_id,
  history_visibility = excluded.history_visibility, redacts = excluded.redacts, rejected = excluded.rejected, soft_failed = excluded.soft_failed,
  state_before_differs = excluded.state_before_differs, relay_of = excluded.relay_of, input_id = excluded.input_id WHERE events.state_id IS NULL`;

/** The same for history: it has no state of its own. */
const BECOMES_HISTORY = `ON CONFLICT (event_id) DO UPDATE SET order_key = excluded.order_key, partition = excluded.partition, sequence = excluded.sequence,
  history_visibility = excluded.history_visibility, redacts = excluded.redacts, input_id = excluded.input_id, history_at = excluded.history_at
  WHERE events.state_id IS NULL AND events.order_key IS NULL`;

/** `soft_failed` 2: it was, and is accepted now. */
const IS_REDEEMED = `ON CONFLICT (event_id) DO UPDATE SET order_key = excluded.order_key, partition = excluded.partition, sequence = excluded.sequence,
  history_visibility = excluded.history_visibility, state_before_differs = 1, soft_failed = 2, input_id = excluded.input_id WHERE events.soft_failed = 1 AND events.order_key IS NULL`;

/** Outliers first: one of them may find its place in the same batch. */
async function writeEvents(tx: Transaction, events: readonly PlacedEvent[], chained: ReadonlyMap<string, Position>): Promise<void> {
  const conflicts = [['outlier', 'ON CONFLICT (event_id) DO NOTHING'], ['local', undefined], ['received', FINDS_PLACE], ['history', BECOMES_HISTORY], ['redeemed', IS_REDEEMED]] as const;
  for (const [kind, onConflict] of conflicts) {
    const rows = events.filter(({ event }) => event.kind === kind).map((event) => eventRow(event, chained.get(event.event.eventId)));
    if (rows.length > 0) await tx.insertMany({ into: 'events', columns: EVENT_COLUMNS, rows, ...(onConflict !== undefined && { onConflict }) });
  }
}

function eventRow({ roomId, partition, inputId, event }: PlacedEvent, place: Position | undefined): SqlValue[] {
  const { pdu } = event;
  return [
    event.eventId, roomId, event.orderKey, partition, event.sequence, pdu.type, pdu.state_key ?? null, pdu.sender, storedDepth(pdu.depth),
    pdu.origin_server_ts, event.stateId, event.historyVisibility, event.redacts ?? null, event.verdict === 'rejected' ? 1 : 0, event.verdict === 'softFailed' ? 1 : 0,
    event.stateBeforeDiffers ? 1 : 0, event.relayOf, storedInputId(inputId, event.eventId), event.deviceId, event.txnId, place?.chain ?? null, place?.seq ?? null,
    event.historyAt ?? null, packJson(event.bytes),
  ];
}

/** Up to room version 5 events may be deeper than a column takes; the event itself tells. */
function storedDepth(depth: number): number {
  return Math.min(depth, Number.MAX_SAFE_INTEGER);
}

/** An event that comes after those that follow it is no forward extremity. */
async function writeEdges(tx: Transaction, events: readonly PlacedEvent[]): Promise<void> {
  const rows = events.flatMap(({ event }) => (event.unplacedPrevs ?? []).map((prev) => [prev, event.eventId]));
  if (rows.length > 0) await tx.insertMany({ into: 'event_edges', columns: ['prev_event_id', 'event_id'], rows, onConflict: 'ON CONFLICT (prev_event_id, event_id) DO NOTHING' });
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
