/**
 * The last step of a subscription in the broker drivers: a bounded buffer between the broker's reader and one `deliver` at a time. What
 * arrives while a delivery is under way goes out with the next one, so batches form by themselves and nothing waits for a timer.
 */
import type { Runtime } from '../runtime/runtime.ts';
import { createGate } from './gate.ts';
import type { Pack } from './log.ts';

/** A reader stops reading its partition while this much waits. */
export const BUFFER_BYTES_MAX = 2 * 1024 * 1024;
export const BUFFER_PACKS_MAX = 4096;
const BATCH_BYTES_MAX = 1024 * 1024;
const BATCH_PACKS_MAX = 512;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5000;

export interface Delivery {
  push(offset: number, records: readonly Uint8Array[]): void;
  full(): boolean;
  /** Resolves when there is room again, or after `close`. */
  whenRoom(): Promise<void>;
  /** No delivery starts after this; one under way is not waited for, because it may be the caller. */
  close(): void;
  closed(): boolean;
}

export interface DeliveryOptions {
  readonly name: string;
  readonly runtime: Runtime;
  readonly deliver: (packs: readonly Pack[]) => Promise<void>;
  /** Called each time a full buffer has room again. */
  readonly onRoom?: () => void;
}

interface Waiting {
  readonly pack: Pack;
  readonly bytes: number;
}

export function createDelivery(options: DeliveryOptions): Delivery {
  const { runtime } = options;
  const room = createGate();
  let queue: Waiting[] = [];
  let bytes = 0;
  let running = false;
  let closed = false;
  const full = (): boolean => bytes >= BUFFER_BYTES_MAX || queue.length >= BUFFER_PACKS_MAX;

  /** Until it succeeds or the subscription is closed: a delivery that throws is repeated, later ones wait. */
  async function deliverOnce(packs: readonly Pack[]): Promise<void> {
    for (let retryMs = RETRY_MS_MIN; !closed; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        return await options.deliver(packs);
      } catch (err) {
        runtime.logger.warn({ err, subscription: options.name }, 'delivery failed, will be repeated');
        await runtime.clock.sleep(retryMs);
      }
    }
  }

  async function pump(): Promise<void> {
    while (queue.length > 0 && !closed) {
      const batch = takeBatch(queue);
      await deliverOnce(batch.map(({ pack }) => pack));
      const wasFull = full();
      queue = queue.slice(batch.length);
      for (const waiting of batch) bytes -= waiting.bytes;
      if (wasFull && !full()) {
        room.open();
        options.onRoom?.();
      }
    }
    running = false;
  }

  return {
    push: (offset, records) => {
      if (closed) return;
      const size = sizeOf(records);
      queue.push({ pack: { offset, records }, bytes: size });
      bytes += size;
      if (running) return;
      running = true;
      void Promise.resolve().then(pump);
    },
    full,
    whenRoom: async () => {
      while (full() && !closed) await room.wait();
    },
    close: () => {
      closed = true;
      queue = [];
      bytes = 0;
      room.open();
    },
    closed: () => closed,
  };
}

/** What a pack costs in memory, roughly. */
export function sizeOf(records: readonly Uint8Array[]): number {
  let bytes = 64;
  for (const record of records) bytes += record.byteLength + 32;
  return bytes;
}

function takeBatch(queue: readonly Waiting[]): Waiting[] {
  const batch: Waiting[] = [];
  let bytes = 0;
  for (const waiting of queue) {
    if (batch.length > 0 && (bytes + waiting.bytes > BATCH_BYTES_MAX || batch.length >= BATCH_PACKS_MAX)) break;
    batch.push(waiting);
    bytes += waiting.bytes;
  }
  return batch;
}
