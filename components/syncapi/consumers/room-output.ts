/** Applies room-output: timelines, state and membership intervals, redactions, receipts. */
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { Applier, SequencedRecord } from '../../../pkg/log/applier.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { SqlValue, Transaction } from '../../../pkg/storage/database.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { clientEventOf, hasUrl, parsePdu } from '../events/client-event.ts';
import type { EventCache } from '../events/event-cache.ts';
import { currentMemberships } from '../storage/memberships.ts';
import { OPEN, storable } from '../storage/rows.ts';
import type { DecodedRoomOutput } from './decoded.ts';
import { memberChanges, membershipOf, planMemberships, planState, type MembershipPlan, type StatePlan } from './room-rows.ts';

type Records = readonly SequencedRecord<DecodedRoomOutput>[];

/** The applier of room-output. `roomQuery` is asked only about state that changed without its event being in the records (state resolution). */
export function roomOutputApplier(deps: { roomQuery: Pick<RoomQuery, 'eventsById'>; cache: EventCache }): Applier<DecodedRoomOutput> {
  const foreign = new Map<string, string>();
  return {
    decode: (bytes) => {
      const record = roomOutputCodec.decode(bytes);
      if (roomVersion(record.roomVersion) === undefined) throw new PoisonRecord(`room version ${record.roomVersion} is not known`);
      return { record, pdu: record.event ? parsePdu(record.event.pdu) : undefined };
    },
    traceOf: ({ record }) => record.traceId,
    load: async (records) => {
      const wanted = foreignMembers(records);
      if (wanted.length === 0) return;
      for (const event of await deps.roomQuery.eventsById(wanted)) foreign.set(event.eventId, membershipOf(parsePdu(event.pdu)));
    },
    apply: (tx, records) => apply(tx, records, foreign),
    committed: (records) => {
      for (const { output } of records) remember(deps.cache, output);
      for (const eventId of foreignMembers(records)) foreign.delete(eventId);
    },
  };
}

function foreignMembers(records: Records): string[] {
  return records.flatMap(({ output: { record } }) =>
    (record.event?.stateDelta ?? [])
      .filter((change) => change.type === 'm.room.member' && change.eventId !== '' && change.eventId !== record.event?.eventId)
      .map((change) => change.eventId),
  );
}

function remember(cache: EventCache, output: DecodedRoomOutput): void {
  const { event, roomId, roomVersion, traceId } = output.record;
  if (!event || output.pdu === undefined) return;
  cache.put(clientEventOf({ eventId: event.eventId, roomId, roomVersion, pdu: output.pdu, redactedBy: null, traceId }));
  // The owner's tables hold the redacted form by now: the next reader gets it from there.
  if (event.redacts !== '') cache.delete(event.redacts);
}

async function apply(tx: Transaction, records: Records, foreign: ReadonlyMap<string, string>): Promise<{ rooms: string[]; users: string[] }> {
  const members = memberChanges(records);
  const current = members.length === 0 ? [] : await currentMemberships(tx, members);
  const memberships = planMemberships(records, current, foreign);
  const visibilities = await visibilitiesBefore(tx, records);
  await writeRooms(tx, records, memberships);
  await writeTimeline(tx, records, visibilities);
  await writeState(tx, planState(records));
  await writeMemberships(tx, memberships);
  await writeRedactions(tx, records);
  await writeReceipts(tx, records);
  return whomToWake(records, memberships);
}

/** Too many keys are not named: empty lists wake everybody. */
const WAKE_KEYS_MAX = 200;

function whomToWake(records: Records, memberships: MembershipPlan): { rooms: string[]; users: string[] } {
  const rooms = new Set(records.map(({ output }) => output.record.roomId));
  if (rooms.size > WAKE_KEYS_MAX || memberships.users.size > WAKE_KEYS_MAX) return { rooms: [], users: [] };
  return { rooms: [...rooms], users: [...memberships.users] };
}

async function writeRooms(tx: Transaction, records: Records, memberships: MembershipPlan): Promise<void> {
  const rows = new Map<string, SqlValue[]>();
  for (const { partition, sequence, output } of records) {
    const { roomId, roomVersion, event } = output.record;
    const counts = memberships.counts.get(roomId) ?? { joined: 0, invited: 0 };
    const before = rows.get(roomId);
    const orderKey = Math.max(event?.orderKey ?? 0, (before?.[4] as number | undefined) ?? 0);
    const visibility = visibilityNow(output) ?? before?.[7] ?? '';
    rows.set(roomId, [roomId, roomVersion, partition, sequence, orderKey, counts.joined, counts.invited, visibility]);
  }
  await insert(tx, {
    into: 'rooms',
    columns: ['room_id', 'version', 'partition_number', 'last_sequence', 'last_order_key', 'joined_count', 'invited_count', 'history_visibility'],
    rows: [...rows.values()],
    onConflict: `ON CONFLICT (room_id) DO UPDATE SET partition_number = excluded.partition_number, last_sequence = excluded.last_sequence,
      last_order_key = CASE WHEN excluded.last_order_key > rooms.last_order_key THEN excluded.last_order_key ELSE rooms.last_order_key END,
      joined_count = rooms.joined_count + excluded.joined_count, invited_count = rooms.invited_count + excluded.invited_count,
      history_visibility = CASE WHEN excluded.history_visibility <> '' THEN excluded.history_visibility ELSE rooms.history_visibility END`,
  });
}

