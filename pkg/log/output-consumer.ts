/**
 * Applies an output log to a component's tables. Records carry dense sequence numbers: what was applied before is dropped, a gap (a lost append, an owner that died before
 * its relay) is repaired from the producer's outbox, and what an outbox no longer keeps is made again from the producer's tables (`snapshot`). Effects and position commit
 * together under the lease's epoch. After the commit `applied` signals go out: who waits for the read model is woken by them.
 */
import type { Applied, OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Runtime, Task } from '../runtime/runtime.ts';
import { untilLook } from '../runtime/until-look.ts';
import { StorageError, type Database } from '../storage/database.ts';
import type { Applier } from './applier.ts';
import { appliedCodec } from './codec.ts';
import { saveDeadLetters } from './dead-letters.ts';
import { createIntake, type Intake, type Waiting } from './intake.ts';
import { createLeaseKeeper, type Lease, type LeaseKeeper } from './leases.ts';
import { outputMetrics, type OutputMetrics } from './log-metrics.ts';
import type { LogDriver, OutputLogName, Pack, Subscription } from './log.ts';
import type { OutboxReader } from './outbox-reader.ts';
import { collectRecords, type OutputBatch, type ReadingPartition } from './output-batch.ts';
import { createPace, type Pace } from './pace.ts';
import { Fenced, readPositions, savePositions, saveWithEffects, type Position } from './positions.ts';

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

interface Owned extends ReadingPartition {
  subscription: Subscription | undefined;
  /** Records without effects are through, and the tables do not say so yet. */
  unsaved: boolean;
  /** By the monotonic clock: nothing is tried before, because its next records broke a rule of the database or of our own code. */
  blockedUntilMs: number;
}

