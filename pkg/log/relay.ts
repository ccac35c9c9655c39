/**
 * Carries an output log from the outbox to the driver, in sequence order, partition by partition. Only committed records come here, so whatever is relayed is
 * true, even by an owner that has just been replaced; a record may be relayed twice (consumers drop it), and never skipped by one owner.
 */
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { envelopeCodec } from './codec.ts';
import type { LogDriver, OutputLogName } from './log.ts';
import type { OutboxReader } from './outbox-reader.ts';

export interface Relay {
  /** Starts with what the outbox holds after `relayed`, up to `head`. */
  own(partition: number, relayed: number, head: number): void;
  /** Takes over records that were just committed. */
  push(partition: number, envelopes: readonly OutputEnvelope[]): void;
  disown(partition: number): void;
  /** Newest sequence that the driver has taken over. */
  relayed(partition: number): number;
  /** Resolves when everything committed has been relayed. */
  settled(): Promise<void>;
  health(): string | undefined;
}

/** Records held in memory per partition before the relay falls back to reading the outbox. */
const MEMORY_RECORDS_MAX = 2000;
const APPEND_RECORDS_MAX = 200;
const APPEND_BYTES_MAX = 256 * 1024;
const RETRY_DELAY_MS_MAX = 2000;

interface Outgoing {
  relayed: number;
  head: number;
  memory: OutputEnvelope[];
  draining: Promise<void> | undefined;
  owned: boolean;
}

export function createRelay(options: { log: OutputLogName; outbox: OutboxReader; driver: LogDriver; runtime: Runtime }): Relay {
  const { log, outbox, driver, runtime } = options;
  const partitions = new Map<number, Outgoing>();
  let failing: string | undefined;

  /** The next records in order: from memory where they are there, else from the outbox. */
  async function next(partition: number, state: Outgoing): Promise<OutputEnvelope[]> {
    while (state.memory.length > 0 && state.memory[0]!.sequence <= state.relayed) state.memory.shift();
    const source = state.memory[0]?.sequence === state.relayed + 1
      ? state.memory.slice(0, APPEND_RECORDS_MAX)
      : (await outbox.read(partition, state.relayed, APPEND_RECORDS_MAX)).envelopes;
    let bytes = 0;
    const count = source.findIndex((envelope) => (bytes += envelope.record.length) > APPEND_BYTES_MAX);
    return count < 0 ? source : source.slice(0, Math.max(1, count));
  }

  async function drain(partition: number, state: Outgoing): Promise<void> {
    let delayMs = 20;
    while (state.owned && state.relayed < state.head) {
      try {
        const batch = await next(partition, state);
        if (batch.length === 0) return;
        await driver.append(log, partition, batch.map((envelope) => envelopeCodec.encode(envelope)));
        state.relayed = Math.max(state.relayed, batch.at(-1)!.sequence);
        delayMs = 20;
        failing = undefined;
      } catch (error) {
        if (failing === undefined) runtime.logger.warn({ log, partition, error }, 'records wait in the outbox: the log takes none');
        failing = `${log} takes no records`;
        await runtime.clock.sleep(delayMs);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    }
  }

  function start(partition: number, state: Outgoing): void {
    if (state.draining !== undefined || state.relayed >= state.head) return;
    state.draining = drain(partition, state).finally(() => {
      state.draining = undefined;
      // What came between the last look and the end.
      if (state.owned && state.memory.length > 0) start(partition, state);
    });
  }

  return {
    own(partition, relayed, head) {
      const state: Outgoing = { relayed, head, memory: [], draining: undefined, owned: true };
      const old = partitions.get(partition);
      if (old !== undefined) old.owned = false;
      partitions.set(partition, state);
      start(partition, state);
    },
    push(partition, envelopes) {
      const state = partitions.get(partition);
      if (state === undefined || envelopes.length === 0) return;
      state.head = envelopes.at(-1)!.sequence;
      if (state.memory.length > MEMORY_RECORDS_MAX) state.memory = [];
      state.memory.push(...envelopes);
      start(partition, state);
    },
    disown(partition) {
      const state = partitions.get(partition);
      if (state === undefined) return;
      state.owned = false;
      partitions.delete(partition);
    },
    relayed: (partition) => partitions.get(partition)?.relayed ?? 0,
    async settled() {
      await Promise.all([...partitions.values()].map((state) => state.draining));
    },
    health: () => failing,
  };
}
