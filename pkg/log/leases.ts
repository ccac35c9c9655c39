/**
 * Who owns which partition. A lease is a row with an owner, an epoch and an expiry, in the consumer's own database, for every driver alike. Taking
 * a partition over raises its epoch in `leases` and `positions` in one transaction; from then on every commit of the old owner fails
 * (`positions.ts`, fencing). So a lease that expires too early costs work, never correctness.
 *
 * Instances say that they are alive in `instances`; each takes up to its fair share and gives back what is above it.
 */
import type { Database, Transaction } from '../storage/database.ts';
import type { Runtime, Task } from '../runtime/runtime.ts';

/** A partition as it was when it was taken over. */
export interface Lease {
  readonly partition: number;
  readonly epoch: number;
  readonly transport: string;
  readonly position: number;
  readonly sequence: number;
  readonly relayed: number;
}

export interface LeaseOptions {
  readonly consumer: string;
  readonly database: Database;
  readonly runtime: Runtime;
  readonly partitions: number;
  /** This process is the only one that may use the database: leases are taken at once and never run out. */
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

export function createLeaseKeeper(options: LeaseOptions): LeaseKeeper {
  const { consumer, database, runtime, exclusive, partitions } = options;
  const ttlMs = exclusive ? Number.MAX_SAFE_INTEGER / 4 : (options.ttlMs ?? 4000);
  const renewMs = options.renewMs ?? 1000;
  const held = new Map<number, number>();
  let renewedAt = 0;
  let task: Task | undefined;

  async function lose(partition: number): Promise<void> {
    if (!held.delete(partition)) return;
    await options.revoked(partition);
  }

  /** One look at the table: renew, learn what was lost, give back what is too much, take what is free. */
  async function balance(): Promise<void> {
    const seen = await database.transaction((tx) => announce(tx));
    renewedAt = runtime.clock.monotonic();
    for (const [partition, epoch] of held) {
      const row = seen.rows.get(partition);
      if (row?.owner !== runtime.instanceId || row.epoch !== epoch) await lose(partition);
    }
    const share = Math.ceil(partitions / Math.max(1, seen.alive));
    const surplus = [...held.keys()].slice(share);
    for (const partition of surplus) await giveBack(partition);
    const wanted = [...seen.rows]
      .filter(([partition, row]) => !held.has(partition) && (exclusive || row.owner === NOBODY || row.expiresAt < seen.now))
      .map(([partition]) => partition)
      .slice(0, Math.max(0, share - held.size));
    if (wanted.length > 0) await takeOver(wanted);
  }

  async function announce(tx: Transaction) {
    const now = await tx.nowMs(runtime.clock.now());
    await tx.insertMany({
      into: 'instances', columns: ['consumer', 'instance', 'expires_at'], rows: [[consumer, runtime.instanceId, now + ttlMs]],
      onConflict: 'ON CONFLICT (consumer, instance) DO UPDATE SET expires_at = excluded.expires_at',
    });
    await tx.run('UPDATE leases SET expires_at = ? WHERE consumer = ? AND owner = ?', [now + ttlMs, consumer, runtime.instanceId]);
    const alive = await tx.query<{ n: number }>('SELECT count(*) AS n FROM instances WHERE consumer = ? AND expires_at >= ?', [consumer, now]);
    const rows = await tx.query<{ partition: number; owner: string; epoch: number; expires_at: number }>(
      'SELECT partition, owner, epoch, expires_at FROM leases WHERE consumer = ? ORDER BY partition', [consumer]);
    return {
      now,
      alive: exclusive ? 1 : (alive[0]?.n ?? 1),
      rows: new Map(rows.map((row) => [row.partition, { owner: row.owner, epoch: row.epoch, expiresAt: row.expires_at }])),
    };
  }

  async function takeOver(wanted: readonly number[]): Promise<void> {
    const leases = await database.transaction(async (tx) => {
      const now = await tx.nowMs(runtime.clock.now());
      const taken: number[] = [];
      for (const partition of wanted) {
        const free = exclusive ? '' : ` AND (owner = '${NOBODY}' OR expires_at < ?)`;
        const { changes } = await tx.run(
          `UPDATE leases SET owner = ?, epoch = epoch + 1, expires_at = ? WHERE consumer = ? AND partition = ?${free}`,
          [runtime.instanceId, now + ttlMs, consumer, partition, ...(exclusive ? [] : [now])]);
        if (changes === 1) taken.push(partition);
      }
      // Waits for a commit of the old owner that is under way; what it commits later is fenced off.
      for (const partition of taken) {
        await tx.run('UPDATE positions SET epoch = (SELECT epoch FROM leases l WHERE l.consumer = ? AND l.partition = ?) WHERE consumer = ? AND partition = ?',
          [consumer, partition, consumer, partition]);
      }
      return tx.queryIn<{ partition: number; epoch: number; transport: string; position: number; sequence: number; relayed: number }>(
        'SELECT partition, epoch, transport, position, sequence, relayed FROM positions WHERE consumer = ? AND partition IN (??)', [consumer], taken);
    });
    for (const lease of leases) {
      held.set(lease.partition, lease.epoch);
      await options.acquired(lease);
    }
  }

  async function giveBack(partition: number): Promise<void> {
    const epoch = held.get(partition);
    if (epoch === undefined) return;
    await lose(partition);
    await database.transaction((tx) =>
      tx.run('UPDATE leases SET owner = ?, expires_at = 0 WHERE consumer = ? AND partition = ? AND epoch = ? AND owner = ?',
        [NOBODY, consumer, partition, epoch, runtime.instanceId]));
  }

  async function createRows(): Promise<void> {
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

  async function keepBalancing(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await runtime.clock.sleep(exclusive ? renewMs * 60 : renewMs, signal);
      if (signal.aborted) return;
      try {
        await balance();
      } catch (error) {
        runtime.logger.warn({ consumer, error }, 'leases could not be renewed');
      }
    }
  }

  return {
    async start() {
      await createRows();
      await balance();
      task = runtime.tasks.spawn(`leases ${consumer}`, keepBalancing);
    },
    async stop() {
      await task?.stop();
      for (const partition of [...held.keys()]) {
        await giveBack(partition).catch((error: unknown) => runtime.logger.warn({ consumer, partition, error }, 'lease was not given back; it will run out'));
      }
      await database.transaction((tx) => tx.run('DELETE FROM instances WHERE consumer = ? AND instance = ?', [consumer, runtime.instanceId])).catch(() => undefined);
    },
    lost: (partition) => void held.delete(partition),
    held: () => [...held.keys()],
    health() {
      if (exclusive || runtime.clock.monotonic() - renewedAt < ttlMs * 2) return undefined;
      return `${consumer} has not renewed its leases for ${Math.round((runtime.clock.monotonic() - renewedAt) / 1000)} s`;
    },
  };
}
