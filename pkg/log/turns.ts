/**
 * How long one room may keep the others of a batch waiting. Inputs of a batch are decided in order; a share (what is slow together: a room) that has had its time gives way, and the rest of its
 * inputs is put aside into `parked_inputs` in the batch's own transaction, due at once: the next batch goes on with them. A share that nobody else waits for is stopped only when its inputs are
 * slow one by one: putting aside costs more than they do, and so it does for a busy room whose inputs are quick, as long as they do not take too long together. What was put aside takes part in every second batch only while others have something
 * (`createAlternation`): who comes during one turn of it does not wait for another.
 *
 * On a machine whose cores are all busy an input takes tens of times its own time whenever other processes have the core meanwhile. That says nothing of its room, and counts neither for nor against its being quick.
 */
import type { Clock } from '../runtime/runtime.ts';

/** Of a row that was put aside before it was decided; any other row was begun, or queues behind one that was. */
export const PUT_ASIDE = 0;
export const ASIDE_REASON = 'its room has had its turn';

/** ms of a batch: of one share while others wait, of one share alone, of all together. */
const SHARE_MS = 10;
const ALONE_MS = 50;
const BATCH_MS = 20;
/** ms of an input beyond which it is slow: while others wait, and alone. What has to be read first makes a single one slow, which says nothing of the rest. */
const SLOW_MS = 1;
const SLOW_ALONE_MS = 2;
const ALONE_INPUTS_MIN = 20;
/** ms of an input on average, below which a share that has not given way yet may go on; and its time then. */
const QUICK_MS = 0.4;
const QUICK_SHARE_MS = 20;
/** ms without a core that are worth a word: less may be anybody's. */
const MISSED_MS_MIN = 1;

export interface Turns {
  /** Whether the share has had its time in this batch. `isAside`: what comes next of it was put aside already, so that to stop costs nothing. */
  isOver(share: string, isAside?: boolean): boolean;
  /** Runs what is done for one input of the share. */
  begin(share: string): void;
  end(): void;
  /** By share: inputs that were decided, and ms that they took. */
  readonly used: ReadonlyMap<string, Used>;
}

export interface Used {
  inputs: number;
  ms: number;
  /** The slowest. */
  slowestMs: number;
  /** Of `ms`: in which other processes had the core. */
  takenMs: number;
}

/** ms for which others that were there are expected again. */
const ABOUT_MS = 1000;

export interface Alternation {
  /** Whether the next batch takes what was put aside; `isAwaited`: something else waits. */
  takesAside(isAwaited: boolean): boolean;
  /** Of a batch: whether it took something that was put aside, and the shares that it decided inputs of. */
  note(batch: { readonly tookAside: boolean; readonly shares: Iterable<string> }): void;
  /** Whether more than one share had something lately. */
  areOthersAbout(): boolean;
}

export function createAlternation(clock: Pick<Clock, 'monotonic'>): Alternation {
  let hadAside = false;
  let last: string | undefined;
  let changedAt = -Infinity;
  return {
    takesAside: (isAwaited) => !(hadAside && isAwaited),
    note({ tookAside, shares }) {
      hadAside = tookAside;
      for (const share of shares) {
        if (last !== undefined && share !== last) changedAt = clock.monotonic();
        last = share;
      }
    },
    areOthersAbout: () => clock.monotonic() - changedAt < ABOUT_MS,
  };
}

const NOTHING: Used = { inputs: 0, ms: 0, slowestMs: 0, takenMs: 0 };

/** `shares`: how many the batch has. */
export function createTurns(clock: Pick<Clock, 'monotonic' | 'cores'>, shares: number): Turns {
  const used = new Map<string, Used>();
  let missedMs = clock.cores().missedMs;
  let current: Used | undefined;
  let since = 0;
  let totalMs = 0;
  return {
    used,
    isOver(share, isAside = false) {
      const { inputs, ms, slowestMs, takenMs } = used.get(share) ?? NOTHING;
      if (shares === 1) return inputs >= ALONE_INPUTS_MIN && ms >= ALONE_MS && ms - slowestMs >= inputs * SLOW_ALONE_MS;
      if (ms - takenMs < inputs * QUICK_MS) return ms - takenMs >= (isAside ? SHARE_MS : QUICK_SHARE_MS);
      return ms >= SHARE_MS || (totalMs >= BATCH_MS && ms >= SLOW_MS);
    },
    begin(share) {
      current = used.get(share) ?? { ...NOTHING };
      used.set(share, current);
      current.inputs += 1;
      since = clock.monotonic();
    },
    end() {
      const ms = clock.monotonic() - since;
      totalMs += ms;
      if (current !== undefined) {
        current.ms += ms;
        current.slowestMs = Math.max(current.slowestMs, ms);
        const sinceMs = ms > SLOW_MS ? clock.cores().missedMs - missedMs : 0;
        if (sinceMs > MISSED_MS_MIN) {
          // By inputs that were quick it cannot have been missed.
          current.takenMs += Math.min(ms, sinceMs);
          totalMs -= Math.min(ms, sinceMs);
          missedMs += sinceMs;
        }
      }
      current = undefined;
    },
  };
}
