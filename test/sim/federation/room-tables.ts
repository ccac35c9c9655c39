/** A room as one server's tables have it, read past all faults. */
import { prevEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { SqlRow } from '../../../pkg/storage/database.ts';
import { unpackText } from '../../../pkg/storage/packed-json.ts';
import type { SimServer } from '../server.ts';

export interface TableEvent {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** Place in the timeline; null: clients do not see it. */
  readonly orderKey: number | null;
  readonly verdict: 'accepted' | 'softFailed' | 'rejected' | 'outlier';
  readonly redactedBy: string | null;
}

export interface TableRoom {
  readonly serverName: string;
  readonly events: ReadonlyMap<string, TableEvent>;
  /** `type key` -> event ID. */
  readonly state: ReadonlyMap<string, string>;
  readonly extremities: readonly string[];
}

interface EventRow extends SqlRow {
  event_id: string;
  json: Uint8Array;
  order_key: number | null;
  state_id: number | null;
  rejected: number;
  soft_failed: number;
  redacted_by: string | null;
}

export async function readRoom({ name, databases: { roomserver } }: SimServer, roomId: string): Promise<TableRoom> {
  const rows = await roomserver.query<EventRow>('SELECT event_id, json, order_key, state_id, rejected, soft_failed, redacted_by FROM events WHERE room_id = ?', [roomId]);
  const state = await roomserver.query<{ type: string; state_key: string; event_id: string }>('SELECT type, state_key, event_id FROM current_state WHERE room_id = ?', [roomId]);
  const rooms = await roomserver.query<{ forward_extremities: string }>('SELECT forward_extremities FROM rooms WHERE room_id = ?', [roomId]);
  return {
    serverName: name,
    events: new Map(rows.map((row) => [row.event_id, tableEvent(row)])),
    state: new Map(state.map((row) => [`${row.type} ${row.state_key}`, row.event_id])),
    extremities: rooms.flatMap((row) => JSON.parse(row.forward_extremities) as string[]).sort(),
  };
}

function tableEvent(row: EventRow): TableEvent {
  return { eventId: row.event_id, pdu: JSON.parse(unpackText(row.json)) as Pdu, orderKey: row.order_key, verdict: verdictOf(row), redactedBy: row.redacted_by };
}

function verdictOf({ rejected, soft_failed: softFailed, state_id: stateId }: EventRow): TableEvent['verdict'] {
  if (rejected === 1) return 'rejected';
  if (stateId === null) return 'outlier';
  return softFailed === 1 ? 'softFailed' : 'accepted';
}

/** The first join of a user that the server's clients see; undefined when there is none. */
export function firstJoinOf(room: TableRoom, userId: string): string | undefined {
  const joins = [...room.events.values()].filter(({ pdu, orderKey }) => orderKey !== null && pdu.type === 'm.room.member' && pdu.state_key === userId && pdu.content['membership'] === 'join');
  return joins.sort((a, b) => a.orderKey! - b.orderKey!)[0]?.eventId;
}

/** The event and all that come after it in the graph. */
export function descendantsOf(room: TableRoom, eventId: string): Set<string> {
  const children = new Map<string, string[]>();
  for (const event of room.events.values()) {
    for (const prev of prevEventIds(event.pdu)) children.set(prev, [...(children.get(prev) ?? []), event.eventId]);
  }
  const found = new Set<string>();
  const open = [eventId];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(children.get(next) ?? []));
  }
  return found;
}
