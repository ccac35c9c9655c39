import type { Seeded } from '../seeded.ts';

/** What goes wrong between servers; drawn from the seed. Probabilities per request, times in ms. */
export interface NetworkRates {
  /** The request never arrives, and the asker waits until its deadline, or until its system finds that the path is dead. */
  readonly requestLost: number;
  /** Nobody takes the connection. */
  readonly refused: number;
  /** Carried out; the answer never comes, as above. */
  readonly answerLost: number;
  /** Carried out; the connection breaks before the answer. */
  readonly answerBroken: number;
  /** Carried out once more, some time later. */
  readonly repeated: number;
  /** A proxy before the server answers 502 or 503 and nothing is carried out. */
  readonly proxyFailed: number;
  /** The same, after it was carried out. */
  readonly proxyGaveUp: number;
  readonly delayMsMax: number;
  /** Between the ends of one netsplit and the begin of the next. 0: there are none. */
  readonly splitEveryMs: number;
  readonly splitMsMax: number;
  /** Netsplits part the servers in two groups; else they part two servers, often one way only. */
  readonly islands: boolean;
  /** The server that is slow to reach, by its place in the list of all; -1: none. Its delays are longer by `slowMsMax`. */
  readonly slow: number;
  readonly slowMsMax: number;
}

export const QUIET_NETWORK: NetworkRates = {
  requestLost: 0, refused: 0, answerLost: 0, answerBroken: 0, repeated: 0, proxyFailed: 0, proxyGaveUp: 0, delayMsMax: 20, splitEveryMs: 0, splitMsMax: 0, islands: false, slow: -1, slowMsMax: 0,
};

export function drawNetwork(random: Seeded): NetworkRates {
  const maybe = (most: number): number => (random.chance(0.5) ? random.float() * most : 0);
  return {
    requestLost: maybe(0.05),
    refused: maybe(0.1),
    answerLost: maybe(0.05),
    answerBroken: maybe(0.1),
    repeated: maybe(0.1),
    proxyFailed: maybe(0.1),
    proxyGaveUp: maybe(0.05),
    delayMsMax: random.pick([5, 50, 400, 3000]),
    splitEveryMs: random.chance(0.6) ? random.between(5000, 60_000) : 0,
    splitMsMax: random.pick([3000, 20_000, 90_000]),
    islands: false,
    slow: random.chance(0.25) ? random.whole(0, 1) : -1,
    slowMsMax: random.pick([3000, 20_000]),
  };
}

/** Traffic that is cut and healed again and again, for as long as it flows in between; and the other faults, as they come. */
export function drawPartitions(random: Seeded): NetworkRates {
  return { ...drawNetwork(random), splitEveryMs: random.between(1000, 8000), splitMsMax: random.pick([10_000, 30_000, 90_000]), islands: true };
}
