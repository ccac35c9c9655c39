/**
 * Takes needs from the table and carries them out, several at once: those of the partitions of room-output that this process owns. A need stays in the table until its answer is appended:
 * whoever owns the partition after a crash carries it out again, and the roomserver passes over what it has already.
 */
import { Overloaded } from '../../../pkg/assert/semaphore.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { Task } from '../../../pkg/runtime/runtime.ts';
import { StorageError } from '../../../pkg/storage/database.ts';
import { beginAttempt, deleteNeed, readWaitingNeeds, type WaitingNeed } from '../storage/needs.ts';
import { StageLost } from '../storage/stages.ts';
import { sweep } from './sweep.ts';
import { isPolicy } from './ask-policy.ts';
import { carryOut } from './carry-out.ts';
import { Abandoned } from './failure.ts';
import type { NeedRunnerDeps } from './deps.ts';
import type { NeedTools } from './job.ts';
import { makeTools } from './make-tools.ts';
import { startJob, type StartedJob } from './start-job.ts';

export interface NeedRunner {
  start(): Promise<void>;
  /** Leaves what is under way to the next owner. */
  stop(): Promise<void>;
  /** Looks at the table now: needs were taken. */
  nudge(): void;
  /** One sentence when needs are not carried out; other servers that fail are no reason. */
  health(): string | undefined;
}

interface Running {
  readonly partition: number;
  readonly destination: string;
  /** It takes long and has given its place away. */
  isSlow: boolean;
  readonly started: StartedJob;
  readonly done: Promise<void>;
}

const AT_ONCE = { policy: 64, other: 32 };
const PER_DESTINATION = { policy: 12, other: 4 };
/** Who takes longer gives its place away while it goes on, so many of them: servers that never answer hold up no need of others, however many they are. */
const SLOW_MS = 2000;
const SLOW_MAX = 400;
const POLL_MS = 1000;
const AFTER_FAILURE_MS = 1000;
/** A need that was begun so often is given up. */
const ATTEMPTS_MAX = 20;
const RETRY_FIRST_MS = 500;
const RETRY_MS_MAX = 15_000;

export function createNeedRunner(deps: NeedRunnerDeps): NeedRunner {
  return new Runner(deps);
}

class Runner implements NeedRunner {
  readonly #deps: NeedRunnerDeps;
  readonly #tools: NeedTools;
  readonly #running = new Map<string, Running>();
  #wake = new AbortController();
  #failing: string | undefined;
  #tasks: Task[] = [];

  constructor(deps: NeedRunnerDeps) {
    this.#deps = deps;
    this.#tools = makeTools(deps);
  }

