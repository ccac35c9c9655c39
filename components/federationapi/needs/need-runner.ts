/**
 * Takes needs from the table and carries them out, several at once: those of the partitions of room-output that this process owns. A need stays in the table until its answer is appended:
 * whoever owns the partition after a crash carries it out again, and the roomserver passes over what it has already.
 */
import { Overloaded } from '../../../pkg/assert/semaphore.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { Task } from '../../../pkg/runtime/runtime.ts';
import { untilLook } from '../../../pkg/runtime/until-look.ts';
import { createYieldingPlaces, type PlacesLimits, type YieldingPlaces } from '../../../pkg/runtime/yielding-places.ts';
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
  readonly started: StartedJob;
  readonly done: Promise<void>;
}

/** Policy servers that are silent keep nobody waiting who needs something else. */
const PLACES = {
  policy: { places: 64, slowMs: 2000, slowMax: 100 },
  other: { places: 32, slowMs: 2000, slowMax: 400 },
} as const satisfies Record<string, PlacesLimits>;
const PER_DESTINATION = { policy: 12, other: 4 };
/** For needs of an owner that is gone; those of this process are known at once. */
const POLL_MS = 2000;
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
  readonly #places: Readonly<Record<keyof typeof PLACES, YieldingPlaces>>;
  #wake = new AbortController();
  #failing: string | undefined;
  #tasks: Task[] = [];

  constructor(deps: NeedRunnerDeps) {
    this.#deps = deps;
    this.#tools = makeTools(deps);
    const { clock } = deps.runtime;
    const placesOf = (limits: PlacesLimits): YieldingPlaces => createYieldingPlaces({ clock, limits, onFree: () => this.#wake.abort() });
    this.#places = { policy: placesOf(PLACES.policy), other: placesOf(PLACES.other) };
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
      let pauseMs = AFTER_FAILURE_MS;
      try {
        pauseMs = Math.min(untilLook(clock, POLL_MS), await this.#round());
        this.#failing = undefined;
      } catch (error) {
        this.#failing = `needs are not carried out: ${error instanceof Error ? error.message : String(error)}`;
        logger.warn({ error }, 'needs could not be looked at; trying again');
      }
      await clock.sleep(pauseMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /** Begins what may begin now; how many ms later the first of the others may. */
  async #round(): Promise<number> {
    const { runtime: { clock }, database } = this.#deps;
    const partitions = this.#deps.partitions();
    for (const running of this.#running.values()) if (!partitions.includes(running.partition)) running.started.abandon();
    if (partitions.length === 0 || !this.#hasRoom()) return Infinity;
    const needs = await readWaitingNeeds(database, partitions, clock.now());
    const ofDestination = new Map<string, number>();
    for (const { destination } of this.#running.values()) ofDestination.set(destination, (ofDestination.get(destination) ?? 0) + 1);
    let pauseMs = Infinity;
    for (const need of needs) {
      const { need_id: needId, destination } = need;
      const [kind, running, restMs] = [kindOf(destination), ofDestination.get(destination) ?? 0, need.retry_at - clock.now()];
      if (this.#running.has(needId)) continue;
      if (restMs > 0) pauseMs = Math.min(pauseMs, restMs);
      if (restMs > 0 || running >= PER_DESTINATION[kind] || !this.#places[kind].hasRoom()) continue;
      ofDestination.set(destination, running + 1);
      this.#begin(need);
    }
    return pauseMs;
  }

  #hasRoom(): boolean {
    return this.#places.policy.hasRoom() || this.#places.other.hasRoom();
  }

  #begin(need: WaitingNeed): void {
    const { clock } = this.#deps.runtime;
    const started = startJob(clock, { needId: need.need_id, roomId: need.room_id, roomVersion: '', deadlineMs: need.deadline });
    const leave = this.#places[kindOf(need.destination)].take();
    const done = this.#work(need, started).finally(() => {
      started.end();
      this.#running.delete(need.need_id);
      leave();
    });
    this.#running.set(need.need_id, { partition: need.partition, destination: need.destination, started, done });
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
      // Its row may say that it is due: a database that takes no attempt down.
      await clock.sleep(AFTER_FAILURE_MS, closing.signal);
    }
  }

  /** Whoever waits does so until its own time is over. */
  async #giveUp(need: WaitingNeed): Promise<void> {
    if (need.attempts >= ATTEMPTS_MAX) this.#deps.runtime.logger.error({ needId: need.need_id, attempts: need.attempts }, 'a need is given up');
    await deleteNeed(this.#deps.database, { needId: need.need_id, deadlineMs: need.deadline });
  }
}

function kindOf(destination: string): keyof typeof PLACES {
  return isPolicy(destination) ? 'policy' : 'other';
}

/** Whether our own code is at fault. */
function isBug(error: unknown): boolean {
  if (error instanceof StorageError) return error.kind === 'bug';
  return !(error instanceof StageLost) && !(error instanceof Overloaded) || error instanceof PoisonRecord;
}
