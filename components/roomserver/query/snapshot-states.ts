/** What the records of a snapshot say of states: the changes that came with events, and the slices of states that came whole. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { unpackJson, unpackText } from '../../../pkg/storage/packed-json.ts';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';

/** `member`, `replaced_member`: the member events of the change. */
interface DeltaSql extends SqlRow {
  sequence: number; type: string; state_key: string; delta_event_id: string; replaces: string | null; member: Uint8Array | null; replaced_member: Uint8Array | null;
}

interface SliceSql extends DeltaSql {
  room_id: string; state_id: number; room_version: string | null; json: Uint8Array;
}

/** The changes of the current state with sequences up to `last`, by sequence. */
export async function readDeltas(reader: Reader, partition: number, after: number, last: number): Promise<Map<number, StateChange[]>> {
  const rows = await reader.query<DeltaSql>(
    `SELECT d.sequence, d.type, d.state_key, d.event_id AS delta_event_id, d.replaces, e.json AS member, b.json AS replaced_member
     FROM state_deltas d LEFT JOIN events e ON d.type = 'm.room.member' AND e.event_id = d.event_id LEFT JOIN events b ON d.type = 'm.room.member' AND b.event_id = d.replaces
     WHERE d.partition = ? AND d.sequence > ? AND d.sequence <= ?`, [partition, after, last]);
  const deltas = new Map<number, StateChange[]>();
  for (const row of rows) {
    const list = deltas.get(row.sequence);
    if (list === undefined) deltas.set(row.sequence, [changeOf(row)]);
    else list.push(changeOf(row));
  }
  return deltas;
}

/** The first of the sequences under which states came in slices. */
export async function sliceSequences(reader: Reader, range: { partition: number; after: number; last: number; limit: number }): Promise<number[]> {
  const rows = await reader.query<{ sequence: number }>(
    `SELECT DISTINCT d.sequence FROM state_deltas d WHERE d.partition = ? AND d.sequence > ? AND d.sequence <= ? AND d.prev_state_id = 0
       AND NOT EXISTS (SELECT 1 FROM events e WHERE e.partition = d.partition AND e.sequence = d.sequence) ORDER BY d.sequence LIMIT ?`,
    [range.partition, range.after, range.last, range.limit]);
  return rows.map((row) => row.sequence);
}

/** undefined: it was made void just now. The room's row comes with the join that follows the last slice; before it the create event knows the version. */
export async function sliceRecord(reader: Reader, partition: number, sequence: number): Promise<SequencedRecord<RoomOutput> | undefined> {
  const rows = await reader.query<SliceSql>(
    `SELECT d.sequence, d.room_id, d.state_id, r.room_version, d.type, d.state_key, d.event_id AS delta_event_id, d.replaces, e.json, e.json AS member, NULL AS replaced_member
     FROM state_deltas d JOIN events e ON e.event_id = d.event_id LEFT JOIN rooms r ON r.room_id = d.room_id WHERE d.partition = ? AND d.sequence = ?`, [partition, sequence]);
  if (rows[0] === undefined) return undefined;
  const { room_id: roomId, state_id: stateId, room_version: known } = rows[0];
  const [first] = await reader.query<{ sequence: number }>('SELECT MIN(sequence) AS sequence FROM state_deltas WHERE room_id = ? AND state_id = ?', [roomId, stateId]);
  const roomVersion = known ?? (await versionOfCreate(reader, roomId, stateId));
  const stateSlice = { reset: first?.sequence === sequence, changes: rows.map(changeOf), pdus: rows.map((row) => unpackJson(row.json)) };
  return { partition, sequence, output: { roomId, roomVersion, inputId: '', traceId: '', stateSlice } };
}

async function versionOfCreate(reader: Reader, roomId: string, stateId: number): Promise<string> {
  const [row] = await reader.query<{ json: Uint8Array }>(
    "SELECT e.json FROM state_deltas d JOIN events e ON e.event_id = d.event_id WHERE d.room_id = ? AND d.state_id = ? AND d.type = 'm.room.create' AND d.state_key = ''", [roomId, stateId]);
  return row === undefined ? '' : String((JSON.parse(unpackText(row.json)) as { content: { room_version?: unknown } }).content.room_version ?? '1');
}

function changeOf(row: DeltaSql): StateChange {
  const change = { type: row.type, stateKey: row.state_key, eventId: row.delta_event_id, replaces: row.replaces ?? '' };
  return row.type === 'm.room.member' ? { ...change, membership: membershipIn(row.member), replacedMembership: membershipIn(row.replaced_member) } : change;
}

function membershipIn(json: Uint8Array | null): string {
  return json === null ? '' : String((JSON.parse(unpackText(json)) as { content: { membership?: unknown } }).content.membership);
}
