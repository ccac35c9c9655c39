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

/** `areRoomsKnown`: it is certain in which rooms the user is. undefined, then only: the client has all that this process knows of, and so need not be looked for in the tables. */
export type LookFor<Answer> = (areRoomsKnown: boolean) => Promise<Answer> | undefined;

/** The first look that is not empty, or the last one; undefined: the client has gone, and nobody reads an answer. What was looked at is held by nobody while it waits. */
export async function untilNews<Answer extends Look>(deps: Pick<ReadDeps, 'notifier' | 'runtime'>, { userId, dueAt, departure, ended }: Patience, look: LookFor<Answer>): Promise<Answer | undefined> {
  const { clock } = deps.runtime;
  const waiter = dueAt <= clock.monotonic() ? undefined : deps.notifier.waiter(userId);
  try {
    if (waiter === undefined) return await look(false);
    for (;;) {
      // Registered before the look: what commits from here on wakes the wait below.
      waiter.clear();
      let answer = await look(waiter.isCertain);
      if (answer !== undefined && (!answer.empty || departure.isDue)) return answer;
      const isNew = answer !== undefined && waiter.watch(answer.watched);
      answer = undefined;
      if (isNew) continue;
      const reason = await waiter.wait(dueAt - clock.monotonic(), departure);
      if (departure.isGone) return undefined;
      // A last look, in case that a signal was lost.
      if (reason !== 'woken') return await look(false);
    }
  } finally {
    waiter?.close();
    ended?.();
  }
}