/** The history visibility that this record sets as the room's current one; undefined: none. */
function visibilityNow({ record, pdu }: DecodedRoomOutput): string | undefined {
  const isCurrent = record.event?.stateDelta.some((change) => change.type === 'm.room.history_visibility' && change.eventId === record.event?.eventId);
  const visibility = pdu?.content['history_visibility'];
  return isCurrent && typeof visibility === 'string' ? storable(visibility) : undefined;
}

async function writeTimeline(tx: Transaction, records: Records, before: Map<string, string>): Promise<void> {
  const rows: SqlValue[][] = [];
  for (const { partition, sequence, output } of records) {
    const { event, roomId } = output.record;
    const pdu = output.pdu;
    if (!event || pdu === undefined) continue;
    const own = event.stateDelta.find((change) => change.eventId === event.eventId);
    const isVisibility = pdu.type === 'm.room.history_visibility';
    const after = isVisibility ? (visibilityNow(output) ?? event.historyVisibility) : event.historyVisibility;
    rows.push([
      ...[roomId, event.orderKey, event.eventId, partition, sequence, storable(pdu.type), pdu.sender],
      pdu.state_key === undefined ? null : storable(pdu.state_key),
      ...[own?.replaces ?? '', event.deviceId, event.txnId, after, isVisibility ? before.get(roomId) || 'shared' : '', hasUrl(pdu) ? 1 : 0],
    ]);
    if (isVisibility) before.set(roomId, after);
  }
  const columns = ['room_id', 'order_key', 'event_id', 'partition_number', 'sequence', 'type', 'sender', 'state_key', 'replaces'];
  await insert(tx, { into: 'timeline', columns: [...columns, 'device_id', 'txn_id', 'history_visibility', 'visibility_before', 'has_url'], rows });
}

/** What held before the batch in the rooms whose history visibility changes in it: whoever could see under either may see such an event. */
async function visibilitiesBefore(tx: Transaction, records: Records): Promise<Map<string, string>> {
  const rooms = new Set(records.flatMap(({ output }) => (output.pdu?.type === 'm.room.history_visibility' ? [output.record.roomId] : [])));
  if (rooms.size === 0) return new Map();
  const rows = await tx.queryIn<{ room_id: string; history_visibility: string }>('SELECT room_id, history_visibility FROM rooms WHERE room_id IN (??)', [], [...rooms]);
  return new Map(rows.map((row) => [row.room_id, row.history_visibility]));
}

async function writeState(tx: Transaction, plan: StatePlan): Promise<void> {
  for (const [slot, endsAt] of plan.ends) {
    await tx.run('UPDATE state_intervals SET to_sequence = ? WHERE slot = ? AND to_sequence = ?', [endsAt, slot, OPEN]);
  }
  await insert(tx, {
    into: 'state_intervals',
    columns: ['slot', 'from_sequence', 'to_sequence', 'room_id', 'type', 'event_id'],
    rows: plan.begins.map((state) => [state.slot, state.from, state.to, state.roomId, storable(state.type), state.eventId]),
  });
}

async function writeMemberships(tx: Transaction, plan: MembershipPlan): Promise<void> {
  for (const [slot, endsAt] of plan.ends) {
    await tx.run('UPDATE memberships SET to_sequence = ? WHERE slot = ? AND to_sequence = ?', [endsAt, slot, OPEN]);
  }
  await insert(tx, {
    into: 'memberships',
    columns: ['user_id', 'room_id', 'from_sequence', 'to_sequence', 'membership', 'event_id', 'partition_number', 'slot'],
    rows: plan.begins.map((row) => [storable(row.userId), row.roomId, row.from, row.to, storable(row.membership), row.eventId, row.partition, row.slot]),
  });
}

async function writeRedactions(tx: Transaction, records: Records): Promise<void> {
  const rows = new Map<string, SqlValue[]>();
  for (const { output } of records) {
    const { event, roomId } = output.record;
    if (event && event.redacts !== '' && !rows.has(event.redacts)) rows.set(event.redacts, [event.redacts, event.eventId, roomId]);
  }
  // A redacted event has no url any more; so a read model made of redacted events equals this one.
  for (const eventId of rows.keys()) await tx.run('UPDATE timeline SET has_url = 0 WHERE event_id = ?', [eventId]);
  await insert(tx, { into: 'redactions', columns: ['event_id', 'redacted_by', 'room_id'], rows: [...rows.values()], onConflict: 'ON CONFLICT (event_id) DO NOTHING' });
}

async function writeReceipts(tx: Transaction, records: Records): Promise<void> {
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

async function insert(tx: Transaction, rows: Parameters<Transaction['insertMany']>[0]): Promise<void> {
  if (rows.rows.length > 0) await tx.insertMany(rows);
}
