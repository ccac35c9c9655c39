/**
 * One simulated process: a runtime under virtual time whose every await is a place where the process may be slow, paused (and wake as a zombie) or killed. A
 * killed process simply never goes on: its promises stay open and are forgotten.
 */
import { verifyEvent } from '../../pkg/federation/verify-event.ts';
import type { IntactEvent } from '../../pkg/matrix/events/check-received.ts';
import { verifySignature } from '../../pkg/matrix/signing/signing-key.ts';
import type { Logger } from '../../pkg/telemetry/logger.ts';
import type { Clock, Runtime, SignatureCheck, Task, Tasks } from '../../pkg/runtime/runtime.ts';
import type { FaultRates } from './faults.ts';
import type { Scheduler } from './scheduler.ts';
import type { Seeded } from './seeded.ts';

/** Ends a transaction of a process that was killed inside it. */
export class Killed extends Error {
  override readonly name = 'Killed';
}

export interface ProcessOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly random: Seeded;
  readonly faults: () => FaultRates;
  readonly killed: () => void;
  /** A task that died by an exception: a bug. */
  readonly taskDied: (name: string, error: unknown) => void;
  readonly log: (level: string, fields: object, message: string) => void;
}

export class SimProcess {
  readonly name: string;
  readonly runtime: Runtime;
  alive = true;
  /** Those that sleep let go of their signals: Node keeps a signal that somebody listens to for ever, and all that whoever listens holds, here a world. */
  readonly #sleeping = new Set<() => void>();
  #pausedUntilMs = 0;
  readonly #options: ProcessOptions;

  constructor(options: ProcessOptions) {
    this.#options = options;
    this.name = options.name;
    const logger = loggerOf(options, {});
    this.runtime = {
      clock: this.#clock(), random: options.random, tasks: this.#tasks(), logger, instanceId: options.name,
      offload: { verifySignatures: async (checks) => checks.map(isRight), verifyEvents: async ({ values, version, known }) => values.map((value) => intact(verifyEvent({ value, version, known, isRight }))), scrypt: async (password, salt, cost) => this.step('scrypt').then(() => sketch(password, salt, cost.keyLength)) },
    };
  }

  /** One await: takes a little time, and may be the last thing that this process does. */
  step(label: string): Promise<void> {
    const { random, scheduler, faults } = this.#options;
    const rates = faults();
    if (random.chance(rates.pausePerStep)) this.#pausedUntilMs = scheduler.now + random.between(100, 15_000);
    const kill = random.chance(rates.crashPerStep);
    return new Promise((resolve) => {
      this.#later(random.float() ** 3 * rates.delayMsMax, label, () => (kill ? this.kill() : resolve()));
    });
  }

  kill(): void {
    if (!this.alive) return;
    this.end();
    this.#options.killed();
  }

  /** Nothing of it goes on. */
  end(): void {
    this.alive = false;
    for (const letGo of this.#sleeping) letGo();
    this.#sleeping.clear();
  }

  /** Calls `run` after `ms`, when the process is not paused, never when it is dead. */
  #later(ms: number, label: string, run: () => void): { cancel(): void } {
    const { scheduler } = this.#options;
    let planned = scheduler.after(ms, `${this.name} ${label}`, () => {
      if (!this.alive) return;
      if (this.#pausedUntilMs > scheduler.now) planned = scheduler.after(this.#pausedUntilMs - scheduler.now, `${this.name} woken ${label}`, () => this.alive && run());
      else run();
    });
    return { cancel: () => void (planned.cancelled = true) };
  }

  #clock(): Clock {
    const { scheduler } = this.#options;
    return {
      now: () => Math.floor(scheduler.now),
      monotonic: () => scheduler.now,
      cores: () => ({ usedMs: scheduler.now, missedMs: 0 }),
      sleep: (ms, signal) => new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const done = (): void => {
          timer.cancel();
          letGo();
          this.#sleeping.delete(letGo);
          resolve();
        };
        const letGo = (): void => signal?.removeEventListener('abort', done);
        const timer = this.#later(ms, 'slept', done);
        signal?.addEventListener('abort', done, { once: true });
        this.#sleeping.add(letGo);
      }),
      timer: (ms, callback) => this.#later(ms, 'timer', callback),
      yield: () => new Promise((resolve) => void this.#later(0, 'yield', resolve)),
    };
  }

  #tasks(): Tasks {
    const dead: string[] = [];
    return {
      dead: () => dead,
      spawn: (name, work): Task => {
        const stopping = new AbortController();
        const done = work(stopping.signal).catch((error: unknown) => {
          dead.push(name);
          this.#options.taskDied(`${this.name} ${name}`, error);
        });
        return { name, done, stop: () => (stopping.abort(), done) };
      },
    };
  }
}

const isRight = ({ publicKey, bytes, signature }: SignatureCheck): boolean => verifySignature(publicKey, bytes, signature);

function intact(event: ReturnType<typeof verifyEvent>): IntactEvent | undefined {
  return 'outcome' in event ? undefined : event;
}

/** Stands for scrypt: as deterministic, and quick. */
function sketch(password: string, salt: Uint8Array, length: number): Uint8Array {
  const bytes = Buffer.from(password + Buffer.from(salt).toString('hex'));
  return Uint8Array.from({ length }, (_, index) => bytes[index % bytes.length]! ^ (index * 31));
}

function loggerOf(options: ProcessOptions, bound: object): Logger {
  const at = (level: string) => (fields: object, message: string) => options.log(level, { ...bound, ...fields }, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: (fields) => loggerOf(options, { ...bound, ...fields }) };
}
