/** Events whose signers' keys could not be had: kept, and tried again for some hours. Their sender was told that all is well, and does not send them again. */
import type { BackoffBounds } from '../../../pkg/federation/backoff.ts';
import { LogUnavailable } from '../../../pkg/log/log.ts';
import type { Runtime, Task } from '../../../pkg/runtime/runtime.ts';
import { StorageError, type Database } from '../../../pkg/storage/database.ts';
import { deleteStagedPdus, stagePdus, takeDuePdus, type DuePdu, type StagedPdu } from '../storage/staged-pdus.ts';
import type { PduReceiver } from './receive-pdus.ts';

export interface StagedPdus {
  /** Keeps events of one server; the IDs of those that it has room for. Rejects with `StorageError`. */
  add(pdus: readonly StagedPdu[]): Promise<Set<string>>;
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
}

const PAUSES: BackoffBounds = { firstMs: 30_000, maxMs: 30 * 60_000, factor: 2, jitter: 0.2 };
const GIVE_UP_MS = 6 * 3_600_000;
const OF_ORIGIN_MAX = 1000;
const ALL_MAX = 10_000;
const AT_ONCE = 50;
/** Between looks; after a full batch sooner. */
const LOOK_MS = 15_000;
const FULL_MS = 1000;

export function createStagedPdus({ runtime, database, receiver }: { runtime: Runtime; database: Database; receiver: PduReceiver }): StagedPdus {
  const { clock, random, logger } = runtime;
  let task: Task | undefined;

  function pauseMs(attempts: number): number {
    const nominal = Math.min(PAUSES.firstMs * PAUSES.factor ** Math.min(attempts, 20), PAUSES.maxMs);
    return Math.round(nominal * (1 + PAUSES.jitter * (random.float() - 0.5)));
  }

  async function tryAgain(): Promise<number> {
    const nowMs = clock.now();
    const due = await takeDuePdus(database, { nowMs, limit: AT_ONCE, retryAtMs: (attempts) => nowMs + pauseMs(attempts + 1) });
    const old = due.filter(({ stagedAtMs }) => nowMs - stagedAtMs > GIVE_UP_MS);
    if (old.length > 0) logger.warn({ events: old.map(({ eventId }) => eventId) }, 'events were given up: the keys of their signers could not be had');
    await deleteStagedPdus(database, old);
    for (const [origin, ofOrigin] of Map.groupBy(due.filter((pdu) => !old.includes(pdu)), (pdu) => pdu.origin)) await tryThose(origin, ofOrigin);
    return due.length;
  }

  /** What is checked, whichever way that ended, needs not be kept any more. */
  async function tryThose(origin: string, pdus: readonly DuePdu[]): Promise<void> {
    const values = pdus.map(({ pdu }) => JSON.parse(Buffer.from(pdu).toString()) as unknown);
    const { lacking } = await receiver.receive(origin, values, '');
    const still = new Set(lacking.map(({ eventId }) => eventId));
    await deleteStagedPdus(database, pdus.filter(({ eventId }) => !still.has(eventId)));
  }

  async function work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let tried = 0;
      try {
        tried = await tryAgain();
      } catch (error) {
        if (!(error instanceof LogUnavailable) && !(error instanceof StorageError && error.kind !== 'bug')) throw error;
        logger.warn({ error }, 'events that wait for keys could not be tried again; they stay');
      }
      await clock.sleep(tried === AT_ONCE ? FULL_MS : LOOK_MS, signal);
    }
  }

  return {
    async add(pdus) {
      const nowMs = clock.now();
      return stagePdus(database, pdus, { nowMs, retryAtMs: nowMs + pauseMs(0), originMax: OF_ORIGIN_MAX, allMax: ALL_MAX });
    },
    start: async () => {
      task ??= runtime.tasks.spawn('events that wait for keys', work);
    },
    stop: async () => {
      await task?.stop();
      task = undefined;
    },
    health: () => undefined,
  };
}