/** Of a partition, before its driver is held back. */
const WAITING_MAX = { records: 2000, bytes: 4 * 1024 * 1024 };
const BATCH_RECORDS_MAX = 500;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** What a partition that is behind gets of a batch at least, however many others are behind. */
const PAGE_RECORDS_MIN = 50;
const BLOCKED_MS = 2000;
const RETRY_DELAY_MS_MAX = 2000;
const PROBE_EVERY_MS = 2000;
/** How long records without effects may be through before the tables say so. */
const IDLE_SAVE_MS = 2000;
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
  readonly #intake: Intake = createIntake(WAITING_MAX);
  readonly #pace: Pace;
  readonly #leases: LeaseKeeper;
  readonly #metrics: OutputMetrics;
  #processing: Promise<void> = Promise.resolve();
  #failing: string | undefined;
  /** Whether a batch broke a rule: partitions are applied one by one, so that the one that does it holds up no other. */
  #apart = false;
  /** By the monotonic clock. */
  #idleSavedAt = 0;
  #tasks: Task[] = [];

  constructor(options: OutputConsumerOptions<Output>) {
    this.#options = options;
    this.#name = outputConsumerName(options.consumer, options.log);
    this.#batchRecordsMax = options.batchRecordsMax ?? BATCH_RECORDS_MAX;
    const { database, driver, runtime, partitions, exclusive } = options;
    this.#metrics = outputMetrics(runtime, this.#name);
    this.#pace = createPace(runtime.clock, this.#intake);
    this.#leases = createLeaseKeeper({
      consumer: this.#name, database, driver, runtime, partitions, exclusive,
      acquired: (lease) => this.#own(lease),
      revoked: async (partition) => {
        try {
          await this.#disown(partition);
        } finally {
          await this.#processing;
          options.applier.forget?.(partition);
        }
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
    // Otherwise the next owner only looks at some records again.
    await this.#saveIdle().catch(() => undefined);
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
    const { partition, epoch, sequence, commits } = lease;
    const position = lease.transport === driver.transportId ? lease.position : await driver.head(log, partition);
    const state: Owned = { partition, epoch, position, sequence, commits, behind: true, unsaved: false, blockedUntilMs: 0, subscription: undefined };
    this.#owned.set(partition, state);
    // A subscription that is slow to close must not reach into the partition's next time here.
    const deliver = (packs: readonly Pack[]): Promise<void> => (this.#owned.get(partition) === state ? this.#intake.add(partition, packs) : Promise.resolve());
    state.subscription = await driver.subscribe(log, partition, position, deliver);
    this.#intake.nudge();
  }

  async #disown(partition: number): Promise<void> {
    const state = this.#owned.get(partition);
    if (state === undefined) return;
    this.#owned.delete(partition);
    this.#intake.drop(partition);
    await state.subscription?.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.runtime;
    let delayMs = 50;
    while (!signal.aborted) {
      if (this.#behind().length === 0) await this.#intake.ready(signal);
      await this.#pace.wait(signal);
      if (signal.aborted) return;
      const round = this.#processRound();
      this.#processing = round.then(() => undefined, () => undefined);
      try {
        await round;
        delayMs = 50;
        if (![...this.#owned.values()].some((state) => state.blockedUntilMs > 0)) this.#failing = undefined;
      } catch (error) {
        if (!(error instanceof Fenced)) this.#failing = this.#sentence(error);
        await clock.sleep(delayMs, signal);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    }
  }

  #behind(): Owned[] {
    const now = this.#options.runtime.clock.monotonic();
    return [...this.#owned.values()].filter((state) => state.behind && state.blockedUntilMs <= now);
  }

  #sentence(error: unknown): string {
    return `${this.#name} does not advance: ${error instanceof Error ? error.message : String(error)}`;
  }

  async #processRound(): Promise<void> {
    const waiting = this.#intake.take({ records: this.#batchRecordsMax, bytes: BATCH_BYTES_MAX });
    const behind = this.#behind();
    const pageRecords = Math.max(Math.min(PAGE_RECORDS_MIN, this.#batchRecordsMax), Math.ceil(this.#batchRecordsMax / Math.max(1, behind.length)));
    const states = new Set(behind);
    // What comes for a blocked partition is let pass: it is behind, and the outbox has it.
    for (const { partition } of waiting) {
      const state = this.#owned.get(partition);
      if (state !== undefined && state.blockedUntilMs <= this.#options.runtime.clock.monotonic()) states.add(state);
    }
    const groups = this.#apart ? [...states].map((state) => [state]) : [[...states]];
    this.#apart = false;
    try {
      for (const group of groups) await this.#processTogether(group, waiting, pageRecords);
      if (this.#options.runtime.clock.monotonic() - this.#idleSavedAt >= IDLE_SAVE_MS) await this.#saveIdleOrRecover();
    } catch (error) {
      // Nothing is put back: it is read from the outbox.
      for (const state of states) state.behind = true;
      throw error;
    }
  }

  /** Applies what these partitions have in one transaction. Rejects when it may be tried again at once; what broke a rule is blocked or looked at apart. */
  async #processTogether(states: readonly Owned[], waiting: readonly Waiting[], pageRecords: number): Promise<void> {
    const { applier, runtime, driver, outbox, snapshot } = this.#options;
    const context = { name: this.#name, applier, runtime, transport: driver.transportId, outbox, snapshot };
    try {
      const batch: OutputBatch<Output> = { records: [], deadLetters: [], positions: [] };
      for (const state of states) {
        const packs = waiting.filter((one) => one.partition === state.partition).map((one) => one.pack);
        await collectRecords(context, batch, state, { packs, pageRecords });
      }
      if (batch.positions.length > 0) await this.#apply(batch);
      for (const state of states) state.blockedUntilMs = 0;
    } catch (error) {
      await this.#recover(states, error);
      if (!isBug(error)) throw error;
      const [only, ...others] = states;
      if (others.length > 0) this.#apart = true;
      else if (only !== undefined) {
        only.blockedUntilMs = runtime.clock.monotonic() + BLOCKED_MS;
        this.#failing = this.#sentence(error);
      }
    }
  }

  async #apply(batch: OutputBatch<Output>): Promise<void> {
    const { applier, database, runtime, log } = this.#options;
    const startedAt = runtime.clock.monotonic();
    await applier.load?.(batch.records);
    if (batch.deadLetters.length === 0 && applier.isIdle?.(batch.records) === true) {
      for (const { partition, position, sequence } of batch.positions) Object.assign(this.#owned.get(partition) ?? {}, { position, sequence, unsaved: true });
      this.#pace.note(startedAt, batch.records.length);
      this.#metrics.applied(batch.records.length, 0, (runtime.clock.monotonic() - startedAt) / 1000);
      return;
    }
    const changed = await database.transaction((tx) => saveWithEffects(tx, this.#name, batch.positions, async () => {
      await saveDeadLetters(tx, this.#name, runtime.clock.now(), batch.deadLetters);
      return applier.apply(tx, batch.records);
    }));
    this.#pace.note(startedAt, batch.records.length);
    applier.committed?.(batch.records);
    this.#metrics.applied(batch.records.length, batch.deadLetters.length, (runtime.clock.monotonic() - startedAt) / 1000);
    for (const { partition, sequence, output } of batch.records) {
      runtime.logger.debug({ consumer: this.#name, traceId: applier.traceOf?.(output), partition, sequence }, 'record applied');
    }
    const advances: Applied[] = [];
    for (const { partition, position, sequence, commits } of batch.positions) {
      const state = this.#owned.get(partition);
      // Revoked meanwhile: whoever listens takes it for a gap and wakes everybody.
      const after = state?.sequence ?? sequence;
      if (state !== undefined) Object.assign(state, { position, sequence, commits: commits + 1, unsaved: false });
      advances.push({ log, partition, sequence, after, ...changed });
    }
    this.#tell(advances);
  }

  /** Saves how far partitions are that had records without effects only. */
  async #saveIdle(): Promise<void> {
    const { database, driver, runtime } = this.#options;
    this.#idleSavedAt = runtime.clock.monotonic();
    const states = [...this.#owned.values()].filter((state) => state.unsaved);
    if (states.length === 0) return;
    const positions = states.map(({ partition, epoch, commits, position, sequence }) => ({ partition, epoch, commits, position, sequence, transport: driver.transportId, relayed: 0 }));
    await database.transaction((tx) => savePositions(tx, this.#name, positions));
    for (const state of states) Object.assign(state, { commits: state.commits + 1, unsaved: false });
  }

  async #saveIdleOrRecover(): Promise<void> {
    const states = [...this.#owned.values()].filter((state) => state.unsaved);
    await this.#saveIdle().catch(async (error: unknown) => {
      await this.#recover(states, error);
      throw error;
    });
  }

  /** What a batch has advanced: one signal of all its partitions, with all that changed in it, since it is only a hint whom to wake. */
  #tell(advances: readonly Applied[]): void {
    for (const applied of advances) this.#options.onApplied?.(applied);
    const [first, ...others] = advances;
    if (first === undefined) return;
    // Too many to name: an empty list means anybody.
    const rooms = first.rooms.length > SIGNAL_KEYS_MAX ? [] : first.rooms;
    const users = first.users.length > SIGNAL_KEYS_MAX ? [] : first.users;
    const more = others.map(({ partition, sequence, after }) => ({ partition, sequence, after }));
    this.#options.driver.signal(appliedChannel(this.#options.consumer), appliedCodec.encode({ ...first, rooms, users, more }));
  }

  /** After a failed or doubtful commit: memory is forgotten, the tables say what is true, and the outbox what comes next. */
  async #recover(states: readonly Owned[], error: unknown): Promise<void> {
    const { applier, database, runtime } = this.#options;
    const partitions = states.map((state) => state.partition);
    for (const state of states) {
      state.behind = true;
      applier.forget?.(state.partition);
    }
    if (!(error instanceof Fenced)) {
      const level = error instanceof StorageError && error.kind !== 'bug' ? 'warn' : 'error';
      runtime.logger[level]({ consumer: this.#name, error }, 'records were not applied; they are tried again');
    }
    for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        for (const row of await readPositions(database, this.#name, partitions)) await this.#adopt(row);
        return;
      } catch (cause) {
        this.#failing = `${this.#name} cannot read its tables`;
        runtime.logger.warn({ consumer: this.#name, error: cause }, 'positions could not be read; trying again');
        await runtime.clock.sleep(delayMs);
      }
    }
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
    state.commits = row.commits;
    state.unsaved = false;
    if (row.transport === this.#options.driver.transportId) state.position = Math.max(state.position, row.position);
  }

  /** The end of a log may be lost without a later record that shows the gap: a look at the producer's newest sequence numbers finds it. */
  async #probe(signal: AbortSignal): Promise<void> {
    const { runtime, outbox } = this.#options;
    let before: readonly number[] = [];
    while (!signal.aborted) {
      await runtime.clock.sleep(untilLook(runtime.clock, PROBE_EVERY_MS), signal);
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

/** Whether trying again at once cannot help: a rule of the database or our own code is broken, or records are missing. */
function isBug(error: unknown): boolean {
  return error instanceof StorageError ? error.kind === 'bug' : !(error instanceof Fenced);
}
