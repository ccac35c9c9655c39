/**
 * Many signatures, or many events of other servers, are checked by a thread of their own, which is there as long as it has something to do: most servers most of the time need none. A few are checked at once,
 * here: that takes less than to tell a thread.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../../matrix/signing/signing-key.ts';
import type { Offload, SignatureCheck } from '../runtime.ts';
import { isSignatureRight } from './ed25519.ts';
import { checkPacked, packEvents, unpackChecked, type CheckedEvents, type PackedEvents } from './event-pack.ts';
import { packChecks } from './signature-pack.ts';

/** One of both. */
export interface CheckRequest {
  readonly id: number;
  readonly signatures?: ArrayBuffer;
  readonly events?: PackedEvents;
}

export interface CheckAnswer {
  readonly id: number;
  /** One byte a signature: 1 when it is right. */
  readonly right?: Uint8Array;
  readonly events?: CheckedEvents;
}

/** About 0.2 ms. */
const AT_ONCE_MAX = 4;
const IDLE_MS = 10_000;
/** One core is left to the event loop. */
const THREADS_MAX = Math.max(1, Math.min(4, availableParallelism() - 1));
const WORKER = new URL(`./check-worker${extname(import.meta.filename)}`, import.meta.url);

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: (answer: CheckAnswer) => void; reject: (error: Error) => void }>;
}

export function createCheckThreads(): Pick<Offload, 'verifySignatures' | 'verifyEvents'> {
  const ask = createThreads();
  return {
    async verifySignatures(checks) {
      if (checks.length <= AT_ONCE_MAX) return checks.map(isSignatureRight);
      const wellFormed = checks.filter(({ publicKey, signature }) => publicKey.length === PUBLIC_KEY_BYTES && signature.length === SIGNATURE_BYTES);
      const right = wellFormed.length === 0 ? undefined : (await askSignatures(ask, wellFormed)).right;
      const answers = new Map(wellFormed.map((check, index) => [check, right?.[index] === 1]));
      return checks.map((check) => answers.get(check) === true);
    },
    async verifyEvents(events) {
      const packed = packEvents(events);
      const checked = events.values.length <= AT_ONCE_MAX ? checkPacked(packed) : (await ask({ events: packed })).events;
      return unpackChecked(events, checked!);
    },
  };
}

type Ask = (question: Omit<CheckRequest, 'id'>, given?: readonly ArrayBuffer[]) => Promise<CheckAnswer>;

function askSignatures(ask: Ask, checks: readonly SignatureCheck[]): Promise<CheckAnswer> {
  const signatures = packChecks(checks);
  return ask({ signatures }, [signatures]);
}

function createThreads(): Ask {
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
    thread.worker.on('message', (answer: CheckAnswer) => {
      thread.waiting.get(answer.id)?.resolve(answer);
      thread.waiting.delete(answer.id);
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

  function stopIdle(): void {
    for (const thread of threads) {
      if (thread.waiting.size > 0) continue;
      threads.delete(thread);
      void thread.worker.terminate();
    }
  }

  return (question, given = []) => {
    clearTimeout(idle);
    idle = setTimeout(stopIdle, IDLE_MS).unref();
    const { worker, waiting } = choose();
    worker.ref();
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      worker.postMessage({ id, ...question }, [...given]);
      waiting.set(id, { resolve, reject });
    });
  };
}
