import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import { hasUrl } from '../events/client-event.ts';
import { newRelation, type NewRelation } from '../relations/write-relations.ts';
import { storable } from '../storage/rows.ts';
import { isOwnChange, type DecodedRoomOutput, type Records } from './decoded.ts';
import { DEFAULT_VISIBILITY, visibilitySet } from './foreign-events.ts';
import { insert } from './write-rows.ts';

const COLUMNS = [
  ...['room_id', 'order_key', 'event_id', 'partition_number', 'sequence', 'type', 'sender', 'state_key', 'replaces'],
  ...['device_id', 'txn_id', 'history_visibility', 'visibility_before', 'has_url', 'state_before_differs', 'others_changed', 'history_at'],
];
const VISIBILITY_COLUMN = COLUMNS.indexOf('history_visibility');

/** Rows of the events; the relations that these form. `visibilities`: those of `visibilitiesBefore`; they are moved on. */
export async function writeTimeline(tx: Transaction, records: Records, known: { visibilities: Map<string, string>; foreign: ReadonlyMap<string, string> }): Promise<NewRelation[]> {
  const rows: SqlValue[][] = [];
  const relations: NewRelation[] = [];
  for (const record of records) {
    const { roomId } = record.output.record;
    const visibility = { before: known.visibilities.get(roomId) || DEFAULT_VISIBILITY, after: visibilitySet(record.output, known.foreign) };
    if (visibility.after !== undefined) known.visibilities.set(roomId, visibility.after);
    const row = rowOf(record, visibility);
    if (row === undefined) continue;
    rows.push(row);
    relations.push(...relationsOf(record.output, String(row[VISIBILITY_COLUMN])));
  }
  await insert(tx, { into: 'timeline', columns: COLUMNS, rows });
  return relations;
}

function relationsOf({ pdu, record: { event, roomId } }: DecodedRoomOutput, historyVisibility: string): NewRelation[] {
  const relation = pdu && event && newRelation(pdu, { roomId, orderKey: event.orderKey, eventId: event.eventId, historyVisibility });
  return relation ? [relation] : [];
}

/** undefined: the record has no event, or one that clients are not shown. `visibility`: the room's before the record, and what the record makes it (undefined: nothing). */
function rowOf({ partition, sequence, output }: Records[number], visibility: { before: string; after: string | undefined }): SqlValue[] | undefined {
  const { pdu, record: { event, roomId } } = output;
  if (!event || event.orderKey === 0 || pdu === undefined) return undefined;
  const own = event.stateDelta.find((change) => isOwnChange(output, change));
  // Who may see a setting that did not become the room's is told by its owner alone.
  const isSetting = own?.type === 'm.room.history_visibility' && visibility.after !== undefined;
  return [
    roomId, event.orderKey, event.eventId, partition, sequence, storable(pdu.type), pdu.sender, pdu.state_key === undefined ? null : storable(pdu.state_key),
    own?.replaces ?? '', event.deviceId, event.txnId, isSetting ? visibility.after! : event.historyVisibility, isSetting ? visibility.before : '',
    Number(hasUrl(pdu)), Number(event.stateBeforeDiffers), Number(event.stateDelta.some((change) => change !== own)), Number(event.historyAt ?? 0),
  ];
}

/** What held before the batch in the rooms whose history visibility changes in it: whoever could see under either may see such an event. */
export async function visibilitiesBefore(tx: Transaction, records: Records): Promise<Map<string, string>> {
  const rooms = new Set(records.flatMap(({ output }) => (output.pdu?.type === 'm.room.history_visibility' ? [output.record.roomId] : [])));
  if (rooms.size === 0) return new Map();
  const rows = await tx.queryIn<{ room_id: string; history_visibility: string }>('SELECT room_id, history_visibility FROM rooms WHERE room_id IN (??)', [], [...rooms]);
  return new Map(rows.map((row) => [row.room_id, row.history_visibility]));
}
