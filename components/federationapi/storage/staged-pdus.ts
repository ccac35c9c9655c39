/** Events that cannot be checked or placed yet, because a server did not give what they need, in the tables. */
import type { Database, SqlRow } from '../../../pkg/storage/database.ts';

export interface StagedPdu {
  /** Server that sent it. */
  readonly origin: string;
  readonly roomId: string;
  readonly eventId: string;
  /** JSON as received; empty: it is to be fetched again (`keepForLater`). */
  readonly pdu: Uint8Array;
}

export interface DuePdu extends StagedPdu {
  /** How often it was tried again. */
  readonly attempts: number;
  readonly stagedAtMs: number;
}

interface StagedSql extends SqlRow {
  readonly origin: string;
  readonly room_id: string;
  readonly event_id: string;
  readonly pdu: Uint8Array;
  readonly attempts: number;
  readonly retry_at: number;
  readonly staged_at: number;
}

/** Keeps events of one server that are not there yet, up to `originMax` of it and `allMax` of all. The IDs of those that it kept, or had before. */
export async function stagePdus(database: Database, pdus: readonly StagedPdu[], limits: { nowMs: number; retryAtMs: number; originMax: number; allMax: number }): Promise<Set<string>> {
  const [first] = pdus;
  if (first === undefined) return new Set();
  return database.transaction(async (tx) => {
    const ids = pdus.map(({ eventId }) => eventId);
    const kept = new Set((await tx.queryIn<{ event_id: string }>('SELECT event_id FROM staged_pdus WHERE origin = ? AND event_id IN (??)', [first.origin], ids)).map((row) => row.event_id));
    const [counts] = await tx.query<{ everything: number; here: number }>('SELECT COUNT(*) AS everything, COUNT(CASE WHEN origin = ? THEN 1 END) AS here FROM staged_pdus', [first.origin]);
    const room = Math.max(0, Math.min(limits.originMax - counts!.here, limits.allMax - counts!.everything));
    const added = [...new Map(pdus.filter(({ eventId }) => !kept.has(eventId)).map((pdu) => [pdu.eventId, pdu])).values()].slice(0, room);
    await tx.insertMany({
      into: 'staged_pdus', columns: ['origin', 'event_id', 'room_id', 'pdu', 'attempts', 'retry_at', 'staged_at'], onConflict: 'ON CONFLICT (origin, event_id) DO NOTHING',
      rows: added.map(({ origin, roomId, eventId, pdu }) => [origin, eventId, roomId, pdu, 0, limits.retryAtMs, limits.nowMs]),
    });
    return new Set([...kept, ...added.map(({ eventId }) => eventId)]);
  });
}

/**
 * The events whose time has come, at most `limit`, the earliest first; each is put off to `retryAtMs(attempts)` before it is handed out, so that two processes do not try the same, and one
 * that dies while it tries loses nothing.
 */
export async function takeDuePdus(database: Database, due: { nowMs: number; limit: number; retryAtMs: (attempts: number) => number }): Promise<DuePdu[]> {
  const found = await database.query<{ event_id: string }>('SELECT event_id FROM staged_pdus WHERE retry_at <= ? ORDER BY retry_at LIMIT 1', [due.nowMs]);
  if (found.length === 0) return [];
  return database.transaction(async (tx) => {
    const rows = await tx.query<StagedSql>('SELECT origin, room_id, event_id, pdu, attempts, retry_at, staged_at FROM staged_pdus WHERE retry_at <= ? ORDER BY retry_at, staged_at LIMIT ?', [due.nowMs, due.limit]);
    const taken: DuePdu[] = [];
    for (const row of rows) {
      const { changes } = await tx.run('UPDATE staged_pdus SET attempts = attempts + 1, retry_at = ? WHERE origin = ? AND event_id = ? AND retry_at = ?', [due.retryAtMs(row.attempts), row.origin, row.event_id, row.retry_at]);
      if (changes > 0) taken.push({ origin: row.origin, roomId: row.room_id, eventId: row.event_id, pdu: row.pdu, attempts: row.attempts, stagedAtMs: row.staged_at });
    }
    return taken;
  });
}

export async function deleteStagedPdus(database: Database, pdus: readonly Pick<StagedPdu, 'origin' | 'eventId'>[]): Promise<void> {
  if (pdus.length === 0) return;
  await database.transaction(async (tx) => {
    for (const { origin, eventId } of pdus) await tx.run('DELETE FROM staged_pdus WHERE origin = ? AND event_id = ?', [origin, eventId]);
  });
}
