/** Transactions of other servers: one at a time of each, each once, and not more of them than this process can hold. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { createSemaphore, Overloaded, type Semaphore } from '../../../pkg/assert/semaphore.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';

/** Results by event ID. */
export type TransactionAnswer = Readonly<Record<string, { readonly error?: string }>>;

export interface Transactions {
  /**
   * What `work` answers; for a transaction that was answered lately, or is under way, that answer. Throws `MatrixError` 429 M_LIMIT_EXCEEDED when too much is under way; rejects with
   * what `work` rejects with, and then nothing is remembered.
   */
  run(transaction: { readonly origin: string; readonly txnId: string; readonly bytes: number }, work: () => Promise<TransactionAnswer>): Promise<TransactionAnswer>;
}

/** A server sends its next transaction when the last one is answered; more wait only after it gave up on one. */
const WAITING_OF_ORIGIN_MAX = 3;
const UNDER_WAY_MAX = 500;
/** Bodies of what is under way, as received; parsed they take a few times more. */
const BYTES_MAX = 64 * 1024 * 1024;
const ANSWERS_MAX = 2000;
const RETRY_AFTER_MS = 5000;

export function createTransactions(): Transactions {
  const answers = createRecent<TransactionAnswer>(ANSWERS_MAX);
  const underWay = new Map<string, Promise<TransactionAnswer>>();
  const turns = new Map<string, Semaphore>();
  let bytesUnderWay = 0;

  async function inTurn(origin: string, work: () => Promise<TransactionAnswer>): Promise<TransactionAnswer> {
    const turn = turns.get(origin) ?? createSemaphore({ name: `transactions of ${origin}`, permits: 1, waitingMax: WAITING_OF_ORIGIN_MAX });
    turns.set(origin, turn);
    try {
      return await turn.run(work);
    } catch (error) {
      if (error instanceof Overloaded) throw tooMuch();
      throw error;
    } finally {
      if (turn.running() === 0 && turn.waiting() === 0) turns.delete(origin);
    }
  }

  return {
    async run({ origin, txnId, bytes }, work) {
      const key = JSON.stringify([origin, txnId]);
      const answered = answers.get(key) ?? underWay.get(key);
      if (answered !== undefined) return answered;
      if (underWay.size >= UNDER_WAY_MAX || (bytesUnderWay > 0 && bytesUnderWay + bytes > BYTES_MAX)) throw tooMuch();
      bytesUnderWay += bytes;
      const answer = inTurn(origin, work);
      underWay.set(key, answer);
      try {
        const done = await answer;
        answers.set(key, done);
        return done;
      } finally {
        underWay.delete(key);
        bytesUnderWay -= bytes;
      }
    },
  };
}

function tooMuch(): MatrixError {
  return new MatrixError(429, 'M_LIMIT_EXCEEDED', 'Too many transactions are under way; try again soon', {
    fields: { retry_after_ms: RETRY_AFTER_MS }, headers: { 'retry-after': String(RETRY_AFTER_MS / 1000) },
  });
}
