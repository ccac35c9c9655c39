/**
 * How long one room may keep the others of a batch waiting. Inputs of a batch are decided in order; a share (what is slow together: a room) that has had its time gives way, and the rest of its
 * inputs is put aside into `parked_inputs` in the batch's own transaction, due at once: the next batch goes on with them. A share that nobody else waits for is stopped only when its inputs are
 * slow one by one: putting aside costs more than they do.
 */
import type { Clock } from '../runtime/runtime.ts';

/** Of a row that was put aside before it was decided; any other row was begun, or queues behind one that was. */
export const PUT_ASIDE = 0;
export const ASIDE_REASON = 'its room has had its turn';

/** ms of a batch: of one share while others wait, of one share alone, of all together. */
const SHARE_MS = 20;
const ALONE_MS = 50;
const BATCH_MS = 40;
/** ms of an input beyond which it is slow. */
const SLOW_MS = 1;

export interface Turns {
  /** Whether the share has had its time in this batch. */
  isOver(share: string): boolean;
  /** Runs what is done for one input of the share. */
  begin(share: string): void;
  end(): void;
  /** By share: inputs that were decided, and ms that they took. */
  readonly used: ReadonlyMap<string, Used>;
}

export interface Used {
  inputs: number;
  ms: number;
}

/** `shares`: how many the batch has. */
export function createTurns(clock: Pick<Clock, 'monotonic'>, shares: number): Turns {
  const used = new Map<string, Used>();
  let current: Used | undefined;
  let since = 0;
  let totalMs = 0;
  return {
    used,
    isOver(share) {
      const { inputs, ms } = used.get(share) ?? { inputs: 0, ms: 0 };
      if (shares === 1) return ms >= ALONE_MS && ms >= inputs * SLOW_MS;
      return ms >= SHARE_MS || (totalMs >= BATCH_MS && ms >= SLOW_MS);
    },
    begin(share) {
      current = used.get(share) ?? { inputs: 0, ms: 0 };
      used.set(share, current);
      current.inputs += 1;
      since = clock.monotonic();
    },
    end() {
      const ms = clock.monotonic() - since;
      if (current !== undefined) current.ms += ms;
      totalMs += ms;
      current = undefined;
    },
  };
}
