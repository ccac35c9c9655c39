/**
 * Runs a component's input log: takes what waits from every partition that this instance owns, lets the processor decide it in order, and commits effects,
 * positions, remembered inputs and output records of the whole batch in one transaction. Under load batches grow by themselves (group commit, `pace.ts`); at low
 * load nothing waits for a timer.
 *
 * Guarantees: in order per key; each accepted input has its effects exactly once, however often it is delivered and whoever dies between any two lines; an owner
 * that was replaced writes nothing (`positions.ts`); a failed or doubtful commit is followed by `forget` and a fresh look at the tables, and the batch is tried again.
 */
import type { InputHeader } from '../../schemas/log/room-input.ts';
import type { OutputEnvelope } from '../../schemas/log/envelope.ts';
import type { Runtime, Task, Timer } from '../runtime/runtime.ts';
import { StorageError, type Database } from '../storage/database.ts';
import { outcomesCodec } from './codec.ts';
import { saveDeadLetters } from './dead-letters.ts';
import { decideBatch, failureAnswer, rejectedOutcome, type BatchItem, type BatchPlan } from './input-batch.ts';
import { createIntake, type Intake, type Waiting } from './intake.ts';
import { emptyTally, inputMetrics, type InputMetrics } from './log-metrics.ts';
import { createLeaseKeeper, type Lease, type LeaseKeeper } from './leases.ts';
import type { InputLogName, LogDriver, OutputLogName, Pack, Subscription } from './log.ts';
import { outboxReader, writeOutbox } from './outbox.ts';
import { createPace, type Pace } from './pace.ts';
import { loadParking, saveParked, type Parking } from './parked-inputs.ts';
import { Fenced, readPositions, saveWithEffects, type Position } from './positions.ts';
import type { Processor } from './processor.ts';
import { createRelay, type Relay } from './relay.ts';
import { recallInputs, rememberInputs } from './remembered-inputs.ts';
import { createTrimmer, type Trimmer } from './trimmer.ts';
import { createAlternation, PUT_ASIDE, type Alternation } from './turns.ts';

export interface InputRunnerOptions<Input extends InputHeader, Effects> {
  /** Names the component in leases and positions, for example `roomserver`. */
  readonly consumer: string;
  readonly inputLog: InputLogName;
  readonly outputLog: OutputLogName;
  readonly processor: Processor<Input, Effects>;
  readonly database: Database;
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  readonly partitions: number;
  /** See `LeaseOptions.exclusive`. */
  readonly exclusive: boolean;
  /** How far each registered consumer of the output log is, by partition: the outbox is kept until all have passed. */
  readonly outputReaders?: readonly (() => Promise<readonly number[]>)[];
  readonly batchRecordsMax?: number;
}

export interface InputRunner {
  start(): Promise<void>;
  /** Takes no new inputs, finishes what waits, relays it, and gives the partitions back. */
  stop(): Promise<void>;
  health(): string | undefined;
  owned(): readonly number[];
  /** Of the lease of a partition; undefined: it is not this process's. */
  epochOf(partition: number): number | undefined;
}

interface Owned {
  readonly partition: number;
  readonly epoch: number;
  position: number;
  sequence: number;
  commits: number;
  subscription: Subscription | undefined;
  parking: Parking;
}

/** Of a partition, before its driver is held back. */
const WAITING_MAX = { records: 2000, bytes: 4 * 1024 * 1024 };
const BATCH_RECORDS_MAX = 500;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Inputs of a partition that wait in the table before nothing more is taken from the log; how many that were put aside are fetched at first. */
const ASIDE_MAX = 50_000;
const PACE_FIRST = 8;
const RETRY_DELAY_MS_MAX = 2000;
const DRAIN_MS_MAX = 5000;
const TIMER_MS_MAX = 2 ** 31;
const REFUSALS = {
  full: 'The disk of the server is full: nothing was saved, try again later',
  unavailable: 'The database of the server is not available: nothing was saved, try again later',
} as const;

/** Runs `options.processor` over its input log; see the head of this file. */
export function createInputRunner<Input extends InputHeader, Effects>(options: InputRunnerOptions<Input, Effects>): InputRunner {
  return new Runner(options);
}

