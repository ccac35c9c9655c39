/**
 * One partition in memory: a window of packs [floor, next) in offset order, and readers that each have their own place in it. What lies below
 * the window is in the table (input logs) or in the producer's outbox (output logs). A pack leaves the window when all present readers have passed it.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import { sizeOf } from '../delivery.ts';
import { createGate } from '../gate.ts';
import { LogUnavailable, type Pack, type Subscription } from '../log.ts';

const BATCH_PACKS_MAX = 512;
const BATCH_BYTES_MAX = 1024 * 1024;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5000;

export interface Slot extends Pack {
  readonly bytes: number;
  /** False while its transaction is under way: readers stop before it. */
  ready: boolean;
}

export interface LaneOptions {
  readonly name: string;
  readonly runtime: Runtime;
  readonly next: number;
  readonly bytesMax: number;
  readonly packsMax: number;
  /**
   * `refuse`: a full window rejects appends (input logs). `drop`: the oldest packs leave it, readers that still needed them go on behind the gap (output
   * logs, whose readers repair gaps from the outbox), and without readers nothing is kept.
   */
  readonly whenFull: 'refuse' | 'drop';
  /** Packs below the window; empty when there are none. */
  readonly readBelow?: (from: number, below: number) => Promise<Pack[]>;
}

export interface Lane {
  /** Gives the records the next offset. Throws `LogUnavailable` when the window is full. */
  put(records: readonly Uint8Array[], how: { ready: boolean; volatile: boolean }): Slot;
  /** The slot's transaction has ended. */
  settle(slot: Slot, stored: boolean): void;
  subscribe(from: number, deliver: (packs: readonly Pack[]) => Promise<void>): Subscription;
  /** The offset that the next record gets. */
  next(): number;
}

interface Reader {
  cursor: number;
  closed: boolean;
}

export function createLane(options: LaneOptions): Lane {
  const { runtime } = options;
  const readers = new Set<Reader>();
  const changed = createGate();
  let slots: Slot[] = [];
  let next = options.next;
  let floor = options.next;
  let bytes = 0;

  function dropBelow(offset: number): void {
    let count = 0;
    while (count < slots.length && slots[count]!.ready && slots[count]!.offset < offset) {
      bytes -= slots[count]!.bytes;
      count += 1;
    }
    if (count > 0) slots = slots.slice(count);
    floor = Math.max(floor, Math.min(offset, slots[0]?.offset ?? next));
  }

  function prune(): void {
    if (readers.size > 0) dropBelow(Math.min(...[...readers].map((reader) => reader.cursor)));
    else if (options.whenFull === 'drop') dropBelow(next);
  }

  function makeRoom(size: number): void {
    const full = (): boolean => slots.length > 0 && (slots.length >= options.packsMax || bytes + size > options.bytesMax);
    if (!full()) return;
    if (options.whenFull === 'refuse') throw new LogUnavailable(`${options.name} is full: its consumer does not keep up`);
    while (full()) dropBelow(slots[0]!.offset + 1);
  }

  function takeReady(cursor: number): Pack[] {
    const batch: Pack[] = [];
    let batchBytes = 0;
    for (const slot of slots) {
      if (slot.offset < cursor) continue;
      if (!slot.ready || batch.length >= BATCH_PACKS_MAX) break;
      if (batch.length > 0 && batchBytes + slot.bytes > BATCH_BYTES_MAX) break;
      batch.push(slot);
      batchBytes += slot.bytes;
    }
    return batch;
  }

  /** Undefined: the reader has caught up with the window. */
  async function readBelow(reader: Reader): Promise<readonly Pack[] | undefined> {
    const below = floor;
    const packs = options.readBelow ? await options.readBelow(reader.cursor, below) : [];
    if (packs.length > 0) return packs;
    reader.cursor = Math.max(reader.cursor, below);
    return undefined;
  }

  async function serve(reader: Reader, deliver: (packs: readonly Pack[]) => Promise<void>): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!reader.closed) {
      try {
        // Nothing is awaited between looking into the window and waiting for a change of it.
        const batch = reader.cursor < floor ? await readBelow(reader) : takeReady(reader.cursor);
        if (reader.closed) return;
        if (!batch) continue;
        if (batch.length === 0) {
          await changed.wait();
          continue;
        }
        await deliver(batch);
        retryMs = RETRY_MS_MIN;
        reader.cursor = Math.max(reader.cursor, batch[batch.length - 1]!.offset + 1);
        if (!reader.closed) prune();
      } catch (err) {
        runtime.logger.warn({ err, subscription: options.name }, 'delivery failed, will be repeated');
        await runtime.clock.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }

  return {
    put(records, { ready, volatile }) {
      const size = sizeOf(records);
      makeRoom(size);
      const slot: Slot = { offset: next, records, bytes: size, ready, volatile };
      next += 1;
      slots.push(slot);
      bytes += size;
      if (ready) {
        if (readers.size === 0) prune();
        changed.open();
      }
      return slot;
    },
    settle(slot, stored) {
      slot.ready = true;
      if (!stored) {
        slots = slots.filter((other) => other !== slot);
        bytes -= slot.bytes;
      }
      changed.open();
    },
    subscribe(from, deliver) {
      const reader: Reader = { cursor: from > next ? 0 : from, closed: false };
      readers.add(reader);
      prune();
      runtime.tasks.spawn(`deliver ${options.name}`, () => serve(reader, deliver));
      return {
        close: async () => {
          reader.closed = true;
          readers.delete(reader);
          prune();
          changed.open();
        },
      };
    },
    next: () => next,
  };
}
