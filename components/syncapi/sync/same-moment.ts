/** Requests that have come in the same moment go on together, so that what they ask of the database is asked once for all of them (`gatherIn`). Nobody waits for others who may come. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';

/** Returns what resolves, for all who have called it meanwhile, when what has arrived by now has been taken in. */
export function createSameMoment(clock: Clock): () => Promise<void> {
  let moment: Promise<void> | undefined;
  return () => (moment ??= clock.yield().then(() => {
    moment = undefined;
  }));
}
