/** Is this process well? Each part registers a named check; `/health` and `/ready` show what they say. */
import type { Clock, HealthCheck, Tasks } from './runtime.ts';
import { TimeLimitPassed, withTimeLimit } from './time-limit.ts';

export interface HealthReport {
  readonly status: 'ok' | 'unhealthy';
  /** By name of the check: `ok`, or one sentence that says what is wrong. */
  readonly checks: Readonly<Record<string, string>>;
}

export interface Health {
  /** Adds a check under a name of its own; a second one of that name replaces the first. */
  add(check: HealthCheck): void;
  /** Runs all checks at once; a check that throws or takes longer than the time limit is unhealthy. */
  report(): Promise<HealthReport>;
}

export function createHealth(options: { clock: Clock; timeLimitMs?: number }): Health {
  const timeLimitMs = options.timeLimitMs ?? 2000;
  const checks = new Map<string, HealthCheck>();

  async function verdict(check: HealthCheck): Promise<string> {
    try {
      return (await withTimeLimit(options.clock, timeLimitMs, Promise.resolve().then(() => check.check()))) ?? 'ok';
    } catch (error) {
      if (error instanceof TimeLimitPassed) return `did not answer within ${timeLimitMs} ms`;
      return `the check failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  return {
    add: (check) => void checks.set(check.name, check),
    async report() {
      const names = [...checks.keys()].sort();
      const verdicts = await Promise.all(names.map((name) => verdict(checks.get(name) as HealthCheck)));
      return {
        status: verdicts.every((text) => text === 'ok') ? 'ok' : 'unhealthy',
        checks: Object.fromEntries(names.map((name, i) => [name, verdicts[i] as string])),
      };
    },
  };
}

/** Unhealthy as soon as a task has died: consumers are tasks, and a dead one never comes back by itself. */
export function tasksCheck(tasks: Tasks): HealthCheck {
  return {
    name: 'tasks',
    check: () => {
      const dead = tasks.dead();
      return Promise.resolve(dead.length === 0 ? undefined : `died by an error: ${dead.join(', ')}`);
    },
  };
}
