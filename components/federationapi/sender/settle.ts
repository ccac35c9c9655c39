/** Writing down what became of transactions: what many destinations have to say at one time goes into one commit. */
import type { Database, Transaction } from '../../../pkg/storage/database.ts';

export type Write = (tx: Transaction) => Promise<void>;

/** Resolves when `write` is committed. Writes that come while a commit is under way wait for the next one, together. Rejects when their commit failed: all of them, and no more. */
export type Settle = (write: Write) => Promise<void>;

interface Waiting {
  readonly write: Write;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const TOGETHER_MAX = 100;

export function createSettle(database: Pick<Database, 'transaction'>): Settle {
  let waiting: Waiting[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, TOGETHER_MAX);
      waiting = waiting.slice(TOGETHER_MAX);
      try {
        await database.transaction(async (tx) => {
          for (const { write } of batch) await write(tx);
        });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isRunning = false;
  }

  return (write) => new Promise((resolve, reject) => {
    waiting.push({ write, resolve, reject });
    if (!isRunning) void run();
  });
}
