/** Where the room's history ends that is known here: events that others follow, and that have no place here. */
import { createHash } from 'node:crypto';
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { isStorable } from '../query/stored-event.ts';

/** Part of the end: what hangs below one place of the timeline. */
export interface Frontier {
  /** Events that are not here, the deepest first. */
  readonly eventIds: readonly string[];
  /** Those that follow them. */
  readonly followers: readonly string[];
  /** Sequence number of the record of the live event under which all this lies: who reads the room from there on may read it. */
  readonly historyAt: number;
  /** History visibility as it was after them, as far as that is known. */
  readonly visibility: string;
  /** How often they were asked for in vain, all together. */
  readonly tries: number;
}

interface EdgeSql extends SqlRow {
  prev_event_id: string; event_id: string; history_at: number; visibility: string; tries: number;
}

/** Events that are asked for at once. */
const ASKED_MAX = 20;
/** What the servers of the room did not give so often is not asked for any more. */
const TRIES_MAX = 10;

/** From the one that shows least to the one that shows most. */
const VISIBILITIES = ['joined', 'invited', 'shared', 'world_readable'];

/** The part of the end that lies below the newest events; undefined: all of the room's history is here, or what is not cannot be had. What was purged is not asked for. */
export async function readFrontier(reader: Reader, roomId: string): Promise<Frontier | undefined> {
  if (!isStorable(roomId)) return undefined;
  const rows = await reader.query<EdgeSql>(
    `SELECT h.prev_event_id, h.event_id, h.history_at, h.visibility, h.tries FROM history_edges h
     WHERE h.room_id = ? AND h.tries < ? AND h.depth > COALESCE((SELECT p.depth FROM purges p WHERE p.room_id = h.room_id), -1)
       AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = h.prev_event_id AND (e.state_id IS NOT NULL OR e.order_key IS NOT NULL))
     ORDER BY h.history_at DESC, h.depth DESC, h.prev_event_id LIMIT ?`, [roomId, TRIES_MAX, ASKED_MAX]);
  const [newest] = rows;
  if (newest === undefined) return undefined;
  const edges = rows.filter((row) => row.history_at === newest.history_at);
  return {
    eventIds: [...new Set(edges.map((row) => row.prev_event_id))], followers: [...new Set(edges.map((row) => row.event_id))], historyAt: newest.history_at,
    visibility: VISIBILITIES[Math.min(...edges.map((row) => Math.max(0, VISIBILITIES.indexOf(row.visibility))))]!, tries: edges.reduce((sum, row) => sum + row.tries, 0),
  };
}

/** See `RoomHistoryQuery.historyEnd`. */
export async function historyEnd(reader: Reader, roomId: string): Promise<string | undefined> {
  const frontier = await readFrontier(reader, roomId);
  return frontier && createHash('sha256').update(JSON.stringify([frontier.historyAt, frontier.tries, ...frontier.eventIds])).digest('base64url');
}
