import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { hasUrl } from '../events/client-event.ts';
import { storable } from '../storage/rows.ts';
import { isOwnChange, type Records } from './decoded.ts';
import { DEFAULT_VISIBILITY, visibilitySet } from './foreign-events.ts';
import { insert } from './write-rows.ts';

const COLUMNS = [
  ...['room_id', 'order_key', 'event_id', 'partition_number', 'sequence', 'type', 'sender', 'state_key', 'replaces'],
  ...['device_id', 'txn_id', 'history_visibility', 'visibility_before', 'has_url', 'state_before_differs', 'others_changed'],
];

/** Rows of the events. `visibilities`: those of `visibilitiesBefore`; they are moved on. */
export async function writeTimeline(tx: Transaction, records: Records, known: { visibilities: Map<string, string>; foreign: ReadonlyMap<string, string> }): Promise<void> {
  const rows: SqlValue[][] = [];
  const { visibilities } = known;
  for (const { partition, sequence, output } of records) {
    const { event, roomId } = output.record;
    const after = visibilitySet(output, known.foreign);
    const before = visibilities.get(roomId) || DEFAULT_VISIBILITY;
    if (after !== undefined) visibilities.set(roomId, after);
    const pdu = output.pdu;
    if (!event || pdu === undefined) continue;
    const own = event.stateDelta.find((change) => isOwnChange(output, change));
    // One that did not become the room's has it from the owner who may see it.
    const setsVisibility = own?.type === 'm.room.history_visibility' && after !== undefined;
    rows.push([
      ...[roomId, event.orderKey, event.eventId, partition, sequence, storable(pdu.type), pdu.sender],
      pdu.state_key === undefined ? null : storable(pdu.state_key),
      ...[own?.replaces ?? '', event.deviceId, event.txnId, setsVisibility ? after : event.historyVisibility, setsVisibility ? before : ''],
      ...[hasUrl(pdu) ? 1 : 0, event.stateBeforeDiffers ? 1 : 0, event.stateDelta.some((change) => change !== own) ? 1 : 0],
    ]);
  }
  await insert(tx, { into: 'timeline', columns: COLUMNS, rows });
}

/** What held before the batch in the rooms whose history visibility changes in it: whoever could see under either may see such an event. */
export async function visibilitiesBefore(tx: Transaction, records: Records): Promise<Map<string, string>> {
  const rooms = new Set(records.flatMap(({ output }) => (output.pdu?.type === 'm.room.history_visibility' ? [output.record.roomId] : [])));
  if (rooms.size === 0) return new Map();
  const rows = await tx.queryIn<{ room_id: string; history_visibility: string }>('SELECT room_id, history_visibility FROM rooms WHERE room_id IN (??)', [], [...rooms]);
  return new Map(rows.map((row) => [row.room_id, row.history_visibility]));
}
