/** The time that a need's work has, and its end before that. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import { Abandoned } from './failure.ts';
import { timeIsOver } from './inputs.ts';
import type { NeedJob } from './job.ts';

export interface StartedJob {
  readonly job: NeedJob;
  /** The same need when its work is done or its time nearly over: for its answer. */
  readonly closing: NeedJob;
  /** The partition is not ours any more, or the process stops. */
  abandon(): void;
  /** Nothing of it runs any more. */
  end(): void;
}

/** What is left of a need's time for its answer: a tenth of it, at most this many ms. */
const CLOSING_MS_MAX = 2000;

export function startJob(clock: Clock, told: Pick<NeedJob, 'needId' | 'roomId' | 'roomVersion' | 'deadlineMs'>): StartedJob {
  const need = { ...told, runId: `${told.needId}@${told.deadlineMs}` };
  const leftMs = Math.max(0, need.deadlineMs - clock.now());
  const workUntilMs = need.deadlineMs - Math.min(CLOSING_MS_MAX, leftMs / 10);
  const working = new AbortController();
  const abandoned = new AbortController();
  const timer = clock.timer(Math.max(0, workUntilMs - clock.now()), () => working.abort());
  const checkOwned = (): void => {
    if (abandoned.signal.aborted) throw new Abandoned('the need is not carried out here any more');
  };
  return {
    job: {
      ...need, deadlineMs: workUntilMs, signal: working.signal,
      check() {
        checkOwned();
        if (working.signal.aborted || clock.now() >= workUntilMs) throw timeIsOver();
      },
    },
    closing: {
      ...need, signal: abandoned.signal,
      check() {
        checkOwned();
        if (clock.now() >= need.deadlineMs) throw new Abandoned('nobody waits for the answer any more');
      },
    },
    abandon() {
      abandoned.abort();
      working.abort();
    },
    end: () => timer.cancel(),
  };
}
