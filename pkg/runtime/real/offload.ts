import { scrypt } from 'node:crypto';
import { createSemaphore } from '../../assert/semaphore.ts';
import type { Offload } from '../runtime.ts';
import { createCheckThreads } from './check-threads.ts';

/** Half of the thread pool's four threads: the rest stays free for files and names. */
const AT_ONCE = 2;
/** A hash of the usual cost takes about 50 ms, so the last in line waits some 12 s. */
const WAITING_MAX = 500;

/** CPU work on other threads. Rejects with `Overloaded` when hundreds are waiting. */
export function createOffload(): Offload {
  const hashing = createSemaphore({ name: 'password hashing', permits: AT_ONCE, waitingMax: WAITING_MAX });
  return {
    ...createCheckThreads(),
    scrypt: (password, salt, cost) => hashing.run(() => new Promise((resolve, reject) => {
      // scrypt needs 128 * n * r bytes and a little more; Node refuses above `maxmem`.
      const maxmem = 128 * cost.n * cost.r + 128 * cost.r * cost.p + 1024 * 1024;
      scrypt(password, salt, cost.keyLength, { N: cost.n, r: cost.r, p: cost.p, maxmem }, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    })),
  };
}
