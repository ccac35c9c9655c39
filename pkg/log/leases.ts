/**
 * Who owns which partition. A lease is a row with an owner, an epoch and an expiry, in the consumer's own database, for every driver alike. Taking
 * a partition over raises its epoch in `leases` and `positions` in one transaction; from then on every commit of the old owner fails
 * (`positions.ts`, fencing). So a lease that expires too early costs work, never correctness.
 *
 * Instances say that they are alive in `instances`; each takes up to its fair share and gives back what is above it. Who comes, and who gives back, signals it, so that the others
 * look at once; without the signal they look a second later.
 */
import { StorageError, type Database, type Transaction } from '../storage/database.ts';
import type { Runtime, Task } from '../runtime/runtime.ts';
import type { LogDriver, Subscription } from './log.ts';
import { readPositions, type Position } from './positions.ts';

/** A partition as it was when it was taken over. */
export type Lease = Position;

export interface LeaseOptions {
  readonly consumer: string;
  readonly database: Database;
  readonly driver: Pick<LogDriver, 'signal' | 'listen'>;
  readonly runtime: Runtime;
  readonly partitions: number;
  /**
   * This process is the only one that may use the database: at its start it takes every partition at once, whoever had it, and claims nothing for the future, so that whoever
   * comes after it does the same. Of two such processes the newer one has the partitions.
   */
  readonly exclusive: boolean;
  readonly ttlMs?: number;
  readonly renewMs?: number;
  /** The partition is ours from now on. */
  readonly acquired: (lease: Lease) => Promise<void>;
  /** The partition is to be given back, or is lost: resolves when nothing of it is under way any more. */
  readonly revoked: (partition: number) => Promise<void>;
}

export interface LeaseKeeper {
  /** Takes a first share, then keeps renewing and balancing in the background. */
  start(): Promise<void>;
  /** Gives every partition back. */
  stop(): Promise<void>;
  /** Forgets a partition that a commit has shown to be another's; `revoked` is not called. */
  lost(partition: number): void;
  held(): readonly number[];
  health(): string | undefined;
}

const NOBODY = '';
/** How soon an exclusive keeper that lacks a partition looks again. */
const MISSING_MS = 1000;
/** How long after a lease has run out its partition is looked for. */
const EXPIRED_MS = 20;
/** Rows of instances that have not been heard of for so long are deleted: none that merely is late, as two of those that delete each other's row would wait for each other. */
const FORGOTTEN_MS = 60_000;
const NOTHING = new Uint8Array();

export function createLeaseKeeper(options: LeaseOptions): LeaseKeeper {
  return new Keeper(options);
}

interface Seen {
  readonly now: number;
  readonly alive: number;
  readonly rows: ReadonlyMap<number, { readonly owner: string; readonly epoch: number; readonly expiresAt: number }>;
}

