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
  /** Resolves when everything committed has been relayed, or after `boundMs`. */
  settled(boundMs: number): Promise<void>;
  health(): string | undefined;
}

/** What is held in memory per partition before the relay falls back to reading the outbox. */
const MEMORY_BYTES_MAX = 1024 * 1024;
const APPEND_RECORDS_MAX = 200;
const APPEND_BYTES_MAX = 256 * 1024;
const RETRY_DELAY_MS_MAX = 2000;

interface Outgoing {
  relayed: number;
  head: number;
  memory: OutputEnvelope[];
  memoryBytes: number;
  draining: boolean;
  owned: boolean;
}

export interface RelayOptions {
  readonly log: OutputLogName;
  readonly outbox: OutboxReader;
  readonly driver: LogDriver;
  readonly runtime: Runtime;
}

export function createRelay(options: RelayOptions): Relay {
  return new OutboxRelay(options);
}

class OutboxRelay implements Relay {
  readonly #options: RelayOptions;
  readonly #partitions = new Map<number, Outgoing>();
  #failing: string | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  own(partition: number, relayed: number, head: number): void {
    const old = this.#partitions.get(partition);
    if (old !== undefined) old.owned = false;
    const state: Outgoing = { relayed, head, memory: [], memoryBytes: 0, draining: false, owned: true };
    this.#partitions.set(partition, state);
    this.#start(partition, state);
  }

  push(partition: number, envelopes: readonly OutputEnvelope[]): void {
    const state = this.#partitions.get(partition);
    if (state === undefined || envelopes.length === 0) return;
    state.head = envelopes.at(-1)!.sequence;
    const bytes = sizeOf(envelopes);
    if (state.memory.length > 0 && state.memoryBytes + bytes > MEMORY_BYTES_MAX) this.#forgetMemory(state, state.memory.length);
    state.memory.push(...envelopes);
    state.memoryBytes += bytes;
    this.#start(partition, state);
  }

  disown(partition: number): void {
    const state = this.#partitions.get(partition);
    if (state === undefined) return;
    state.owned = false;
    this.#partitions.delete(partition);
  }

  relayed(partition: number): number {
    return this.#partitions.get(partition)?.relayed ?? 0;
  }

  async settled(boundMs: number): Promise<void> {
    const behind = () => [...this.#partitions.values()].some((state) => state.relayed < state.head);
    for (let waited = 0; behind() && waited < boundMs; waited += 10) await this.#options.runtime.clock.sleep(10);
  }

  health(): string | undefined {
    return this.#failing;
  }

  #start(partition: number, state: Outgoing): void {
    if (state.draining || state.relayed >= state.head) return;
    state.draining = true;
    void this.#drain(partition, state);
  }

  async #drain(partition: number, state: Outgoing): Promise<void> {
    const { log, driver, runtime } = this.#options;
    let delayMs = 20;
    while (state.owned && state.relayed < state.head) {
      try {
        const batch = await this.#next(partition, state);
        // Nothing: trimmed away before it was relayed; its readers go by a snapshot.
        if (batch.length > 0) await driver.append(log, partition, batch.map((envelope) => envelopeCodec.encode(envelope)));
        state.relayed = Math.max(state.relayed, batch.at(-1)?.sequence ?? (state.memory[0]?.sequence ?? state.head + 1) - 1);
        delayMs = 20;
        this.#failing = undefined;
      } catch (error) {
        if (this.#failing === undefined) runtime.logger.warn({ log, partition, error }, 'records wait in the outbox: the log takes none');
        this.#failing = `${log} takes no records`;
        await runtime.clock.sleep(delayMs);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    }
    state.draining = false;
  }

  #forgetMemory(state: Outgoing, count: number): void {
    state.memoryBytes -= sizeOf(state.memory.splice(0, count));
  }

  /** The next records in order: from memory where they are there, else from the outbox. */
  async #next(partition: number, state: Outgoing): Promise<OutputEnvelope[]> {
    const passed = state.memory.findIndex((envelope) => envelope.sequence > state.relayed);
    this.#forgetMemory(state, passed < 0 ? state.memory.length : passed);
    const source = state.memory[0]?.sequence === state.relayed + 1
      ? state.memory.slice(0, APPEND_RECORDS_MAX)
      : (await this.#options.outbox.read(partition, state.relayed, APPEND_RECORDS_MAX)).envelopes;
    let bytes = 0;
    const count = source.findIndex((envelope) => (bytes += envelope.record.length) > APPEND_BYTES_MAX);
    return count < 0 ? source : source.slice(0, Math.max(1, count));
  }
}

function sizeOf(envelopes: readonly OutputEnvelope[]): number {
  return envelopes.reduce((bytes, { record }) => bytes + record.byteLength, 0);
}
