/**
 * What the owner of a partition does on its own account, at long intervals and in small portions. It looks into the tables, and what is to be done becomes an input of the room, so that it
 * stands in one order with everything else there, is done by whoever owns the partition then, and at most once: the input ID says what was found, and the decision looks again. Nothing is
 * lost with the process, because the tables say the same next time.
 */
import { createHash } from 'node:crypto';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import type { Runtime, Task } from '../../../pkg/runtime/runtime.ts';
import { untilLook } from '../../../pkg/runtime/until-look.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { noMetrics } from '../../../pkg/telemetry/metrics.ts';
import { findBranched } from './find-branched.ts';
import { findStates } from './find-states.ts';
import { readPurgesUnderWay } from './purge-row.ts';
import type { UpkeepWork } from './upkeep-work.ts';

export interface UpkeepDeps {
  readonly database: Database;
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
  /** Forward extremities of a room that are not joined yet. */
  readonly extremitiesMax: number;
}

export interface Upkeep {
  start(): void;
  /** Joins all branches of a room that have become too many, or are in too much conflict: each further event costs the more, the more there are. */
  joinSoon(partition: number, room: { readonly roomId: string; readonly extremities: readonly string[] }): void;
  stop(): Promise<void>;
}

/** The mean time between two looks. It is random around that, so that servers which share a room do not join its branches at the same moment. */
const EVERY_MS = 30_000;
/** How often purges are looked for, and how soon after a slice the next one comes: others come first. */
const PURGES_EVERY_MS = 2000;
const SLICE_EVERY_MS = 50;
/** How soon branches of one room are joined once more while they go on becoming many, and of how many rooms that is remembered. */
const JOIN_AGAIN_MS = 50;
const JOINED_MAX = 1000;

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { runtime, driver } = deps;
  const { clock, random, tasks, logger } = runtime;
  const appended = (runtime.metrics ?? noMetrics()).counter({ name: 'upkeep_inputs_total', help: 'Inputs by which the roomserver looks after its own tables, by kind', labels: ['kind'] });
  const branched = findBranched(deps);
  const beside = findStates({ database: deps.database, clock });
  let running: Task[] = [];
  /** By room: when its branches were last joined at once, by the monotonic clock. */
  const joined = new Map<string, number>();

  async function append({ partition, roomId, name, kind }: UpkeepWork): Promise<void> {
    const inputId = `upkeep:${createHash('sha256').update(JSON.stringify([roomId, ...name])).digest('base64url')}`;
    const record = roomInputCodec.encode({ inputId, replyTo: '', deadlineMs: 0, traceId: inputId, originServerTs: clock.now(), roomId, ...kind });
    await driver.append('room-input', partition, [record], { durable: false });
    appended.add({ kind: Object.keys(kind)[0]! });
  }

  async function round(): Promise<void> {
    const owned = deps.owned();
    if (owned.length === 0) return;
    for (const find of [branched, beside]) for (const work of await find(owned)) await append(work);
  }

  /** The next slice of each purge that is under way; how long to wait for the one after it. */
  async function purgeOn(): Promise<number> {
    const owned = deps.owned();
    const purges = owned.length === 0 ? [] : await readPurgesUnderWay(deps.database, owned);
    for (const { partition, roomId, purgeId, orderKey, eventsGone } of purges) {
      await append({ partition, roomId, name: ['purge', purgeId, orderKey, eventsGone], kind: { purgeSlice: { purgeId, afterOrderKey: orderKey } } });
    }
    return purges.length > 0 ? SLICE_EVERY_MS : untilLook(clock, PURGES_EVERY_MS);
  }

  async function repeat(signal: AbortSignal, waitMs: () => number, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(waitMs(), signal);
      if (signal.aborted) return;
      try {
        await work();
      } catch (error) {
        // The database or the log is away: they come back, and the tables say the same then.
        logger.warn({ error }, 'upkeep was put off');
      }
    }
  }

  return {
    joinSoon(partition, { roomId, extremities }) {
      const now = clock.monotonic();
      if (now - (joined.get(roomId) ?? -Infinity) < JOIN_AGAIN_MS) return;
      joined.delete(roomId);
      joined.set(roomId, now);
      if (joined.size > JOINED_MAX) joined.delete(joined.keys().next().value!);
      const kind = { joinBranches: { extremitiesMax: 1 } };
      // Lost, it is found by the next look.
      append({ partition, roomId, name: ['join at once', ...extremities], kind }).catch((error: unknown) => { logger.warn({ error }, 'branches were not joined at once'); });
    },
    start() {
      let purgeMs = PURGES_EVERY_MS;
      running = [
        tasks.spawn('roomserver upkeep', (signal) => repeat(signal, () => EVERY_MS * (0.5 + random.float()), round)),
        tasks.spawn('roomserver purges', (signal) => repeat(signal, () => purgeMs, async () => void (purgeMs = await purgeOn()))),
      ];
    },
    stop: async () => void (await Promise.all(running.map((task) => task.stop()))),
  };
}
