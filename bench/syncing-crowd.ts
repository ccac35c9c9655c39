/** Users in long polls, on a thread of their own so that what is measured beside them does not wait for them: each has a connection and asks again as soon as it is answered. */
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import type { CrowdUser } from './crowd.ts';
import type { ToCrowd, FromCrowd } from './syncing-crowd-worker.ts';

export interface SyncingCrowd {
  /** Resolves with how long after now each of `hearers` users has a message with this number as its `mark`, in ms. Ask right before it is sent. */
  delivered(mark: number, hearers: number): Promise<number[]>;
  /** Answers so far. */
  answers(): Promise<number>;
  close(): Promise<void>;
}

/** Resolves when all have had their first answer and wait for the next. */
export async function startSyncing(baseUrl: string, users: readonly CrowdUser[], timeoutMs = 30_000): Promise<SyncingCrowd> {
  const worker = new Worker(new URL('syncing-crowd-worker.ts', import.meta.url));
  const waiting = new Map<number, (latencies: number[]) => void>();
  const counts: ((answers: number) => void)[] = [];
  let fail: (error: Error) => void = () => undefined;
  worker.on('error', (error) => {
    fail(error as Error);
    throw error;
  });
  const tell = (message: ToCrowd): void => worker.postMessage(message);
  await new Promise<void>((resolve, reject) => {
    fail = reject;
    worker.on('message', (message: FromCrowd) => {
      if (message.kind === 'waiting') resolve();
      else if (message.kind === 'answers') counts.shift()?.(message.count);
      else {
        waiting.get(message.mark)?.(message.latencies);
        waiting.delete(message.mark);
      }
    });
    tell({ kind: 'begin', baseUrl, tokens: users.map(({ token }) => token), timeoutMs });
  });
  return {
    delivered(mark, hearers) {
      tell({ kind: 'expect', mark, hearers, sentAt: performance.timeOrigin + performance.now() });
      return new Promise((resolve) => void waiting.set(mark, resolve));
    },
    answers() {
      tell({ kind: 'count' });
      return new Promise((resolve) => void counts.push(resolve));
    },
    close: async () => void (await worker.terminate()),
  };
}