  start(): Promise<void> {
    const { tasks } = this.#deps.runtime;
    this.#tasks = [tasks.spawn('needs', (signal) => this.#run(signal)), tasks.spawn('sweep needs', (signal) => sweep(this.#deps, signal))];
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#tasks.map((task) => task.stop()));
    for (const { started } of this.#running.values()) started.abandon();
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  nudge(): void {
    this.#wake.abort();
  }

  health(): string | undefined {
    return this.#failing;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps.runtime;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      let pauseMs = POLL_MS;
      try {
        await this.#round();
        this.#failing = undefined;
      } catch (error) {
        this.#failing = `needs are not carried out: ${error instanceof Error ? error.message : String(error)}`;
        logger.warn({ error }, 'needs could not be looked at; trying again');
        pauseMs = AFTER_FAILURE_MS;
      }
      await clock.sleep(pauseMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  async #round(): Promise<void> {
    const { runtime: { clock }, database } = this.#deps;
    const partitions = this.#deps.partitions();
    for (const running of this.#running.values()) if (!partitions.includes(running.partition)) running.started.abandon();
    if (partitions.length === 0 || !this.#hasRoom()) return;
    const needs = await readWaitingNeeds(database, partitions, clock.now());
    const places = this.#places();
    for (const need of needs) {
      if (!this.#hasRoom()) return;
      if (!this.#running.has(need.need_id) && need.retry_at <= clock.now() && places.take(need.destination)) this.#begin(need);
    }
  }

  #hasRoom(): boolean {
    return this.#running.size < AT_ONCE.policy + AT_ONCE.other + SLOW_MAX;
  }

  /** Those that are not taken. Policy servers that are silent keep nobody waiting who needs something else. */
  #places(): { take(destination: string): boolean } {
    const taken = { policy: 0, other: 0 };
    const ofDestination = new Map<string, number>();
    const note = (destination: string, isSlow: boolean): void => {
      if (!isSlow) taken[kindOf(destination)] += 1;
      ofDestination.set(destination, (ofDestination.get(destination) ?? 0) + 1);
    };
    for (const { destination, isSlow } of this.#running.values()) note(destination, isSlow);
    return {
      take(destination) {
        const kind = kindOf(destination);
        if (taken[kind] >= AT_ONCE[kind] || (ofDestination.get(destination) ?? 0) >= PER_DESTINATION[kind]) return false;
        note(destination, false);
        return true;
      },
    };
  }

  #begin(need: WaitingNeed): void {
    const { clock } = this.#deps.runtime;
    const started = startJob(clock, { needId: need.need_id, roomId: need.room_id, roomVersion: '', deadlineMs: need.deadline });
    const giveAway = clock.timer(SLOW_MS, () => {
      const running = this.#running.get(need.need_id);
      if (running === undefined || [...this.#running.values()].filter(({ isSlow }) => isSlow).length >= SLOW_MAX) return;
      running.isSlow = true;
      this.#wake.abort();
    });
    const done = this.#work(need, started).finally(() => {
      giveAway.cancel();
      started.end();
      this.#running.delete(need.need_id);
      this.#wake.abort();
    });
    this.#running.set(need.need_id, { partition: need.partition, destination: need.destination, isSlow: false, started, done });
  }

  /** Never rejects: what went wrong is tried again after a while, by whoever owns the partition then. */
  async #work(need: WaitingNeed, { job, closing }: StartedJob): Promise<void> {
    const { runtime: { clock, logger }, database } = this.#deps;
    const { need_id: needId, deadline: deadlineMs } = need;
    try {
      const retryAtMs = clock.now() + Math.min(RETRY_FIRST_MS * 2 ** need.attempts, RETRY_MS_MAX);
      const record = need.attempts >= ATTEMPTS_MAX ? undefined : await beginAttempt(database, { needId, deadlineMs }, retryAtMs);
      if (record === undefined) return await this.#giveUp(need);
      const output = roomOutputCodec.decode(record);
      const { roomVersion } = output;
      const isAnswered = await carryOut(this.#tools, { job: { ...job, roomVersion }, closing: { ...closing, roomVersion } }, { need: output.need!, retryAtMs });
      if (isAnswered) await deleteNeed(database, { needId, deadlineMs });
    } catch (error) {
      if (error instanceof Abandoned) return;
      const level = isBug(error) ? 'error' : 'warn';
      logger[level]({ needId, attempts: need.attempts + 1, error }, 'a need was not carried out; it is tried again');
    }
  }

  /** Whoever waits does so until its own time is over. */
  async #giveUp(need: WaitingNeed): Promise<void> {
    if (need.attempts >= ATTEMPTS_MAX) this.#deps.runtime.logger.error({ needId: need.need_id, attempts: need.attempts }, 'a need is given up');
    await deleteNeed(this.#deps.database, { needId: need.need_id, deadlineMs: need.deadline });
  }
}

function kindOf(destination: string): 'policy' | 'other' {
  return isPolicy(destination) ? 'policy' : 'other';
}

/** Whether our own code is at fault. */
function isBug(error: unknown): boolean {
  if (error instanceof StorageError) return error.kind === 'bug';
  return !(error instanceof StageLost) && !(error instanceof Overloaded) || error instanceof PoisonRecord;
}
