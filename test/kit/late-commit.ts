/** A COMMIT whose answer does not come, and which is done some time later: what happens when a client gives up on a PostgreSQL whose disk hangs. */
import type { Database, InsertMany, SqlValue, Transaction } from '../../pkg/storage/database.ts';

type Write = (tx: Transaction) => Promise<unknown>;

class Undone extends Error {}

/**
 * Runs `work` and undoes it; the result does its writes after all. Until then readers see the old rows, as they do while PostgreSQL has not committed. Whoever else writes has to
 * call the result first: it would wait for the locks of this transaction.
 */
export async function holdTransaction<T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<() => Promise<void>> {
  const writes: Write[] = [];
  await database.transaction(async (tx) => {
    await work(recording(tx, writes));
    throw new Undone();
  }).catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error;
  });
  let landed: Promise<void> | undefined;
  return () => (landed ??= database.transaction(async (tx) => {
    for (const write of writes) await write(tx);
  }));
}

function recording(tx: Transaction, writes: Write[]): Transaction {
  return {
    query: (sql, params) => tx.query(sql, params),
    queryIn: (sql, params, values) => tx.queryIn(sql, params, values),
    nowMs: (fallbackNowMs) => tx.nowMs(fallbackNowMs),
    run(sql: string, params: readonly SqlValue[] = []) {
      writes.push((again) => again.run(sql, params));
      return tx.run(sql, params);
    },
    insertMany(insert: InsertMany) {
      writes.push((again) => again.insertMany(insert));
      return tx.insertMany(insert);
    },
  };
}
