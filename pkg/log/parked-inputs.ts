/**
 * Inputs that wait: for an answer from another server, or for their room's next turn (`turns.ts`). They stand in a table, written in the transaction
 * that moves the position past them; later inputs of their key queue behind them. This index mirrors one partition's rows in memory.
 */
import type { Database, Transaction } from '../storage/database.ts';
import { PUT_ASIDE } from './turns.ts';

export interface ParkedRow {
  readonly number: number;
  readonly key: string;
  readonly untilMs: number;
  readonly record: Uint8Array;
}

export interface ParkedIndex {
  isParked(key: string): boolean;
  /** Whether the key's first input was put aside: what comes later is put aside behind it. */
  isAside(key: string): boolean;
  /** How many wait under the key, and in the partition; those that were put aside are not counted there, but here. */
  count(key: string): number;
  total(): number;
  aside(): number;
  /** Takes a place at the end of the key's queue. */
  add(key: string, untilMs: number): number;
  /** The numbers of the key's first inputs, in order. */
  first(key: string, limit: number): number[];
  /** Whether this input is the one that the key's queue waits for. */
  isFirst(key: string, number: number): boolean;
  /** The key's first input was decided again and waits on. */
  wait(key: string, number: number, untilMs: number): void;
  remove(key: string, number: number): void;
  /** Lets the key's inputs be decided again. */
  release(key: string): void;
  /** Keys that may be decided again: released, or their first input's time is over. */
  due(nowMs: number): readonly string[];
  /** When the next one is due by time; undefined when nothing is parked. */
  nextDueMs(): number | undefined;
}

const NOTHING: readonly string[] = [];

export interface Parking {
  readonly index: ParkedIndex;
  /** The rows of a key in order, to be decided again. */
  rows(key: string, limit: number): Promise<ParkedRow[]>;
}

export async function loadParking(database: Database, consumer: string, partition: number): Promise<Parking> {
  const known = await database.query<{ number: number; key: string; until_ms: number }>(
    'SELECT number, key, until_ms FROM parked_inputs WHERE consumer = ? AND partition = ? ORDER BY number', [consumer, partition]);
  const index = createIndex(known.map((row) => ({ number: row.number, key: row.key, untilMs: row.until_ms })));
  return {
    index,
    async rows(key, limit) {
      // By their numbers: there may be thousands of them.
      const rows = await database.queryIn<{ number: number; until_ms: number; record: Uint8Array }>(
        'SELECT number, until_ms, record FROM parked_inputs WHERE consumer = ? AND partition = ? AND number IN (??)', [consumer, partition], index.first(key, limit));
      return rows.sort((one, other) => one.number - other.number).map((row) => ({ number: row.number, key, untilMs: row.until_ms, record: row.record }));
    },
  };
}

function createIndex(known: readonly { number: number; key: string; untilMs: number }[]): ParkedIndex {
  const queues = new Map<string, { number: number; untilMs: number }[]>();
  const released = new Set<string>();
  let last = 0;
  let total = 0;
  let aside = 0;
  const count = (untilMs: number, change: 1 | -1): void => {
    if (untilMs === PUT_ASIDE) aside += change;
    else total += change;
  };
  const append = (key: string, number: number, untilMs: number): void => {
    count(untilMs, 1);
    const queue = queues.get(key);
    if (queue === undefined) queues.set(key, [{ number, untilMs }]);
    else queue.push({ number, untilMs });
    last = Math.max(last, number);
  };
  for (const row of known) append(row.key, row.number, row.untilMs);
  // What queued behind an input that is gone was about to go on.
  for (const [key, [first]] of queues) if (first!.untilMs === Number.MAX_SAFE_INTEGER) released.add(key);
  return {
    isParked: (key) => queues.has(key),
    isAside: (key) => queues.get(key)?.[0]?.untilMs === PUT_ASIDE,
    count: (key) => queues.get(key)?.length ?? 0,
    total: () => total,
    aside: () => aside,
    add(key, untilMs) {
      append(key, last + 1, untilMs);
      return last;
    },
    first: (key, limit) => (queues.get(key) ?? []).slice(0, limit).map(({ number }) => number),
    isFirst: (key, number) => queues.get(key)?.[0]?.number === number,
    wait(key, number, untilMs) {
      released.delete(key);
      const queue = queues.get(key) ?? [];
      const index = queue.findIndex((one) => one.number === number);
      if (index < 0) return;
      count(queue[index]!.untilMs, -1);
      count(untilMs, 1);
      queue[index] = { number, untilMs };
    },
    remove(key, number) {
      const queue = queues.get(key) ?? [];
      const index = queue.findIndex((one) => one.number === number);
      for (const { untilMs } of index < 0 ? [] : queue.splice(index, 1)) count(untilMs, -1);
      if (queue.length > 0) {
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
    // Asked of each partition in every round, and hardly ever is anything parked.
    due: (nowMs) => (queues.size === 0 ? NOTHING : [...queues].filter(([key, queue]) => released.has(key) || queue[0]!.untilMs <= nowMs).map(([key]) => key)),
    nextDueMs() {
      if (queues.size === 0) return undefined;
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
  for (const { partition, from, to } of goneRanges(changes)) await tx.run('DELETE FROM parked_inputs WHERE consumer = ? AND partition = ? AND number >= ? AND number <= ?', [consumer, partition, from, to]);
  const rows = changes.flatMap(({ partition, number, parked }) => (parked === undefined ? [] : [[consumer, partition, number, parked.key, parked.untilMs, parked.reason, parked.record]]));
  if (rows.length === 0) return;
  await tx.insertMany({
    into: 'parked_inputs',
    columns: ['consumer', 'partition', 'number', 'key', 'until_ms', 'reason', 'record'],
    rows,
    onConflict: 'ON CONFLICT (consumer, partition, number) DO UPDATE SET until_ms = excluded.until_ms, reason = excluded.reason',
  });
}

/** Queues are worked off in order, so that what is gone lies side by side. */
function goneRanges(changes: readonly ParkedChange[]): { partition: number; from: number; to: number }[] {
  const ranges: { partition: number; from: number; to: number }[] = [];
  const gone = changes.filter(({ parked }) => parked === undefined).sort((one, other) => one.partition - other.partition || one.number - other.number);
  for (const { partition, number } of gone) {
    const last = ranges.at(-1);
    if (last?.partition === partition && number <= last.to + 1) last.to = number;
    else ranges.push({ partition, from: number, to: number });
  }
  return ranges;
}
