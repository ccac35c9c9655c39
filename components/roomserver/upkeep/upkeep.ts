/**
 * What the owner of a partition does on its own account, at long intervals and in small portions. It looks into the tables, and what is to be done becomes an input of the room, so that it
 * stands in one order with everything else there, is done by whoever owns the partition then, and at most once: the input ID says what was found, and the decision looks again. Nothing is
 * lost with the process, because the tables say the same next time.
 */
import { createHash } from 'node:crypto';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import type { Runtime, Task } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { noMetrics } from '../../../pkg/telemetry/metrics.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { findBranched } from './find-branched.ts';

export interface UpkeepDeps {
  readonly database: Database;
  readonly driver: LogDriver;
  readonly runtime: Runtime;
  /** The partitions that this process owns now. */
  readonly owned: () => readonly number[];
  /** Forward extremities of a room that are not joined yet. */
  readonly extremitiesMax: number;
}

/** What is to be appended, and to where. */
export interface UpkeepWork {
  readonly partition: number;
  readonly roomId: string;
  /** Says what was found: the same again is the same input. */
  readonly name: readonly (string | number)[];
  readonly kind: Pick<RoomInput, 'joinBranches' | 'collectStates' | 'purgeSlice'>;
}

export interface Upkeep {
  start(): void;
  stop(): Promise<void>;
}

/** The mean time between two looks. It is random around that, so that servers which share a room do not join its branches at the same moment. */
const EVERY_MS = 30_000;

export function createUpkeep(deps: UpkeepDeps): Upkeep {
  const { runtime, driver } = deps;
  const { clock, random, tasks, logger } = runtime;
  const appended = (runtime.metrics ?? noMetrics()).counter({ name: 'upkeep_inputs_total', help: 'Inputs by which the roomserver looks after its own tables, by kind', labels: ['kind'] });
  const branched = findBranched(deps);
  let task: Task | undefined;

  async function append({ partition, roomId, name, kind }: UpkeepWork): Promise<void> {
    const inputId = `upkeep:${createHash('sha256').update(JSON.stringify([roomId, ...name])).digest('base64url')}`;
    const record = roomInputCodec.encode({ inputId, replyTo: '', deadlineMs: 0, traceId: inputId, originServerTs: clock.now(), roomId, ...kind });
    await driver.append('room-input', partition, [record], { durable: false });
    appended.add({ kind: Object.keys(kind)[0]! });
  }

  async function round(): Promise<void> {
    const owned = deps.owned();
    if (owned.length === 0) return;
    for (const work of await branched(owned)) await append(work);
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(EVERY_MS * (0.5 + random.float()), signal);
      if (signal.aborted) return;
      try {
        await round();
      } catch (error) {
        // The database or the log is away: they come back, and the tables say the same then.
        logger.warn({ error }, 'upkeep was put off');
      }
    }
  }

  return {
    start: () => void (task ??= tasks.spawn('roomserver upkeep', run)),
    stop: async () => task?.stop(),
  };
}
