/** The runtime of production: the machine's clock, the operating system's randomness, Node's tasks and thread pool. */
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Runtime } from '../runtime.ts';
import { createClock } from './clock.ts';
import { createOffload } from './offload.ts';
import { createRandom } from './random.ts';
import { createTasks } from './tasks.ts';

export function createRuntime(options: { logger: Logger; metrics?: Metrics }): Runtime {
  const random = createRandom();
  return {
    clock: createClock(),
    random,
    tasks: createTasks(options.logger),
    offload: createOffload(),
    logger: options.logger,
    metrics: options.metrics,
    instanceId: `myelin-${random.token(12)}`,
  };
}