class Runner<Input extends InputHeader, Effects> implements InputRunner {
  readonly #options: InputRunnerOptions<Input, Effects>;
  readonly #batchRecordsMax: number;
  readonly #owned = new Map<number, Owned>();
  readonly #intake: Intake = createIntake(WAITING_MAX);
  readonly #pace: Pace;
  readonly #relay: Relay;
  readonly #leases: LeaseKeeper;
  readonly #trimmer: Trimmer;
  readonly #metrics: InputMetrics;
  /** Ends with the batch under way; never rejects. */
  #processing: Promise<void> = Promise.resolve();
  #failing: string | undefined;
  #tasks: Task[] = [];
  #dueTimer: Timer | undefined;
  /** Whether a batch broke a rule of the database: its items are tried one by one, to find the culprit. */
  #oneByOne = false;
  #rounds = 0;
  /** By key: how many inputs that were put aside are fetched for a batch. */
  readonly #paces = new Map<string, number>();
  readonly #alternation: Alternation;

  constructor(options: InputRunnerOptions<Input, Effects>) {
    this.#options = options;
    this.#batchRecordsMax = options.batchRecordsMax ?? BATCH_RECORDS_MAX;
    const { consumer, database, driver, runtime } = options;
    this.#alternation = createAlternation(runtime.clock);
    this.#pace = createPace(runtime.clock, this.#intake);
    this.#metrics = inputMetrics(runtime, consumer);
    this.#relay = createRelay({ log: options.outputLog, outbox: outboxReader(database, options.outputLog, consumer), driver, runtime });
    this.#trimmer = createTrimmer(options);
    this.#leases = createLeaseKeeper({
      consumer, database, driver, runtime, partitions: options.partitions, exclusive: options.exclusive,
      acquired: (lease) => this.#own(lease),
      revoked: async (partition) => {
        try {
          await this.#disown(partition);
        } finally {
          // The batch under way still stands on what the processor remembers.
          await this.#processing;
          options.processor.forget(partition);
        }
      },
    });
  }

  async start(): Promise<void> {
    const { runtime, consumer } = this.#options;
    await this.#leases.start();
    this.#tasks = [
      runtime.tasks.spawn(`inputs ${consumer}`, (signal) => this.#run(signal)),
      runtime.tasks.spawn(`trim ${consumer}`, (signal) => this.#trimmer.run(signal)),
    ];
  }

  async stop(): Promise<void> {
    const { clock } = this.#options.runtime;
    await Promise.all([...this.#owned.values()].flatMap((state) => state.subscription?.close() ?? []));
    for (let turns = 0; this.#intake.size() > 0 && this.#failing === undefined && turns < 500; turns += 1) await clock.sleep(10);
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await this.#relay.settled(DRAIN_MS_MAX);
    this.#dueTimer?.cancel();
    await this.#leases.stop();
  }

  health(): string | undefined {
    return this.#failing ?? this.#relay.health() ?? this.#leases.health();
  }

  owned(): readonly number[] {
    return [...this.#owned.keys()];
  }

  epochOf(partition: number): number | undefined {
    return this.#owned.get(partition)?.epoch;
  }

  async #own(lease: Lease): Promise<void> {
    const { driver, inputLog, database, consumer } = this.#options;
    const { partition } = lease;
    const position = lease.transport === driver.transportId ? lease.position : 0;
    const parking = await loadParking(database, consumer, partition);
    const state: Owned = { partition, epoch: lease.epoch, position, sequence: lease.sequence, commits: lease.commits, subscription: undefined, parking };
    this.#owned.set(partition, state);
    this.#relay.own(partition, lease.relayed, lease.sequence);
    // A subscription that is slow to close must not reach into the partition's next time here.
    const deliver = (packs: readonly Pack[]): Promise<void> => (this.#owned.get(partition) === state ? this.#intake.add(partition, packs) : Promise.resolve());
    state.subscription = await driver.subscribe(inputLog, partition, position, deliver);
    this.#intake.nudge();
  }

  async #disown(partition: number): Promise<void> {
    const state = this.#owned.get(partition);
    if (state === undefined) return;
    this.#owned.delete(partition);
    this.#relay.disown(partition);
    this.#intake.drop(partition);
    await state.subscription?.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.runtime;
    let delayMs = 50;
    while (!signal.aborted) {
      await this.#waitForWork(signal);
      await this.#pace.wait(signal);
      const round = this.#processRound();
      this.#processing = round.then(() => undefined, () => undefined);
      try {
        await round;
        delayMs = 50;
        this.#failing = undefined;
      } catch (error) {
        if (error instanceof StorageError && error.kind !== 'conflict') this.#failing = `${this.#options.consumer} cannot write: ${error.message}`;
        await clock.sleep(delayMs, signal);
        delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX);
      }
    }
  }

  async #waitForWork(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options.runtime;
    const now = clock.now();
    let next = Infinity;
    for (const { parking } of this.#owned.values()) {
      if (parking.index.due(now).length > 0) return;
      next = Math.min(next, parking.index.nextDueMs() ?? Infinity);
    }
    this.#dueTimer?.cancel();
    this.#dueTimer = next < now + TIMER_MS_MAX ? clock.timer(next - now + 1, () => this.#intake.nudge()) : undefined;
    await this.#intake.ready(signal);
  }

  /** One batch from taking to answering. Rejects after it has put everything back in order for another try. */
  async #processRound(): Promise<void> {
    const isFull = [...this.#owned.values()].some(({ parking }) => parking.index.aside() >= ASIDE_MAX);
    const parked = await this.#parkedItems(this.#alternation.takesAside(!isFull && this.#intake.size() > 0));
    const waiting = (isFull ? [] : this.#intake.take({ records: this.#batchRecordsMax, bytes: BATCH_BYTES_MAX })).filter((one) => this.#owned.has(one.partition));
    const items: BatchItem<Input>[] = [
      ...parked.filter((one) => this.#owned.has(one.partition)),
      ...waiting.flatMap(({ partition, pack }) => pack.records.map((record) => ({ partition, offset: pack.offset, record }))),
    ];
    if (items.length === 0) return;
    try {
      if (this.#oneByOne) await this.#processOneByOne(items, waiting);
      else await this.#process(items, waiting);
      this.#oneByOne = false;
    } catch (error) {
      await this.#recover(items, waiting, error);
      throw error;
    }
  }

  async #parkedItems(takesAside: boolean): Promise<BatchItem<Input>[]> {
    this.#rounds += 1;
    const now = this.#options.runtime.clock.now();
    const items: BatchItem<Input>[] = [];
    for (const state of this.#owned.values()) {
      const due = state.parking.index.due(now);
      // Not always the same ones first: a batch has little time for those that are slow.
      const first = this.#rounds % Math.max(1, due.length);
      for (const key of [...due.slice(first), ...due.slice(0, first)]) {
        if (!takesAside && state.parking.index.isAside(key)) continue;
        const rows = await state.parking.rows(key, state.parking.index.isAside(key) ? this.#paces.get(key) ?? PACE_FIRST : this.#batchRecordsMax);
        items.push(...rows.map((row) => ({
          partition: state.partition, offset: state.position, record: row.record, parkedNumber: row.number, parkedKey: row.key, isAside: row.untilMs === PUT_ASIDE,
        })));
      }
    }
    return items;
  }

  /** The positions move when the last item is through; what is done twice by then is remembered. The item that breaks the rule alone is buried. */
  async #processOneByOne(items: readonly BatchItem<Input>[], waiting: readonly Waiting[]): Promise<void> {
    for (const item of items) {
      // Revoked meanwhile: its next owner goes on from the position.
      if (!this.#owned.has(item.partition)) continue;
      try {
        await this.#process([item], []);
      } catch (error) {
        if (!isBug(error)) throw error;
        this.#options.processor.forget(item.partition);
        const state = this.#owned.get(item.partition)!;
        const plan = buried<Input, Effects>(item, error);
        await this.#commit(plan, [this.#positionOf(state, [], state.sequence)]);
        this.#finish(plan);
        this.#metrics.batch(plan.tally, 0);
        await this.#lookAgain([item.partition]);
      }
    }
    await this.#process([], waiting.filter((one) => this.#owned.has(one.partition)));
  }

  async #process(items: readonly BatchItem<Input>[], waiting: readonly Waiting[]): Promise<void> {
    const { processor, runtime, consumer, database } = this.#options;
    const startedAt = runtime.clock.monotonic();
    // A partition may be revoked while the batch is under way: the lease is given back only after it, so its epoch still holds.
    const touched = [...new Set([...items, ...waiting].map((one) => one.partition))].map((partition) => this.#owned.get(partition)!);
    const partitions = new Map(touched.map((state) => [state.partition, { ...state, parked: state.parking.index }]));
    const plan = await decideBatch({ processor, runtime, consumer, partitions, areOthersAbout: this.#alternation.areOthersAbout(), recall: (ids) => recallInputs(database, consumer, ids) }, items);
    const positions = touched.map((state) => this.#positionOf(state, waiting, partitions.get(state.partition)!.sequence));
    await this.#commit(plan, positions);
    for (const [index, { position, sequence, commits }] of positions.entries()) Object.assign(touched[index]!, { position, sequence, commits: commits + 1 });
    this.#finish(plan);
    const tookAside = items.some(({ isAside }) => isAside === true);
    if (tookAside) this.#notePaces(items, plan);
    this.#pace.note(startedAt, items.length);
    this.#alternation.note({ tookAside, shares: plan.used.keys() });
    this.#metrics.batch(plan.tally, (runtime.clock.monotonic() - startedAt) / 1000);
  }

  /** How many that were put aside come the next time: about as many as there was time for. */
  #notePaces(items: readonly BatchItem<Input>[], plan: BatchPlan<Effects>): void {
    this.#paces.clear();
    const left = new Set(items.filter(({ isAside }) => isAside === true).map(({ parkedKey }) => parkedKey!));
    const { processor } = this.#options;
    for (const { input, parkedKey } of items) {
      if (input === undefined || parkedKey === undefined || !left.delete(parkedKey)) continue;
      const used = plan.used.get(processor.shareOf?.(input) ?? processor.keyOf(input));
      if (used !== undefined) this.#paces.set(parkedKey, Math.min(this.#batchRecordsMax, Math.max(2, Math.ceil(used.inputs * 1.5))));
    }
  }

  #positionOf(state: Owned, waiting: readonly Waiting[], sequence: number): Position {
    const { partition, epoch, commits } = state;
    let position = state.position;
    for (const one of waiting) if (one.partition === partition) position = Math.max(position, one.pack.offset + 1);
    return { partition, epoch, commits, sequence, transport: this.#options.driver.transportId, position, relayed: this.#relay.relayed(partition) };
  }

  async #commit(plan: BatchPlan<Effects>, positions: readonly Position[]): Promise<void> {
    const { consumer, database, processor, outputLog, runtime } = this.#options;
    const nowMs = runtime.clock.now();
    await database.transaction((tx) => saveWithEffects(tx, consumer, positions, () => Promise.all([
      writeOutbox(tx, outputLog, plan.outputs),
      rememberInputs(tx, consumer, nowMs, plan.remembered),
      saveParked(tx, consumer, plan.parked),
      saveDeadLetters(tx, consumer, nowMs, plan.deadLetters),
      plan.accepted.length > 0 ? processor.commit(tx, plan.accepted) : undefined,
    ])));
  }

  /** After the commit: everything here may be lost with the process, and is made good from the tables. */
  #finish(plan: BatchPlan<Effects>): void {
    const { processor, driver, runtime, consumer } = this.#options;
    try {
      processor.committed?.(plan.accepted);
    } catch (error) {
      runtime.logger.error({ consumer, error }, 'soft effects of a batch are lost');
    }
    for (const { partition, position: offset, error } of plan.deadLetters) runtime.logger.error({ consumer, partition, offset, error }, 'an input went to the dead letters');
    const fresh = new Map<number, OutputEnvelope[]>();
    for (const { partition, envelope } of plan.outputs) {
      const list = fresh.get(partition);
      if (list === undefined) fresh.set(partition, [envelope]);
      else list.push(envelope);
    }
    for (const [partition, envelopes] of fresh) {
      this.#relay.push(partition, envelopes);
      this.#trimmer.note(partition, envelopes.length);
    }
    for (const [replyTo, answers] of Map.groupBy(plan.answers, (answer) => answer.replyTo)) {
      driver.signal(replyTo, outcomesCodec.encode({ outcomes: answers.map(({ outcome }) => outcome) }));
    }
  }

  /** After a failed or doubtful commit: memory is forgotten, the tables say what is true, the batch goes back to the front. */
  async #recover(items: readonly BatchItem<Input>[], waiting: readonly Waiting[], error: unknown): Promise<void> {
    const { consumer, processor, runtime } = this.#options;
    const partitions = [...new Set(items.map((item) => item.partition))];
    for (const partition of partitions) processor.forget(partition);
    if (!(error instanceof Fenced)) runtime.logger.warn({ consumer, error }, 'a batch was not committed; it is tried again');
    if (isBug(error)) this.#oneByOne = true;
    await this.#lookAgain(partitions);
    const kind = error instanceof StorageError ? error.kind : undefined;
    const refused = kind === 'full' || kind === 'unavailable' ? waiting.filter((one) => one.pack.volatile === true) : [];
    for (const { partition, pack } of refused) for (const record of pack.records) this.#refuse(partition, record, REFUSALS[kind as keyof typeof REFUSALS]);
    this.#intake.putBack(waiting.filter((one) => this.#owned.has(one.partition) && !refused.includes(one)));
  }

  async #lookAgain(partitions: readonly number[]): Promise<void> {
    const { database, consumer, runtime } = this.#options;
    for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, RETRY_DELAY_MS_MAX)) {
      try {
        for (const row of await readPositions(database, consumer, partitions)) await this.#adopt(row);
        return;
      } catch (error) {
        this.#failing = `${consumer} cannot read its tables`;
        runtime.logger.warn({ consumer, error }, 'positions could not be read; trying again');
        await runtime.clock.sleep(delayMs);
      }
    }
  }

  /** Takes over what the tables say of a partition, or learns that it is another's. */
  async #adopt(row: Position): Promise<void> {
    const { database, consumer, driver } = this.#options;
    const state = this.#owned.get(row.partition);
    if (state === undefined) return;
    if (row.epoch !== state.epoch) {
      this.#leases.lost(row.partition);
      await this.#disown(row.partition);
      return;
    }
    state.parking = await loadParking(database, consumer, row.partition);
    if (row.transport === driver.transportId) state.position = Math.max(state.position, row.position);
    state.sequence = row.sequence;
    state.commits = row.commits;
    this.#relay.own(row.partition, row.relayed, row.sequence);
  }

  /** Tells the waiting caller of an input that was in memory only that it was not stored. */
  #refuse(partition: number, record: Uint8Array, error: string): void {
    try {
      const input = this.#options.processor.decode(record);
      const outcome = rejectedOutcome(input.inputId, partition, { status: 503, errcode: 'M_UNKNOWN', error });
      if (input.replyTo !== '') this.#options.driver.signal(input.replyTo, outcomesCodec.encode({ outcomes: [outcome] }));
    } catch {
      // Not a record at all: nobody waits for it.
    }
  }
}

/** Whether trying again cannot help: a rule of the database or our own code is broken. */
function isBug(error: unknown): boolean {
  return error instanceof StorageError ? error.kind === 'bug' : !(error instanceof Fenced);
}

function buried<Input extends InputHeader, Effects>(item: BatchItem<Input>, error: unknown): BatchPlan<Effects> {
  const parked = item.parkedNumber === undefined ? [] : [{ partition: item.partition, number: item.parkedNumber }];
  const deadLetters = [{ partition: item.partition, position: item.offset, reason: String(error), record: item.record, error }];
  return { accepted: [], outputs: [], remembered: [], parked, deadLetters, answers: failureAnswer(item), tally: { ...emptyTally(), dead: 1 }, used: new Map() };
}
