/** Long polls: looks again whenever something happens that may concern the user, until there is something to say or the time is over. */
import type { ReadDeps } from './deps.ts';

export interface Look {
  /** There is nothing to say but where the client is now. */
  readonly empty: boolean;
  /** Rooms whose changes concern the client. */
  readonly watched: readonly string[];
}

export interface Patience {
  readonly userId: string;
  /** Monotonic time in ms at which the answer is due at the latest. */
  readonly dueAt: number;
  /** Aborted: whatever the last look saw is the answer. */
  readonly signal: AbortSignal;
}

/** The first look that is not empty, or the last one. */
export async function untilNews<Answer extends Look>(deps: Pick<ReadDeps, 'notifier' | 'runtime'>, { userId, dueAt, signal }: Patience, look: () => Promise<Answer>): Promise<Answer> {
  const { clock } = deps.runtime;
  if (dueAt <= clock.monotonic()) return look();
  const waiter = deps.notifier.waiter(userId);
  try {
    for (;;) {
      // Registered before the look: what commits from here on wakes the wait below.
      waiter.clear();
      const answer = await look();
      if (!answer.empty || signal.aborted) return answer;
      if (waiter.watch(answer.watched)) continue;
      const ended = await waiter.wait(dueAt - clock.monotonic(), signal);
      if (ended === 'aborted') return answer;
      // A last look, in case that a signal was lost.
      if (ended === 'timeout') return await look();
    }
  } finally {
    waiter.close();
  }
}
