/** One thread for all databases of the process, which is there as long as it has something to do: databases that little is written to never need it. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CheckpointAnswer, CheckpointRequest } from './checkpoint-worker.ts';

const IDLE_MS = 10_000;
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };
const WORKER = new URL(`./checkpoint-worker${extname(import.meta.filename)}`, import.meta.url);

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: () => void; reject: (error: Error) => void }>;
}

let thread: Thread | undefined;
let lastId = 0;
let idle: NodeJS.Timeout | undefined;

/** Resolves when what stood in the write-ahead log of `file` is in the database, as far as nobody still reads what was there before. Rejects when the thread or the disk fails: nothing is lost by that. */
export function checkpointInThread(file: string): Promise<void> {
  clearTimeout(idle);
  thread ??= start();
  const { worker, waiting } = thread;
  worker.ref();
  lastId += 1;
  const id = lastId;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, file } satisfies CheckpointRequest);
  });
}

function start(): Thread {
  const started: Thread = { worker: new Worker(WORKER, { execArgv: [], resourceLimits: LIMITS }), waiting: new Map() };
  const { worker, waiting } = started;
  const fail = (error: Error): void => {
    if (thread === started) thread = undefined;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on('message', ({ id, error }: CheckpointAnswer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) rest(started);
    if (error === undefined) asked?.resolve();
    else asked?.reject(new Error(error));
  });
  worker.on('error', fail);
  worker.on('exit', () => { fail(new Error('the thread that makes checkpoints has ended')); });
  return started;
}

function rest(resting: Thread): void {
  resting.worker.unref();
  idle = setTimeout(() => {
    thread = undefined;
    void resting.worker.terminate();
  }, IDLE_MS).unref();
}
