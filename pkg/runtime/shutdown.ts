/**
 * An orderly end: first nothing new comes in (`intake`), then what is under way is finished and handed over (`drain`), then connections and
 * files are closed (`close`). Within a phase the last one added stops first, because it was built on the ones before it.
 */
import type { Runtime } from './runtime.ts';
import { TimeLimitPassed, withTimeLimit } from './time-limit.ts';

export type ShutdownPhase = 'intake' | 'drain' | 'close';
const PHASES: readonly ShutdownPhase[] = ['intake', 'drain', 'close'];

/** Files and connections are closed even when the deadline has passed; each gets this long. */
const CLOSE_MS_MIN = 500;

export interface ShutdownStep {
  readonly name: string;
  readonly phase: ShutdownPhase;
  /** `remainingMs`: how long the step may take at most; it is left behind after that. */
  readonly run: (remainingMs: number) => Promise<void>;
}

export interface Shutdown {
  add(step: ShutdownStep): void;
  /** True from the first call of `run` on: `/ready` says no. */
  stopping(): boolean;
  /** Runs every step once, however often it is called. Resolves with the names of the steps that failed or were left behind. */
  run(): Promise<readonly string[]>;
}

export function createShutdown(options: { runtime: Runtime; deadlineMs: number }): Shutdown {
  const { runtime, deadlineMs } = options;
  const steps: ShutdownStep[] = [];
  let running: Promise<readonly string[]> | undefined;

  async function runStep(step: ShutdownStep, endsAt: number): Promise<boolean> {
    const left = endsAt - runtime.clock.monotonic();
    const remainingMs = step.phase === 'close' ? Math.max(left, CLOSE_MS_MIN) : left;
    if (remainingMs <= 0) {
      runtime.logger.warn({ step: step.name }, 'shutdown step was skipped: no time left');
      return false;
    }
    try {
      await withTimeLimit(runtime.clock, remainingMs, step.run(remainingMs));
      return true;
    } catch (error) {
      if (error instanceof TimeLimitPassed) runtime.logger.warn({ step: step.name, remainingMs }, 'shutdown step took too long and was left behind');
      else runtime.logger.error({ step: step.name, error }, 'shutdown step failed');
      return false;
    }
  }

  async function runAll(): Promise<readonly string[]> {
    const endsAt = runtime.clock.monotonic() + deadlineMs;
    const failed: string[] = [];
    for (const phase of PHASES) {
      const ordered = steps.filter((step) => step.phase === phase).reverse();
      for (const step of ordered) {
        if (!(await runStep(step, endsAt))) failed.push(step.name);
      }
    }
    return failed;
  }

  return {
    add: (step) => void steps.push(step),
    stopping: () => running !== undefined,
    run: () => (running ??= runAll()),
  };
}
