/** What inputs about a room's history stand on. */
import type { Frontier } from './frontier.ts';

export interface HistoryFacts {
  /** undefined: nothing is to be fetched. */
  readonly frontier: Frontier | undefined;
  /** Servers to ask, in this order. */
  readonly via: readonly string[];
  /** The lowest order key of the room. */
  readonly lowestKey: number;
  /** Events up to this depth were purged; -1: none. */
  readonly purgedDepth: number;
  /** Events that the answer of another server has brought, in no order; undefined: there is no answer, or it was not read. */
  readonly fetched: readonly string[] | undefined;
}
