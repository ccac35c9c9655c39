/**
 * The log inside one process. Input logs live in their consumer's database (`tables.ts`), output logs in their producer's outbox; what is on its way
 * goes through memory (`lane.ts`). Concurrent durable appends share one transaction; what need not be durable touches no disk, and has its place in the
 * same order.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import type { Database } from '../../storage/database.ts';
import { migrate } from '../../storage/migrate.ts';
import { LogUnavailable, type AppendOptions, type InputLogName, type LogDriver, type LogName } from '../log.ts';
import { createLocalSignals } from '../local-signals.ts';
import { packRecords, splitIntoPacks } from '../pack.ts';
import { createLane, type Lane, type Slot } from './lane.ts';
import { EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, readPacks, reserveOffsets } from './tables.ts';

export { EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, trim } from './tables.ts';

export interface EmbeddedDriverOptions {
  /** The consumers' databases; an input log without one cannot be used. Their tables are made here if need be. */
  readonly inputDatabases: { readonly [log in InputLogName]?: Database };
  readonly runtime: Runtime;
  /** What a partition may hold in memory; beyond that input logs refuse records and output logs leave them to the outbox. */
  readonly laneBytesMax?: number;
  readonly lanePacksMax?: number;
}

const LANE_BYTES_MAX = 16 * 1024 * 1024;
const LANE_PACKS_MAX = 10_000;
const GROUP_PACKS_MAX = 500;
/** Without another attempt, a failure says nothing any more after this time. */
const FAILURE_MS = 30_000;
/** Offsets that must be left before the next block is reserved in the background. */
const RESERVE_AHEAD = 2 ** 18;

interface DurableAppend {
  readonly lane: Lane;
  readonly partition: number;
  readonly slots: readonly Slot[];
  readonly resolve: () => void;
  readonly reject: (reason: LogUnavailable) => void;
}

/** Opens the driver; rejects with `StorageError` when a database cannot be read. */
export async function createEmbeddedDriver(options: EmbeddedDriverOptions): Promise<LogDriver> {
  const { runtime } = options;
  const stores = new Map<LogName, InputStore>();
  for (const [log, database] of Object.entries(options.inputDatabases) as [InputLogName, Database][]) {
    await migrate(database, EMBEDDED_LOG_COMPONENT, embeddedLogMigrations, runtime.clock.now());
    stores.set(log, createInputStore(log, database, runtime, await reserveOffsets(database, log)));
  }
  const lanes = new Map<string, Lane>();
  const signals = createLocalSignals(runtime);
  let closed = false;

  function laneOf(log: LogName, partition: number): Lane {
    const name = `${log}/${partition}`;
    const existing = lanes.get(name);
    if (existing) return existing;
    const store = stores.get(log);
    if (!store && log.endsWith('-input')) throw new LogUnavailable(`${log} has no database here`);
    const lane = createLane({
      name, runtime,
      next: store?.first ?? 1,
      bytesMax: options.laneBytesMax ?? LANE_BYTES_MAX,
      packsMax: options.lanePacksMax ?? LANE_PACKS_MAX,
      whenFull: store ? 'refuse' : 'drop',
      ...(store ? { readBelow: (from: number, below: number) => store.read(partition, from, below) } : {}),
    });
    lanes.set(name, lane);
    return lane;
  }

  return {
    name: 'embedded',
    transportId: 'embedded',
    async append(log, partition, records, { durable = true }: AppendOptions = {}) {
      if (closed) throw new LogUnavailable('the log is closed');
      const packs = splitIntoPacks(records);
      if (packs.length === 0) return;
      const lane = laneOf(log, partition);
      const store = stores.get(log);
      await store?.room(lane, packs.length);
      if (store && durable) await store.append(lane, partition, packs);
      else for (const pack of packs) lane.put(pack, { ready: true, volatile: store !== undefined });
    },
    async subscribe(log, partition, from, deliver) {
      return laneOf(log, partition).subscribe(from, deliver);
    },
    head: async (log, partition) => laneOf(log, partition).next(),
    signal: signals.send,
    listen: async (channel, receive) => signals.listen(channel, receive),
    health() {
      if (closed) return 'the log is closed';
      for (const store of stores.values()) {
        const sentence = store.health();
        if (sentence) return sentence;
      }
      return undefined;
    },
    async close() {
      closed = true;
      for (const store of stores.values()) await store.idle();
    },
  };
}

interface InputStore {
  /** The first offset of this process. */
  readonly first: number;
  read(partition: number, from: number, below: number): ReturnType<typeof readPacks>;
  /** Makes sure that the next `count` offsets of the lane are reserved. */
  room(lane: Lane, count: number): Promise<void>;
  append(lane: Lane, partition: number, packs: readonly Uint8Array[][]): Promise<void>;
  health(): string | undefined;
  idle(): Promise<void>;
}

function createInputStore(log: InputLogName, database: Database, runtime: Runtime, block: { from: number; to: number }): InputStore {
  let reservedTo = block.to;
  let reserving: Promise<void> | undefined;
  let waiting: DurableAppend[] = [];
  let writing: Promise<void> | undefined;
  let failure: { sentence: string; at: number } | undefined;

  function reserve(): Promise<void> {
    reserving ??= reserveOffsets(database, log)
      .then(({ to }) => { reservedTo = to; })
      .finally(() => { reserving = undefined; });
    return reserving;
  }

  async function writeGroup(group: readonly DurableAppend[]): Promise<void> {
    const rows = group.flatMap(({ partition, slots }) => slots.map((slot) => [log, partition, slot.offset, packRecords(slot.records)]));
    try {
      await database.transaction((tx) => tx.insertMany({ into: 'log_records', columns: ['log', 'partition', 'place', 'pack'], rows }));
      failure = undefined;
    } catch (cause) {
      const sentence = `${log} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
      failure = { sentence, at: runtime.clock.monotonic() };
      for (const { lane, slots, reject } of group) {
        for (const slot of slots) lane.settle(slot, false);
        reject(new LogUnavailable(sentence, { cause }));
      }
      return;
    }
    for (const { lane, slots, resolve } of group) {
      for (const slot of slots) lane.settle(slot, true);
      resolve();
    }
  }

  async function write(): Promise<void> {
    // What is ready to append now shares the first transaction.
    await runtime.clock.yield();
    while (waiting.length > 0) {
      const group = waiting.slice(0, GROUP_PACKS_MAX);
      waiting = waiting.slice(group.length);
      await writeGroup(group);
    }
    writing = undefined;
  }

  return {
    first: block.from,
    read: (partition, from, below) => readPacks(database, log, partition, { from, below }),
    async room(lane, count) {
      if (lane.next() + count > reservedTo) {
        await reserve().catch((cause: unknown) => { throw new LogUnavailable(`${log} cannot be written`, { cause }); });
      } else if (lane.next() + RESERVE_AHEAD > reservedTo) {
        reserve().catch((err: unknown) => runtime.logger.warn({ err, log }, 'cannot reserve offsets'));
      }
    },
    append: (lane, partition, packs) => new Promise((resolve, reject) => {
      const slots: Slot[] = [];
      try {
        for (const pack of packs) slots.push(lane.put(pack, { ready: false, volatile: false }));
      } catch (error) {
        for (const slot of slots) lane.settle(slot, false);
        throw error;
      }
      waiting.push({ lane, partition, slots, resolve, reject });
      writing ??= write();
    }),
    health: () => (failure && runtime.clock.monotonic() - failure.at < FAILURE_MS ? failure.sentence : undefined),
    idle: async () => {
      while (writing) await writing;
      await reserving?.catch(() => undefined);
    },
  };
}
