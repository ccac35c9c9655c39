/** A component's database as one simulated process sees it: the data is shared and survives, the connection is slow and breaks. */
import { StorageError, type Database, type Transaction } from '../../pkg/storage/database.ts';
import { holdTransaction } from '../kit/late-commit.ts';
import type { FaultRates } from './faults.ts';
import { Killed, type SimProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import type { Seeded } from './seeded.ts';

export interface FaultyDatabaseOptions {
  readonly name: string;
  readonly shared: Database;
  readonly process: SimProcess;
  readonly scheduler: Scheduler;
  readonly random: Seeded;
  readonly faults: () => FaultRates;
}

/** The commit that is on its way, by database. Whoever writes after it waits for its locks: here, lands it first. */
const onTheirWay = new WeakMap<Database, () => Promise<void>>();

async function land(shared: Database): Promise<void> {
  const commit = onTheirWay.get(shared);
  onTheirWay.delete(shared);
  await commit?.();
}

export function faultyDatabase(options: FaultyDatabaseOptions): Database {
  const { name, shared, process, random, faults } = options;
  const read = async <T>(run: () => Promise<T>): Promise<T> => {
    await process.step(`read ${name}`);
    if (random.chance(faults().readFailed)) throw new StorageError('unavailable', 'simulated: the connection broke');
    return run();
  };
  return {
    dialect: 'sqlite',
    query: (sql, params) => read(() => shared.query(sql, params)),
    queryIn: (sql, params, values) => read(() => shared.queryIn(sql, params, values)),
    transaction: (work) => transact(options, work),
    reuseSpace: (table) => shared.reuseSpace(table),
    ping: () => shared.ping(),
    close: async () => undefined,
  };
}

async function transact<T>(options: FaultyDatabaseOptions, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const { name, shared, process, random, faults } = options;
  const rates = faults();
  await process.step(`begin ${name}`);
  const abort = random.chance(rates.transactionAborted);
  const dieAt = random.chance(rates.crashPerStep * 5) ? random.whole(1, 8) : 0;
  let operations = 0;
  /** Inside, time stands still; but the process may die between any two statements, which undoes them. */
  const guard = <R>(run: () => Promise<R>): Promise<R> => {
    operations += 1;
    if (operations === dieAt) process.kill();
    return process.alive ? run() : Promise.reject(new Killed());
  };
  const guarded = (tx: Transaction): Transaction => ({
    query: (sql, params) => guard(() => tx.query(sql, params)),
    queryIn: (sql, params, values) => guard(() => tx.queryIn(sql, params, values)),
    run: (sql, params) => guard(() => tx.run(sql, params)),
    insertMany: (insert) => guard(() => tx.insertMany(insert)),
    nowMs: async () => Math.floor(options.scheduler.now),
  });
  let result: T;
  const late = random.chance(rates.commitLate) && !abort;
  try {
    await land(shared);
    if (late) return await commitLater(options, work, guarded);
    result = await shared.transaction(async (tx) => {
      const value = await work(guarded(tx));
      if (abort) throw new StorageError('conflict', 'simulated: aborted');
      return value;
    });
  } catch (error) {
    if (!process.alive) return new Promise<never>(() => undefined);
    await process.step(`rolled back ${name}`);
    throw error;
  }
  const unknown = random.chance(rates.commitUnknown);
  await process.step(`committed ${name}`);
  if (unknown) throw new StorageError('unknown-commit', 'simulated: the connection broke during COMMIT');
  return result;
}

/** Time does not pass between holding and noting the commit, so nobody writes between both. */
async function commitLater<T>({ name, shared, process, scheduler, random }: FaultyDatabaseOptions, work: (tx: Transaction) => Promise<T>, guarded: (tx: Transaction) => Transaction): Promise<never> {
  onTheirWay.set(shared, await holdTransaction(shared, (tx) => work(guarded(tx))));
  scheduler.after(random.between(1, 3000), `late commit ${name}`, () => void land(shared));
  await process.step(`answer to COMMIT lost ${name}`);
  throw new StorageError('unknown-commit', 'simulated: the answer to COMMIT did not come in time');
}
