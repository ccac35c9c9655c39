/** Knows how far a shared read model is; the contract is in `applied.ts`. */
import type { Applied } from '../../schemas/log/envelope.ts';
import type { Runtime, Task } from '../runtime/runtime.ts';
import type { Database } from '../storage/database.ts';
import type { AppliedPositions } from './applied.ts';
import { appliedCodec } from './codec.ts';
import type { LogDriver, OutputLogName, Subscription } from './log.ts';
import { appliedChannel, outputConsumerName } from './output-consumer.ts';
import { readSequences } from './positions.ts';

export interface AppliedPositionsOptions {
  /** The read model's component, for example `syncapi`. */
  readonly consumer: string;
  readonly logs: readonly OutputLogName[];
  /** The read model's database. */
  readonly database: Database;
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  /** Nobody but this process applies, and tells it all by `advance`: then the tables know nothing more. */
  readonly exclusive: boolean;
  /** False: nobody in this process follows the read model, and somebody waits for it once in a while only. It hears of no advance then, and whoever waits is told by the tables. */
  readonly hasFollowers?: boolean;
}

export interface AppliedPositionsFeed extends AppliedPositions {
  /** Takes an advance that this process itself has made; the signal's echo changes nothing any more. */
  advance(applied: Applied): void;
}

interface Waiter {
  readonly sequence: number;
  readonly done: () => void;
}

/** How long a wait trusts in signals before it looks into the tables. */
const LOOK_EVERY_MS = 500;
/** And where none are heard. */
const LOOK_UNHEARD_MS = 50;
/** How long what other processes applied may stay unknown here, although its signals were lost. */
const LOOK_ANYWAY_MS = 2000;

export async function createAppliedPositions(options: AppliedPositionsOptions): Promise<AppliedPositionsFeed> {
  const positions = new Positions(options);
  await positions.open();
  return positions;
}

class Positions implements AppliedPositionsFeed {
  readonly #options: AppliedPositionsOptions;
  readonly #vectors: Map<string, readonly number[]>;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #listeners = new Set<(applied: Applied) => void>();
  readonly #looks = new Map<OutputLogName, Promise<void>>();
  /** A look that has not begun: it serves all who ask meanwhile. */
  #nextRefresh: Promise<void> | undefined;
  #refreshing: Promise<void> = Promise.resolve();
  #subscription: Subscription | undefined;
  #task: Task | undefined;

  constructor(options: AppliedPositionsOptions) {
    this.#options = options;
    this.#vectors = new Map(options.logs.map((log) => [log, []]));
  }

  async open(): Promise<void> {
    const { driver, consumer, hasFollowers = true } = this.#options;
    if (!hasFollowers) return;
    this.#subscription = await driver.listen(appliedChannel(consumer), (value) => this.#hear(appliedCodec.decode(value)));
    await this.#lookAtAll();
    if (!this.#options.exclusive) this.#task = this.#options.runtime.tasks.spawn(`applied positions ${consumer}`, (signal) => this.#keepLooking(signal));
  }

  async close(): Promise<void> {
    await this.#task?.stop();
    await this.#subscription?.close();
  }

  vector(log: OutputLogName): readonly number[] {
    return this.#vectors.get(log)!;
  }

  async refresh(): Promise<void> {
    if (this.#options.exclusive) return;
    this.#nextRefresh ??= this.#refreshing.then(() => {
      this.#nextRefresh = undefined;
      const look = this.#lookAtAll();
      this.#refreshing = look.catch(() => undefined);
      return look;
    });
    return this.#nextRefresh;
  }

  onApplied(listener: (applied: Applied) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #hear(signal: Applied): void {
    const { log, rooms, users, more = [] } = signal;
    for (const { partition, sequence, after } of [signal, ...more]) this.advance({ log, partition, sequence, after, rooms, users });
  }

  advance(applied: Applied): void {
    const vector = this.#vectors.get(applied.log);
    const known = vector?.[applied.partition] ?? 0;
    if (vector === undefined || known >= applied.sequence) return;
    const advanced = [...vector];
    advanced[applied.partition] = applied.sequence;
    this.#vectors.set(applied.log, advanced);
    // Nobody knows whom the missed signals would have woken.
    const told = known < applied.after ? { ...applied, rooms: [], users: [] } : applied;
    const key = `${applied.log}/${applied.partition}`;
    for (const waiter of this.#waiters.get(key) ?? []) if (waiter.sequence <= applied.sequence) waiter.done();
    for (const listener of this.#listeners) listener(told);
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options.runtime;
    for (;;) {
      await clock.sleep(LOOK_ANYWAY_MS, signal);
      if (signal.aborted) return;
      await this.refresh().catch((error: unknown) => logger.warn({ error }, 'applied positions could not be read'));
    }
  }

  async #lookAtAll(): Promise<void> {
    await Promise.all(this.#options.logs.map((log) => this.#lookNow(log)));
  }

  async waitFor(log: OutputLogName, partition: number, sequence: number, boundMs: number): Promise<boolean> {
    const reached = (): boolean => sequence === 0 || (this.#vectors.get(log)![partition] ?? 0) >= sequence;
    const { runtime: { clock }, hasFollowers = true } = this.#options;
    const everyMs = hasFollowers ? LOOK_EVERY_MS : LOOK_UNHEARD_MS;
    const endsAt = clock.monotonic() + boundMs;
    while (!reached() && clock.monotonic() < endsAt) {
      await this.#wait(log, partition, sequence, Math.min(everyMs, endsAt - clock.monotonic()));
      if (!reached()) await this.#look(log).catch((error: unknown) => this.#options.runtime.logger.warn({ log, error }, 'applied positions could not be read'));
    }
    return reached();
  }

  #wait(log: OutputLogName, partition: number, sequence: number, boundMs: number): Promise<void> {
    const key = `${log}/${partition}`;
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(key);
        resolve();
      };
      const waiter: Waiter = { sequence, done };
      const waiters = this.#waiters.get(key) ?? new Set<Waiter>();
      this.#waiters.set(key, waiters.add(waiter));
      const timer = this.#options.runtime.clock.timer(boundMs, done);
    });
  }

  /** One look serves all who wait: when a read model hangs, they are many. */
  #look(log: OutputLogName): Promise<void> {
    let look = this.#looks.get(log);
    if (look === undefined) {
      look = this.#lookNow(log).finally(() => this.#looks.delete(log));
      this.#looks.set(log, look);
    }
    return look;
  }

  async #lookNow(log: OutputLogName): Promise<void> {
    const sequences = await readSequences(this.#options.database, outputConsumerName(this.#options.consumer, log));
    // An empty list of rooms and users wakes everybody: nobody knows what was missed.
    for (const [partition, sequence] of sequences.entries()) if (sequence !== undefined) this.advance({ log, partition, sequence, after: sequence, rooms: [], users: [] });
  }
}
