/**
 * Applies an output log to a component's tables. Records carry dense sequence numbers: what was applied before is dropped, a gap (a lost append, an owner that died before
 * its relay) is repaired from the producer's outbox, and what an outbox no longer keeps is made again from the producer's tables (`snapshot`). Effects and position commit
 * together under the lease's epoch. After the commit `applied` signals go out: who waits for the read model is woken by them.
 */
import type { Applied, OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Runtime, Task } from '../runtime/runtime.ts';
import { StorageError, type Database } from '../storage/database.ts';
import type { Applier, SequencedRecord } from './applier.ts';
import { appliedCodec, envelopeCodec } from './codec.ts';
import { saveDeadLetters, type DeadLetter } from './dead-letters.ts';
import { createIntake, type Intake, type Waiting } from './intake.ts';
import { createLeaseKeeper, type Lease, type LeaseKeeper } from './leases.ts';
import { outputMetrics, type OutputMetrics } from './log-metrics.ts';
import { PoisonRecord, type LogDriver, type OutputLogName, type Subscription } from './log.ts';
import type { OutboxReader } from './outbox-reader.ts';
import { Fenced, readPositions, savePositions, type Position } from './positions.ts';

export interface OutputConsumerOptions<Output> {
  /** Names the component; leases and positions stand under `<consumer>.<log>`. */
  readonly consumer: string;
  readonly log: OutputLogName;
  readonly applier: Applier<Output>;
  readonly database: Database;
  readonly driver: LogDriver;
  readonly outbox: OutboxReader;
  /**
   * Output records made again from the producer's tables, in order, with sequence > `after`: for what the outbox no longer keeps. What was overwritten
   * since (a receipt, account data) is left out, so there are gaps in their sequence numbers.
   */
  readonly snapshot?: (partition: number, after: number, limit: number) => Promise<OutputEnvelope[]>;
  readonly runtime: Runtime;
  readonly partitions: number;
  readonly exclusive: boolean;
  /** Told of every advance, in this process and before the signal: a short cut for the waits here. */
  readonly onApplied?: (applied: Applied) => void;
  readonly batchRecordsMax?: number;
}

export interface OutputConsumer {
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
  owned(): readonly number[];
}

/** Signal channel on which a consumer tells how far it is. */
export function appliedChannel(consumer: string): string {
  return `applied.${consumer}`;
}

/** Name of a consumer's leases and positions for one output log. */
export function outputConsumerName(consumer: string, log: OutputLogName): string {
  return `${consumer}.${log}`;
}

interface Owned {
  readonly partition: number;
  readonly epoch: number;
  position: number;
  /** Newest applied sequence. */
  sequence: number;
  /** The outbox may hold more than was delivered. */
  behind: boolean;
  subscription: Subscription | undefined;
}

interface Batch<Output> {
  readonly records: SequencedRecord<Output>[];
  readonly deadLetters: DeadLetter[];
  readonly positions: Position[];
}

const WAITING_RECORDS_MAX = 2000;
const BATCH_RECORDS_MAX = 500;
const RETRY_DELAY_MS_MAX = 2000;
const PROBE_EVERY_MS = 2000;
const SIGNAL_KEYS_MAX = 200;

/** Applies `options.log` with `options.applier`; see the head of this file. */
export function createOutputConsumer<Output>(options: OutputConsumerOptions<Output>): OutputConsumer {
  return new Consumer(options);
}

class Consumer<Output> implements OutputConsumer {
  readonly #options: OutputConsumerOptions<Output>;
  readonly #name: string;
  readonly #batchRecordsMax: number;
  readonly #owned = new Map<number, Owned>();
  readonly #intake: Intake = createIntake(WAITING_RECORDS_MAX);
  readonly #leases: LeaseKeeper;
  readonly #metrics: OutputMetrics;
  #processing: Promise<void> = Promise.resolve();
  #failing: string | undefined;
  #tasks: Task[] = [];

