/**
 * Many signatures are checked by a thread of their own, which is there as long as it has something to do: most servers most of the time need none. A few are checked at once, here: that
 * takes less than to tell a thread.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../../matrix/signing/signing-key.ts';
import type { SignatureCheck } from '../runtime.ts';
import { isSignatureRight } from './ed25519.ts';
import { packChecks, type CheckAnswer } from './signature-pack.ts';

/** About 0.2 ms. */
const AT_ONCE_MAX = 4;
const IDLE_MS = 10_000;
/** One core is left to the event loop. */
const THREADS_MAX = Math.max(1, Math.min(4, availableParallelism() - 1));
const WORKER = new URL(`./signature-worker${extname(import.meta.filename)}`, import.meta.url);

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: (right: Uint8Array) => void; reject: (error: Error) => void }>;
}

/** Checks in the order of `checks`; false for keys and signatures of a wrong length. */
export function createSignatureThreads(): (checks: readonly SignatureCheck[]) => Promise<boolean[]> {
  const threads = new Set<Thread>();
  let lastId = 0;
  let idle: NodeJS.Timeout | undefined;

  function start(): Thread {
    const thread: Thread = { worker: new Worker(WORKER, { execArgv: [] }), waiting: new Map() };
    threads.add(thread);
    const fail = (error: Error): void => {
      threads.delete(thread);
      for (const { reject } of thread.waiting.values()) reject(error);
      thread.waiting.clear();
    };
    thread.worker.on('message', ({ id, right }: CheckAnswer) => {
      thread.waiting.get(id)?.resolve(right);
      thread.waiting.delete(id);
      if (thread.waiting.size === 0) thread.worker.unref();
    });
    thread.worker.on('error', fail);
    thread.worker.on('exit', () => { fail(new Error('a thread that checks signatures has ended')); });
    return thread;
  }

  /** The one with the least to do; another one while all have something. */
  function choose(): Thread {
    const [least] = [...threads].sort((one, other) => one.waiting.size - other.waiting.size);
    return least === undefined || (least.waiting.size > 0 && threads.size < THREADS_MAX) ? start() : least;
  }

  function ask(checks: readonly SignatureCheck[]): Promise<Uint8Array> {
    clearTimeout(idle);
    idle = setTimeout(stopIdle, IDLE_MS).unref();
    const { worker, waiting } = choose();
    worker.ref();
    const packed = packChecks(checks);
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, packed }, [packed]);
    });
  }

  function stopIdle(): void {
    for (const thread of threads) {
      if (thread.waiting.size > 0) continue;
      threads.delete(thread);
      void thread.worker.terminate();
    }
  }

  return async (checks) => {
    if (checks.length <= AT_ONCE_MAX) return checks.map(isSignatureRight);
    const wellFormed = checks.filter(({ publicKey, signature }) => publicKey.length === PUBLIC_KEY_BYTES && signature.length === SIGNATURE_BYTES);
    const right = wellFormed.length === 0 ? new Uint8Array() : await ask(wellFormed);
    const answers = new Map(wellFormed.map((check, index) => [check, right[index] === 1]));
    return checks.map((check) => answers.get(check) === true);
  };
}
