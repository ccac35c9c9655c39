/** Long polls: looks again whenever something happens that may concern the user, until there is something to say or the time is over. */
import type { Departure } from '../../../pkg/http/departure.ts';
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
  /** When it is due, so is the answer. */
  readonly departure: Departure;
  /** Called when it is over. */
  readonly ended?: (() => void) | undefined;
}

/** The first look that is not empty, or the last one; undefined: the client has gone, and nobody reads an answer. What was looked at is held by nobody while it waits. */
export async function untilNews<Answer extends Look>(deps: Pick<ReadDeps, 'notifier' | 'runtime'>, { userId, dueAt, departure, ended }: Patience, look: () => Promise<Answer>): Promise<Answer | undefined> {
  const { clock } = deps.runtime;
  const waiter = dueAt <= clock.monotonic() ? undefined : deps.notifier.waiter(userId);
  try {
    if (waiter === undefined) return await look();
    for (;;) {
      // Registered before the look: what commits from here on wakes the wait below.
      waiter.clear();
      let answer: Answer | undefined = await look();
      if (!answer.empty || departure.isDue) return answer;
      const isNew = waiter.watch(answer.watched);
      answer = undefined;
      if (isNew) continue;
      const reason = await waiter.wait(dueAt - clock.monotonic(), departure);
      if (departure.isGone) return undefined;
      // A last look, in case that a signal was lost.
      if (reason !== 'woken') return await look();
    }
  } finally {
    waiter?.close();
    ended?.();
  }
}
