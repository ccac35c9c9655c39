/**
 * Which servers are left alone, and until when, goes into the tables a little later than it happens, together: who fails need not be waited for. What a crash loses of it costs a try more.
 */
import type { Backoff } from '../../../pkg/federation/backoff.ts';
import type { Clock, Timer } from '../../../pkg/runtime/runtime.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';
import { writeBackoffs, type FailingRow } from '../storage/destinations.ts';
import type { Settle } from './settle.ts';

export interface BackoffWrites {
  note(destination: { readonly name: string; readonly partition: number }, backoff: Backoff): void;
  /** It fails no longer: nothing of it is written that was noted before. */
  forget(name: string): void;
  /** Resolves when all that was noted is in the tables, or could not be written. */
  flush(): Promise<void>;
}

const EVERY_MS = 2000;

export function createBackoffWrites({ clock, logger }: { readonly clock: Pick<Clock, 'timer'>; readonly logger: Logger }, settle: Settle): BackoffWrites {
  const noted = new Map<string, FailingRow>();
  let timer: Timer | undefined;

  function setTimer(): void {
    timer ??= clock.timer(EVERY_MS, () => void flush());
  }

  async function flush(): Promise<void> {
    timer?.cancel();
    timer = undefined;
    if (noted.size === 0) return;
    const rows = [...noted.values()];
    try {
      // Asked for in the moment of writing: what was forgotten meanwhile is not written.
      await settle((tx) => writeBackoffs(tx, rows.filter((row) => noted.get(row.name) === row)));
      for (const row of rows) if (noted.get(row.name) === row) noted.delete(row.name);
    } catch (error) {
      logger.warn({ error }, 'which servers fail could not be written; it is tried again');
    }
    if (noted.size > 0) setTimer();
  }

  return {
    note({ name, partition }, backoff) {
      noted.set(name, { name, partition, backoff });
      setTimer();
    },
    forget: (name) => void noted.delete(name),
    flush,
  };
}
