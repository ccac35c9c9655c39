import type { Logger } from '../../telemetry/logger.ts';
import type { Task, Tasks } from '../runtime.ts';

export function createTasks(logger: Logger): Tasks {
  const dead = new Set<string>();

  function spawn(name: string, work: (signal: AbortSignal) => Promise<void>): Task {
    const controller = new AbortController();
    const done = Promise.resolve()
      .then(() => work(controller.signal))
      .catch((error: unknown) => {
        if (controller.signal.aborted) {
          logger.warn({ task: name, error }, 'task failed while it was being stopped');
          return;
        }
        dead.add(name);
        logger.error({ task: name, error }, 'task died');
      });
    return {
      name,
      done,
      stop() {
        controller.abort();
        return done;
      },
    };
  }

  return { spawn, dead: () => [...dead] };
}
