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
  readonly deliver: (packs: readonly Pack[]) => Promise<void>;
}

export function createLane(options: LaneOptions): Lane {
  return new MemoryLane(options);
}

class MemoryLane implements Lane {
  readonly #options: LaneOptions;
  readonly #readers = new Set<Reader>();
  readonly #changed = createGate();
  #slots: Slot[] = [];
  #next: number;
  #floor: number;
  #bytes = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#next = options.next;
    this.#floor = options.next;
  }

  put(records: readonly Uint8Array[], { ready, volatile }: { ready: boolean; volatile: boolean }): Slot {
    const bytes = sizeOf(records);
    this.#makeRoom(bytes);
    const slot: Slot = { offset: this.#next, records, bytes, ready, volatile };
    this.#next += 1;
    this.#slots.push(slot);
    this.#bytes += bytes;
    if (ready) {
      if (this.#readers.size === 0) this.#prune();
      this.#changed.open();
    }
    return slot;
  }

  settle(slot: Slot, stored: boolean): void {
    slot.ready = true;
    if (!stored) {
      this.#slots = this.#slots.filter((other) => other !== slot);
      this.#bytes -= slot.bytes;
    }
    this.#changed.open();
  }

  subscribe(from: number, deliver: (packs: readonly Pack[]) => Promise<void>): Subscription {
    // Above everything ever given: a position of other data. It gets all that is kept.
    const reader: Reader = { cursor: from > this.#next ? 0 : from, closed: false, deliver };
    this.#readers.add(reader);
    this.#prune();
    this.#options.runtime.tasks.spawn(`deliver ${this.#options.name}`, () => this.#serve(reader));
    return {
      close: async () => {
        reader.closed = true;
        this.#readers.delete(reader);
        this.#prune();
        this.#changed.open();
      },
    };
  }

  next(): number {
    return this.#next;
  }

  async #serve(reader: Reader): Promise<void> {
    const { runtime, name } = this.#options;
    let retryMs = RETRY_MS_MIN;
    while (!reader.closed) {
      try {
        await this.#serveOnce(reader);
        retryMs = RETRY_MS_MIN;
      } catch (err) {
        runtime.logger.warn({ err, subscription: name }, 'delivery failed, will be repeated');
        await runtime.clock.sleep(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      }
    }
  }

  /** One delivery, or a wait for something to deliver. */
  async #serveOnce(reader: Reader): Promise<void> {
    // Nothing is awaited between looking into the window and waiting for a change of it.
    const batch = reader.cursor < this.#floor ? await this.#readBelow(reader) : this.#takeReady(reader.cursor);
    if (reader.closed || !batch) return;
    if (batch.length === 0) return this.#changed.wait();
    await reader.deliver(batch);
    reader.cursor = Math.max(reader.cursor, batch[batch.length - 1]!.offset + 1);
    if (!reader.closed) this.#prune();
  }

  /** Undefined: the reader has caught up with the window. */
  async #readBelow(reader: Reader): Promise<readonly Pack[] | undefined> {
    const below = this.#floor;
    const packs = this.#options.readBelow ? await this.#options.readBelow(reader.cursor, below) : [];
    if (packs.length > 0) return packs;
    reader.cursor = Math.max(reader.cursor, below);
    return undefined;
  }

  #takeReady(cursor: number): Pack[] {
    const batch: Pack[] = [];
    let bytes = 0;
    for (const slot of this.#slots) {
      if (slot.offset < cursor) continue;
      if (!slot.ready || batch.length >= BATCH_PACKS_MAX) break;
      if (batch.length > 0 && bytes + slot.bytes > BATCH_BYTES_MAX) break;
      batch.push(slot);
      bytes += slot.bytes;
    }
    return batch;
  }

  #makeRoom(size: number): void {
    const { packsMax, bytesMax, whenFull, name } = this.#options;
    const full = (): boolean => this.#slots.length > 0 && (this.#slots.length >= packsMax || this.#bytes + size > bytesMax);
    if (!full()) return;
    if (whenFull === 'refuse') throw new LogUnavailable(`${name} is full: its consumer does not keep up`);
    while (full()) this.#dropBelow(this.#slots[0]!.offset + 1);
  }

  #prune(): void {
    if (this.#readers.size > 0) this.#dropBelow(Math.min(...[...this.#readers].map((reader) => reader.cursor)));
    else if (this.#options.whenFull === 'drop') this.#dropBelow(this.#next);
  }

  #dropBelow(offset: number): void {
    let count = 0;
    while (count < this.#slots.length && this.#slots[count]!.ready && this.#slots[count]!.offset < offset) {
      this.#bytes -= this.#slots[count]!.bytes;
      count += 1;
    }
    if (count > 0) this.#slots.splice(0, count);
    this.#floor = Math.max(this.#floor, Math.min(offset, this.#slots[0]?.offset ?? this.#next));
  }
}
