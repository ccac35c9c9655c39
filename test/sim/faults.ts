import type { Seeded } from './seeded.ts';

/** How often what goes wrong; drawn from the seed, so that some worlds are calm and some are wild. Probabilities per operation, times in ms. */
export interface FaultRates {
  readonly crashPerStep: number;
  readonly pausePerStep: number;
  readonly appendRefused: number;
  readonly appendLostUnacked: number;
  readonly appendStoredUnacked: number;
  readonly appendDuplicated: number;
  /** Acknowledged, then lost: a broker that had not synced. */
  readonly appendLostAcked: number;
  readonly redelivered: number;
  readonly signalLost: number;
  readonly transactionAborted: number;
  readonly commitUnknown: number;
  /** The same, and the commit itself lands only some time later. */
  readonly commitLate: number;
  readonly readFailed: number;
  readonly responseLost: number;
  readonly delayMsMax: number;
}

export const NO_FAULTS: FaultRates = {
  crashPerStep: 0, pausePerStep: 0, appendRefused: 0, appendLostUnacked: 0, appendStoredUnacked: 0, appendDuplicated: 0, appendLostAcked: 0, redelivered: 0, signalLost: 0,
  transactionAborted: 0, commitUnknown: 0, commitLate: 0, readFailed: 0, responseLost: 0, delayMsMax: 3,
};

export function drawFaults(random: Seeded): FaultRates {
  const maybe = (most: number): number => (random.chance(0.6) ? random.float() * most : 0);
  return {
    crashPerStep: maybe(0.002),
    pausePerStep: maybe(0.001),
    appendRefused: maybe(0.05),
    appendLostUnacked: maybe(0.05),
    appendStoredUnacked: maybe(0.1),
    appendDuplicated: maybe(0.1),
    appendLostAcked: maybe(0.05),
    redelivered: maybe(0.1),
    signalLost: maybe(0.2),
    transactionAborted: maybe(0.05),
    commitUnknown: maybe(0.05),
    readFailed: maybe(0.02),
    responseLost: maybe(0.05),
    delayMsMax: random.pick([2, 10, 50, 400]),
    commitLate: maybe(0.05),
  };
}