class Keeper implements LeaseKeeper {
  readonly #options: LeaseOptions;
  readonly #ttlMs: number;
  readonly #renewMs: number;
  /** Epoch by partition. */
  readonly #held = new Map<number, number>();
  #renewedAt: number;
  #hasRows = false;
  /** Partitions of an exclusive keeper that another process has. */
  #displaced = 0;
  #task: Task | undefined;
  #listening: Subscription | undefined;
  /** Ends the pause before the next look. */
  #wake = new AbortController();
  #nextLookMs: number;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#ttlMs = options.exclusive ? 0 : (options.ttlMs ?? 4000);
    this.#renewMs = options.exclusive ? 60_000 : (options.renewMs ?? 1000);
    this.#nextLookMs = this.#renewMs;
    this.#renewedAt = options.runtime.clock.monotonic();
  }

  async start(): Promise<void> {
    if (!this.#options.exclusive) this.#listening = await this.#options.driver.listen(this.#channel, () => this.#wake.abort());
    await this.#balance().catch((error: unknown) => {
      // Where others share the database it may be busy just now, with a crowd of instances that start; the next look is a second later.
      if (this.#options.exclusive || !(error instanceof StorageError) || error.kind === 'bug') throw error;
      this.#warn(error);
    });
    this.#signal();
    this.#task = this.#options.runtime.tasks.spawn(`leases ${this.#options.consumer}`, (signal) => this.#keepBalancing(signal));
  }

  async stop(): Promise<void> {
    const { consumer, database, runtime } = this.#options;
    await this.#task?.stop();
    await this.#listening?.close();
    try {
      // First, so that the others count it out when they look at what it has given back.
      await database.transaction((tx) => tx.run('DELETE FROM instances WHERE consumer = ? AND instance = ?', [consumer, runtime.instanceId]));
      await this.#giveBack(this.held());
    } catch (error) {
      runtime.logger.warn({ consumer, error }, 'leases were not given back; they will run out');
    }
  }

  lost(partition: number): void {
    if (this.#held.delete(partition) && this.#options.exclusive) this.#displaced += 1;
  }

  held(): readonly number[] {
    return [...this.#held.keys()];
  }

  health(): string | undefined {
    const { consumer, exclusive, runtime } = this.#options;
    if (this.#displaced > 0) return `another process has ${this.#displaced} partitions of ${consumer}: with the embedded log only one process may run`;
    const sinceMs = runtime.clock.monotonic() - this.#renewedAt;
    return exclusive || sinceMs < this.#ttlMs * 2 ? undefined : `${consumer} has not renewed its leases for ${Math.round(sinceMs / 1000)} s`;
  }

  async #keepBalancing(signal: AbortSignal): Promise<void> {
    const { runtime, partitions, exclusive } = this.#options;
    signal.addEventListener('abort', () => this.#wake.abort(), { once: true });
    while (!signal.aborted) {
      const isMissing = exclusive && this.#held.size < partitions;
      await runtime.clock.sleep(isMissing ? MISSING_MS : this.#nextLookMs, this.#wake.signal);
      if (signal.aborted) return;
      this.#wake = new AbortController();
      this.#nextLookMs = this.#renewMs;
      try {
        await this.#balance();
      } catch (error) {
        this.#warn(error);
      }
    }
  }

  #warn(error: unknown): void {
    const { consumer, runtime } = this.#options;
    runtime.logger.warn({ consumer, error }, 'leases could not be renewed');
  }

  /** One look at the table: renew, learn what was lost, give back what is too much, take what is free. */
  async #balance(): Promise<void> {
    const { database, runtime, partitions, exclusive } = this.#options;
    if (!this.#hasRows) await this.#createRows();
    this.#hasRows = true;
    const seen = await database.transaction((tx) => this.#announce(tx));
    this.#renewedAt = runtime.clock.monotonic();
    for (const [partition, epoch] of [...this.#held]) {
      const row = seen.rows.get(partition);
      if (row?.owner !== runtime.instanceId || row.epoch !== epoch) await this.#lose(partition);
    }
    const share = Math.ceil(partitions / Math.max(1, seen.alive));
    await this.#giveBack(this.held().slice(share));
    const wanted = [...seen.rows]
      .filter(([partition, row]) => !this.#held.has(partition) && this.#mayTake(row, seen.now))
      .map(([partition]) => partition)
      .slice(0, Math.max(0, share - this.#held.size));
    if (wanted.length > 0) await this.#takeOver(wanted);
    this.#nextLookMs = this.#untilNextLook(seen);
    this.#displaced = exclusive ? [...seen.rows].filter(([partition, row]) => !this.#held.has(partition) && ![NOBODY, runtime.instanceId].includes(row.owner)).length : 0;
    // Given back here, but the table was not told: it would be renewed for ever and be nobody's.
    for (const [partition, row] of seen.rows) {
      if (row.owner === runtime.instanceId && !this.#held.has(partition) && !wanted.includes(partition)) await this.#release([{ partition, epoch: row.epoch }]);
    }
  }

  /** A lease that is not renewed any more is looked at when it has run out. */
  #untilNextLook({ rows, now }: Seen): number {
    if (this.#options.exclusive) return this.#renewMs;
    const left = [...rows].filter(([partition]) => !this.#held.has(partition)).map(([, row]) => row.expiresAt - now).filter((ms) => ms >= 0);
    return Math.min(this.#renewMs, ...left.map((ms) => ms + EXPIRED_MS));
  }

  /** Also what is ours and not held: a take-over that was committed although its answer was lost. */
  #mayTake(row: { readonly owner: string; readonly expiresAt: number }, now: number): boolean {
    if ([NOBODY, this.#options.runtime.instanceId].includes(row.owner)) return true;
    return this.#options.exclusive ? this.#task === undefined : row.expiresAt < now;
  }

  async #announce(tx: Transaction): Promise<Seen> {
    const { consumer, runtime, exclusive } = this.#options;
    const now = await tx.nowMs(runtime.clock.now());
    const until = now + this.#ttlMs;
    // Issued together, so that it is one round trip: every process does this every second for all that it owns.
    const [, , instances, rows] = await Promise.all([
      tx.insertMany({
        into: 'instances', columns: ['consumer', 'instance', 'expires_at'], rows: [[consumer, runtime.instanceId, until]],
        onConflict: 'ON CONFLICT (consumer, instance) DO UPDATE SET expires_at = excluded.expires_at',
      }),
      tx.run('UPDATE leases SET expires_at = ? WHERE consumer = ? AND owner = ?', [until, consumer, runtime.instanceId]),
      tx.query<{ expires_at: number }>('SELECT expires_at FROM instances WHERE consumer = ?', [consumer]),
      tx.query<{ partition: number; owner: string; epoch: number; expires_at: number }>('SELECT partition, owner, epoch, expires_at FROM leases WHERE consumer = ? ORDER BY partition', [consumer]),
    ]);
    const forgottenBefore = exclusive ? now : now - FORGOTTEN_MS;
    if (instances.some((row) => row.expires_at < forgottenBefore)) await tx.run('DELETE FROM instances WHERE consumer = ? AND expires_at < ?', [consumer, forgottenBefore]);
    return {
      now,
      alive: exclusive ? 1 : instances.filter((row) => row.expires_at >= now).length,
      rows: new Map(rows.map((row) => [row.partition, { owner: row.owner, epoch: row.epoch, expiresAt: row.expires_at }])),
    };
  }

  async #takeOver(wanted: readonly number[]): Promise<void> {
    const { consumer, database, runtime, acquired } = this.#options;
    const leases = await database.transaction((tx) => this.#raiseEpochs(tx, wanted));
    for (const { partition, epoch } of leases) this.#held.set(partition, epoch);
    await Promise.all(leases.map(async (lease) => {
      try {
        await acquired(lease);
      } catch (error) {
        // The next look takes it again.
        runtime.logger.warn({ consumer, partition: lease.partition, error }, 'a partition could not be taken up; trying again');
        await this.#lose(lease.partition);
      }
    }));
  }

  async #raiseEpochs(tx: Transaction, wanted: readonly number[]): Promise<Lease[]> {
    const { consumer, runtime, exclusive } = this.#options;
    const now = await tx.nowMs(runtime.clock.now());
    const taken: number[] = [];
    for (const partition of wanted) {
      const { changes } = await tx.run(
        `UPDATE leases SET owner = ?, epoch = epoch + 1, expires_at = ? WHERE consumer = ? AND partition = ? AND (owner = '' OR owner = ? OR expires_at < ?)`,
        [runtime.instanceId, now + this.#ttlMs, consumer, partition, runtime.instanceId, exclusive ? Number.MAX_SAFE_INTEGER : now]);
      if (changes === 1) taken.push(partition);
    }
    // Waits for a commit of the old owner that is under way; what it commits later is fenced off.
    for (const partition of taken) {
      await tx.run('UPDATE positions SET epoch = (SELECT l.epoch FROM leases l WHERE l.consumer = positions.consumer AND l.partition = positions.partition) WHERE consumer = ? AND partition = ?',
        [consumer, partition]);
    }
    return readPositions(tx, consumer, taken);
  }

  async #lose(partition: number): Promise<void> {
    if (this.#held.delete(partition)) await this.#options.revoked(partition);
  }

  async #giveBack(partitions: readonly number[]): Promise<void> {
    const leases = partitions.flatMap((partition) => {
      const epoch = this.#held.get(partition);
      return epoch === undefined ? [] : [{ partition, epoch }];
    });
    if (leases.length === 0) return;
    await Promise.all(leases.map(({ partition }) => this.#lose(partition)));
    await this.#release(leases);
    this.#signal();
  }

  async #release(leases: readonly Pick<Lease, 'partition' | 'epoch'>[]): Promise<void> {
    const { consumer, database, runtime } = this.#options;
    await database.transaction((tx) => Promise.all(leases.map(({ partition, epoch }) =>
      tx.run('UPDATE leases SET owner = ?, expires_at = 0 WHERE consumer = ? AND partition = ? AND epoch = ? AND owner = ?',
        [NOBODY, consumer, partition, epoch, runtime.instanceId]))));
  }

  get #channel(): string {
    return `leases.${this.#options.consumer}`;
  }

  /** The others shall look now. */
  #signal(): void {
    if (!this.#options.exclusive) this.#options.driver.signal(this.#channel, NOTHING);
  }

  async #createRows(): Promise<void> {
    const { consumer, database, partitions } = this.#options;
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    await database.transaction(async (tx) => {
      await tx.insertMany({
        into: 'leases', columns: ['consumer', 'partition', 'owner', 'epoch', 'expires_at'],
        rows: all.map((partition) => [consumer, partition, NOBODY, 0, 0]), onConflict: 'ON CONFLICT (consumer, partition) DO NOTHING',
      });
      await tx.insertMany({
        into: 'positions', columns: ['consumer', 'partition', 'epoch', 'transport', 'position', 'sequence', 'relayed'],
        rows: all.map((partition) => [consumer, partition, 0, '', 0, 0, 0]), onConflict: 'ON CONFLICT (consumer, partition) DO NOTHING',
      });
    });
  }
}
