/**
 * Inputs that wait: for an answer from another server, or for a long decision made in a worker. They stand in a table, written in the transaction
 * that moves the position past them; later inputs of their key queue behind them. This index mirrors one partition's rows in memory.
 */
import type { Database, Transaction } from '../storage/database.ts';

export interface ParkedRow {
  readonly number: number;
  readonly key: string;
  readonly untilMs: number;
  readonly record: Uint8Array;
}

export interface ParkedIndex {
  isParked(key: string): boolean;
  /** How many wait under the key, and in the partition. */
  count(key: string): number;
  total(): number;
  /** Takes a place at the end of the key's queue. */
  add(key: string, untilMs: number): number;
  /** Whether this input is the one that the key's queue waits for. */
  isFirst(key: string, number: number): boolean;
  /** The key's first input was decided again and waits on. */
  wait(key: string, number: number, untilMs: number): void;
  remove(key: string, number: number): void;
  /** Lets the key's inputs be decided again. */
  release(key: string): void;
  /** Keys that may be decided again: released, or their first input's time is over. */
  due(nowMs: number): string[];
  /** When the next one is due by time; undefined when nothing is parked. */
  nextDueMs(): number | undefined;
}

export interface Parking {
  readonly index: ParkedIndex;
  /** The rows of a key in order, to be decided again. */
  rows(key: string, limit: number): Promise<ParkedRow[]>;
}

export async function loadParking(database: Database, consumer: string, partition: number): Promise<Parking> {
  const known = await database.query<{ number: number; key: string; until_ms: number }>(
    'SELECT number, key, until_ms FROM parked_inputs WHERE consumer = ? AND partition = ? ORDER BY number', [consumer, partition]);
  return {
    index: createIndex(known.map((row) => ({ number: row.number, key: row.key, untilMs: row.until_ms }))),
    async rows(key, limit) {
      const rows = await database.query<{ number: number; until_ms: number; record: Uint8Array }>(
        'SELECT number, until_ms, record FROM parked_inputs WHERE consumer = ? AND partition = ? AND key = ? ORDER BY number LIMIT ?', [consumer, partition, key, limit]);
      return rows.map((row) => ({ number: row.number, key, untilMs: row.until_ms, record: row.record }));
    },
  };
}

function createIndex(known: readonly { number: number; key: string; untilMs: number }[]): ParkedIndex {
  const queues = new Map<string, { number: number; untilMs: number }[]>();
  const released = new Set<string>();
  let last = 0;
  let total = 0;
  const append = (key: string, number: number, untilMs: number): void => {
    total += 1;
    queues.set(key, [...(queues.get(key) ?? []), { number, untilMs }]);
    last = Math.max(last, number);
  };
  for (const row of known) append(row.key, row.number, row.untilMs);
  return {
    isParked: (key) => queues.has(key),
    count: (key) => queues.get(key)?.length ?? 0,
    total: () => total,
    add(key, untilMs) {
      append(key, last + 1, untilMs);
      return last;
    },
    isFirst: (key, number) => queues.get(key)?.[0]?.number === number,
    wait(key, number, untilMs) {
      released.delete(key);
      queues.set(key, (queues.get(key) ?? []).map((one) => (one.number === number ? { number, untilMs } : one)));
    },
    remove(key, number) {
      const queue = queues.get(key) ?? [];
      const left = queue.filter((one) => one.number !== number);
      total -= queue.length - left.length;
      if (left.length > 0) {
        queues.set(key, left);
        // What queued behind it may go on.
        released.add(key);
      } else {
        queues.delete(key);
        released.delete(key);
      }
    },
    release(key) {
      if (queues.has(key)) released.add(key);
    },
    due: (nowMs) => [...queues].filter(([key, queue]) => released.has(key) || queue[0]!.untilMs <= nowMs).map(([key]) => key),
    nextDueMs() {
      const times = [...queues.values()].map((queue) => queue[0]!.untilMs);
      return times.length > 0 ? Math.min(...times) : undefined;
    },
  };
}

export interface ParkedChange {
  readonly partition: number;
  readonly number: number;
  /** Absent: the row goes away. */
  readonly parked?: { readonly key: string; readonly untilMs: number; readonly reason: string; readonly record: Uint8Array };
}

export async function saveParked(tx: Transaction, consumer: string, changes: readonly ParkedChange[]): Promise<void> {
  for (const change of changes) {
    if (change.parked === undefined) {
      await tx.run('DELETE FROM parked_inputs WHERE consumer = ? AND partition = ? AND number = ?', [consumer, change.partition, change.number]);
      continue;
    }
    const { key, untilMs, reason, record } = change.parked;
    await tx.insertMany({
      into: 'parked_inputs',
      columns: ['consumer', 'partition', 'number', 'key', 'until_ms', 'reason', 'record'],
      rows: [[consumer, change.partition, change.number, key, untilMs, reason, record]],
      onConflict: 'ON CONFLICT (consumer, partition, number) DO UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason',
    });
  }
}
