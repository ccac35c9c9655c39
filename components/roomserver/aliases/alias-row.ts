/** Rows of aliases, and when they count. */
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';

export interface AliasRow {
  readonly alias: string;
  readonly roomId: string;
  readonly creator: string;
  /** Wall-clock ms until which the room comes into being; 0: it was there. */
  readonly reservedUntilMs: number;
}

/** An alias with whether there is the room that it points to. */
export interface AliasFact extends AliasRow {
  readonly roomExists: boolean;
}

interface AliasSql extends SqlRow {
  alias: string; room_id: string; creator: string; reserved_until: number; known_room: string | null;
}

/** Rows of those of the aliases that have one, whether they count or not. */
export async function readAliases(reader: Reader, aliases: readonly string[]): Promise<AliasFact[]> {
  if (aliases.length === 0) return [];
  const rows = await reader.queryIn<AliasSql>(
    `SELECT a.alias, a.room_id, a.creator, a.reserved_until, r.room_id AS known_room FROM aliases a LEFT JOIN rooms r ON r.room_id = a.room_id WHERE a.alias IN (??)`, [], aliases);
  return rows.map((row) => ({ alias: row.alias, roomId: row.room_id, creator: row.creator, reservedUntilMs: row.reserved_until, roomExists: row.known_room !== null }));
}

/** Whether nobody else may have the alias: it points to a room, or one is being made for it. */
export function isTaken(row: AliasFact | undefined, nowMs: number): row is AliasFact {
  return row !== undefined && (row.roomExists || row.reservedUntilMs > nowMs);
}
