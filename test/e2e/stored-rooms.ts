/** A room as a running server's database has it, of either software: its events, what the server makes of each, and the state after them. Both are on SQLite here, and read beside the server. */
import Sqlite from 'better-sqlite3';
import { join } from 'node:path';
import { readStates } from '../../components/roomserver/storage/read-state.ts';
import { prevEventIds, type Pdu } from '../../pkg/matrix/events/pdu.ts';
import { expandIn } from '../../pkg/storage/dialect.ts';
import { unpackText } from '../../pkg/storage/packed-json.ts';
import type { Reader, SqlRow, SqlValue } from '../../pkg/storage/database.ts';
import type { Peer } from './peers.ts';

/**
 * - `accepted`: by the auth events and the state before it (softly failed ones too: they are in the graph, and which fail softly depends on what came first), or taken in as history.
 * - `known`: an outlier; for a state or an auth chain, without a place in the graph.
 */
export type StoredVerdict = 'accepted' | 'rejected' | 'known';

export interface StoredEvent {
  readonly eventId: string;
  readonly verdict: StoredVerdict;
  readonly softFailed: boolean;
  readonly pdu: Pdu;
  readonly prev: readonly string[];
}

export interface StoredRoom {
  readonly serverName: string;
  readonly events: ReadonlyMap<string, StoredEvent>;
  /** By event ID; `type key` -> event ID. Of those that were asked for, where there is one. */
  readonly states: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** `at`: the events after which the state is wanted. */
export async function readStoredRoom(peer: Peer, roomId: string, at: readonly string[]): Promise<StoredRoom> {
  const file = peer.software === 'Synapse' ? join(peer.folder, 'synapse.db') : join(peer.folder, 'data', 'roomserver.db');
  const database = new Sqlite(file, { readonly: true, timeout: 5000 });
  try {
    const events = peer.software === 'Synapse' ? eventsOfSynapse(database, roomId) : eventsOfMyelin(database, roomId);
    const ids = peer.software === 'Synapse' ? statesOfSynapse(database, at) : await statesOfMyelin(database, roomId, at);
    const keyOf = (eventId: string): string => {
      const { type, state_key: key } = events.get(eventId)!.pdu;
      return `${type} ${key}`;
    };
    const states = new Map([...ids].map(([eventId, state]) => [eventId, new Map(state.map((id): [string, string] => [keyOf(id), id]).sort())]));
    return { serverName: peer.serverName, events, states };
  } finally {
    database.close();
  }
}

function stored(eventId: string, verdict: StoredVerdict, softFailed: boolean, json: string): [string, StoredEvent] {
  const pdu = JSON.parse(json) as Pdu;
  return [eventId, { eventId, verdict, softFailed, pdu, prev: prevEventIds(pdu) }];
}

function eventsOfMyelin(database: Sqlite.Database, roomId: string): Map<string, StoredEvent> {
  interface Row { event_id: string; json: Uint8Array; order_key: number | null; state_id: number | null; rejected: number; soft_failed: number }
  const rows = database.prepare<[string], Row>('SELECT event_id, json, order_key, state_id, rejected, soft_failed FROM events WHERE room_id = ?').all(roomId);
  const verdict = (row: Row): StoredVerdict => (row.rejected === 1 ? 'rejected' : row.state_id === null && row.order_key === null ? 'known' : 'accepted');
  return new Map(rows.map((row) => stored(row.event_id, verdict(row), row.soft_failed === 1, unpackText(row.json))));
}

async function statesOfMyelin(database: Sqlite.Database, roomId: string, at: readonly string[]): Promise<Map<string, string[]>> {
  const rows = database.prepare<string[], { event_id: string; state_id: number }>(`SELECT event_id, state_id FROM events WHERE state_id IS NOT NULL AND event_id IN (${at.map(() => '?').join()})`).all(...at);
  const states = await readStates(readerOf(database), roomId, rows.map((row) => row.state_id));
  return new Map(rows.map((row) => [row.event_id, states.get(row.state_id)!]));
}

function readerOf(database: Sqlite.Database): Reader {
  const all = <Row extends SqlRow>(sql: string, params: readonly SqlValue[]): Row[] => database.prepare<unknown[], Row>(sql).all(...params);
  return {
    query: async (sql, params = []) => all(sql, params),
    queryIn: async <Row extends SqlRow>(sql: string, params: readonly SqlValue[], values: readonly SqlValue[]) => expandIn(sql, params, values).flatMap((part) => all<Row>(part.sql, part.params)),
  };
}

function eventsOfSynapse(database: Sqlite.Database, roomId: string): Map<string, StoredEvent> {
  interface Row { event_id: string; json: string; internal_metadata: string; outlier: number; rejected: number }
  const rows = database.prepare<[string], Row>(
    `SELECT e.event_id, j.json, j.internal_metadata, e.outlier, r.event_id IS NOT NULL AS rejected
     FROM events e JOIN event_json j ON j.event_id = e.event_id LEFT JOIN rejections r ON r.event_id = e.event_id WHERE e.room_id = ?`).all(roomId);
  const verdict = (row: Row): StoredVerdict => (row.rejected === 1 ? 'rejected' : row.outlier === 1 ? 'known' : 'accepted');
  return new Map(rows.map((row) => stored(row.event_id, verdict(row), (JSON.parse(row.internal_metadata) as { soft_failed?: boolean }).soft_failed === true, row.json)));
}

/** A group of state is what the groups before it say, and what it says itself. */
function statesOfSynapse(database: Sqlite.Database, at: readonly string[]): Map<string, string[]> {
  const groups = database.prepare<string[], { event_id: string; state_group: number }>(`SELECT event_id, state_group FROM event_to_state_groups WHERE event_id IN (${at.map(() => '?').join()})`).all(...at);
  const way = database.prepare<[number], { type: string; state_key: string; event_id: string }>(
    `WITH RECURSIVE way (state_group, steps) AS (
       SELECT ?, 0 UNION ALL SELECT e.prev_state_group, way.steps + 1 FROM way JOIN state_group_edges e ON e.state_group = way.state_group)
     SELECT s.type, s.state_key, s.event_id FROM way JOIN state_groups_state s ON s.state_group = way.state_group ORDER BY way.steps DESC`);
  return new Map(groups.map(({ event_id: eventId, state_group: group }) => [eventId, [...new Map(way.all(group).map((row) => [`${row.type} ${row.state_key}`, row.event_id])).values()]]));
}