  constructor(options: OutputConsumerOptions<Output>) {
    this.#options = options;
    this.#name = outputConsumerName(options.consumer, options.log);
    this.#batchRecordsMax = options.batchRecordsMax ?? BATCH_RECORDS_MAX;
    const { database, runtime, partitions, exclusive } = options;
    this.#metrics = outputMetrics(runtime, this.#name);
    this.#leases = createLeaseKeeper({
      consumer: this.#name, database, runtime, partitions, exclusive,
      acquired: (lease) => this.#own(lease),
      revoked: async (partition) => {
        await this.#disown(partition);
        await this.#processing;
        options.applier.forget?.(partition);
      },
    });
  }

  async start(): Promise<void> {
    const { runtime } = this.#options;
    await this.#leases.start();
    this.#tasks = [
      runtime.tasks.spawn(`apply ${this.#name}`, (signal) => this.#run(signal)),
      runtime.tasks.spawn(`probe ${this.#name}`, (signal) => this.#probe(signal)),
    ];
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#owned.values()].flatMap((state) => state.subscription?.close() ?? []));
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await this.#leases.stop();
  }

  health(): string | undefined {
    return this.#failing ?? this.#leases.health();
  }

  owned(): readonly number[] {
    return [...this.#owned.keys()];
  }

  async #own(lease: Lease): Promise<void> {
    const { driver, log } = this.#options;
    const { partition, epoch, sequence } = lease;
    const position = lease.transport === driver.transportId ? lease.position : await driver.head(log, partition);
    const state: Owned = { partition, epoch, position, sequence, behind: true, subscription: undefined };
    this.#owned.set(partition, state);
    state.subscription = await driver.subscribe(log, partition, position, (packs) => this.#intake.add(partition, packs));
    this.#intake.nudge();
  }

  async #disown(partition: number): Promise<void> {
    const state = this.#owned.get(partition);
    if (state === undefined) return;
    this.#owned.delete(partition);
    this.#intake.drop(partition);
    await state.subscription?.close();
    this.#intake.drop(partition);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.runtime;
    let delayMs = 50;
    while (!signal.aborted) {
      if (![...this.#owned.values()].some((state) => state.behind)) await this.#intake.ready(signal);
      await clock.yield();
      if (signal.aborted) return;
      const round = this.#processRound();
      this.#processing = round.then(() => undefined, () => undefined);
      try {
        await round;
        delayMs = 50;
        this.#failing = undefined;
      } catch (error) {
        if (!(error instanceof Fenced)) this.#failing = `${this.#name} does not advance: ${error instanceof Error ? error.message : String(error)}`;
        await clock.sleep(delayMs, signal);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    }
  }

  async #processRound(): Promise<void> {
    const waiting = this.#intake.take(this.#batchRecordsMax).filter((one) => this.#owned.has(one.partition));
    const states = new Set(waiting.map((one) => this.#owned.get(one.partition)!));
    for (const state of this.#owned.values()) if (state.behind) states.add(state);
    try {
      const batch: Batch<Output> = { records: [], deadLetters: [], positions: [] };
      for (const state of states) await this.#collect(batch, state, waiting.filter((one) => one.partition === state.partition));
      if (batch.positions.length > 0) await this.#apply(batch);
    } catch (error) {
      await this.#recover([...states].map((state) => state.partition), waiting, error);
      throw error;
    }
  }

  /** Adds a partition's next records to the batch: delivered ones in sequence, what is missing between them from the outbox. */
  async #collect(batch: Batch<Output>, state: Owned, waiting: readonly Waiting[]): Promise<void> {
    const { partition, epoch } = state;
    let sequence = state.sequence;
    let { position } = state;
    const take = (envelope: OutputEnvelope): void => {
      sequence = envelope.sequence;
      this.#decode(batch, partition, envelope);
    };
    const catchUp = async (): Promise<number> => {
      const { envelopes, reaches } = await this.#missed(partition, sequence);
      envelopes.forEach(take);
      sequence = Math.max(sequence, reaches);
      return envelopes.length;
    };
    // A full answer may not be all: the next round asks again.
    if (state.behind) state.behind = (await catchUp()) >= this.#batchRecordsMax;
    const repairGap = async (before: number): Promise<void> => {
      for (let from = sequence; sequence + 1 < before; from = sequence) {
        await catchUp();
        if (sequence === from) throw new Error(`records ${from + 1} to ${before - 1} of partition ${partition} are missing`);
      }
    };
    for (const { pack } of waiting) {
      for (const envelope of pack.records.map((record) => envelopeCodec.decode(record))) {
        if (envelope.sequence > sequence + 1) await repairGap(envelope.sequence);
        if (envelope.sequence === sequence + 1) take(envelope);
      }
      position = Math.max(position, pack.offset + 1);
    }
    if (sequence === state.sequence && position === state.position) return;
    batch.positions.push({ partition, epoch, transport: this.#options.driver.transportId, position, sequence, relayed: 0 });
  }

  #decode(batch: Batch<Output>, partition: number, envelope: OutputEnvelope): void {
    try {
      batch.records.push({ partition, sequence: envelope.sequence, output: this.#options.applier.decode(envelope.record) });
    } catch (error) {
      if (!(error instanceof PoisonRecord)) throw error;
      this.#options.runtime.logger.error({ consumer: this.#name, partition, sequence: envelope.sequence, error }, 'a record went to the dead letters');
      batch.deadLetters.push({ partition, position: envelope.sequence, reason: error.message, record: envelope.record });
    }
  }

  /** What comes after `after`, from the outbox or, where it was trimmed, from a snapshot. `reaches`: up to here nothing else is to come. */
  async #missed(partition: number, after: number): Promise<{ envelopes: OutputEnvelope[]; reaches: number }> {
    const limit = this.#batchRecordsMax;
    const { envelopes, trimmedTo } = await this.#options.outbox.read(partition, after, limit);
    if (trimmedTo <= after) return { envelopes, reaches: after };
    if (this.#options.snapshot === undefined) throw new Error(`records after ${after} of partition ${partition} are no longer kept: the read model must be rebuilt`);
    const remade = (await this.#options.snapshot(partition, after, limit)).filter((envelope) => envelope.sequence <= trimmedTo);
    return { envelopes: remade, reaches: remade.length < limit ? trimmedTo : after };
  }

  async #apply(batch: Batch<Output>): Promise<void> {
    const { applier, database, runtime, log } = this.#options;
    const startedAt = runtime.clock.monotonic();
    await applier.load?.(batch.records);
    const changed = await database.transaction(async (tx) => {
      await savePositions(tx, this.#name, batch.positions);
      await saveDeadLetters(tx, this.#name, runtime.clock.now(), batch.deadLetters);
      return applier.apply(tx, batch.records);
    });
    applier.committed?.(batch.records);
    this.#metrics.applied(batch.records.length, batch.deadLetters.length, (runtime.clock.monotonic() - startedAt) / 1000);
    for (const { partition, sequence, output } of batch.records) {
      runtime.logger.debug({ consumer: this.#name, traceId: applier.traceOf?.(output), partition, sequence }, 'record applied');
    }
    for (const { partition, position, sequence } of batch.positions) {
      const state = this.#owned.get(partition);
      if (state !== undefined) Object.assign(state, { position, sequence });
      // Each signal names all that changed in the batch: it is only a hint whom to wake.
      this.#tell({ log, partition, sequence, ...changed });
    }
  }

  #tell(applied: Applied): void {
    this.#options.onApplied?.(applied);
    // Too many to name: an empty list means anybody.
    const rooms = applied.rooms.length > SIGNAL_KEYS_MAX ? [] : applied.rooms;
    const users = applied.users.length > SIGNAL_KEYS_MAX ? [] : applied.users;
    this.#options.driver.signal(appliedChannel(this.#options.consumer), appliedCodec.encode({ ...applied, rooms, users }));
  }

  async #recover(partitions: readonly number[], waiting: readonly Waiting[], error: unknown): Promise<void> {
    const { applier, database, runtime } = this.#options;
    for (const partition of partitions) applier.forget?.(partition);
    if (!(error instanceof Fenced)) {
      const level = error instanceof StorageError && error.kind !== 'bug' ? 'warn' : 'error';
      runtime.logger[level]({ consumer: this.#name, error }, 'records were not applied; they are tried again');
    }
    for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        for (const row of await readPositions(database, this.#name, partitions)) await this.#adopt(row);
        break;
      } catch (cause) {
        this.#failing = `${this.#name} cannot read its tables`;
        runtime.logger.warn({ consumer: this.#name, error: cause }, 'positions could not be read; trying again');
        await runtime.clock.sleep(delayMs);
      }
    }
    this.#intake.putBack(waiting.filter((one) => this.#owned.has(one.partition)));
  }

  async #adopt(row: Position): Promise<void> {
    const state = this.#owned.get(row.partition);
    if (state === undefined) return;
    if (row.epoch !== state.epoch) {
      this.#leases.lost(row.partition);
      await this.#disown(row.partition);
      return;
    }
    state.sequence = row.sequence;
    if (row.transport === this.#options.driver.transportId) state.position = Math.max(state.position, row.position);
  }

  /** The end of a log may be lost without a later record that shows the gap: a look at the producer's newest sequence numbers finds it. */
  async #probe(signal: AbortSignal): Promise<void> {
    const { runtime, outbox } = this.#options;
    let before: readonly number[] = [];
    while (!signal.aborted) {
      await runtime.clock.sleep(PROBE_EVERY_MS, signal);
      if (signal.aborted) return;
      try {
        // Behind for a whole round: not just under way.
        const late = [...this.#owned.values()].filter((state) => (before[state.partition] ?? 0) > state.sequence);
        for (const state of late) state.behind = true;
        before = await outbox.heads();
        this.#metrics.lag([...this.#owned.values()].reduce((sum, state) => sum + Math.max(0, (before[state.partition] ?? 0) - state.sequence), 0));
        this.#intake.nudge();
      } catch (error) {
        runtime.logger.warn({ consumer: this.#name, error }, 'the producer could not be asked how far it is');
      }
    }
  }
}
