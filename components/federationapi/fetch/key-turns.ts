/**
 * Whose keys are asked for at once. Anybody can name servers that never answer, by the thousand, without a signature; so servers of one neighbourhood (a domain with all below it, a network
 * of addresses) have few places, those that were met before have places of their own, and whoever takes long gives its place away while it goes on.
 */
import { Overloaded } from '../../../pkg/assert/semaphore.ts';
import { parseServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';

export interface KeyTurns {
  /** Runs `work` when it is its turn; `isKnown`: keys of the server are known from before. Rejects with `Overloaded` when too many wait already. */
  run<T>(server: { readonly name: string; readonly isKnown: boolean }, work: () => Promise<T>): Promise<T>;
}

export interface TurnLimits {
  /** At once, of those that are not slow. */
  readonly places: number;
  /** At once of one neighbourhood, slow ones included. */
  readonly ofNeighbourhood: number;
  /** In line, of one neighbourhood and of all. */
  readonly waitingOfNeighbourhood: number;
  readonly waiting: number;
  /** Who takes longer than this (ms) gives its place away, as long as there are no more than `slow` of them. */
  readonly slowMs: number;
  readonly slow: number;
}

export const KEY_TURNS: TurnLimits = { places: 32, ofNeighbourhood: 12, waitingOfNeighbourhood: 100, waiting: 2000, slowMs: 1000, slow: 300 };

interface Waiting {
  readonly neighbourhood: string;
  readonly begin: () => void;
}

export function createKeyTurns(clock: Pick<Clock, 'timer'>, limits: TurnLimits = KEY_TURNS): KeyTurns {
  const strangers = createLane(clock, limits);
  const known = createLane(clock, { ...limits, ofNeighbourhood: limits.places, waitingOfNeighbourhood: limits.waiting });
  return { run: ({ name, isKnown }, work) => (isKnown ? known : strangers)(neighbourhoodOf(name), work) };
}

function createLane(clock: Pick<Clock, 'timer'>, limits: TurnLimits): <T>(neighbourhood: string, work: () => Promise<T>) => Promise<T> {
  /** First come, first served, but for those whose neighbourhood has all its places. */
  const line = new Set<Waiting>();
  const running = new Map<string, number>();
  let [fast, slow] = [0, 0];

  const mayRun = (neighbourhood: string): boolean => fast < limits.places && (running.get(neighbourhood) ?? 0) < limits.ofNeighbourhood;

  function fill(): void {
    for (const one of line) {
      if (fast >= limits.places) return;
      if (mayRun(one.neighbourhood)) {
        line.delete(one);
        one.begin();
      }
    }
  }

  function enter(neighbourhood: string): () => void {
    let isSlow = false;
    fast += 1;
    running.set(neighbourhood, (running.get(neighbourhood) ?? 0) + 1);
    const timer = clock.timer(limits.slowMs, () => {
      if (slow >= limits.slow) return;
      isSlow = true;
      slow += 1;
      fast -= 1;
      fill();
    });
    return () => {
      timer.cancel();
      if (isSlow) slow -= 1;
      else fast -= 1;
      const left = (running.get(neighbourhood) ?? 1) - 1;
      if (left === 0) running.delete(neighbourhood);
      else running.set(neighbourhood, left);
      fill();
    };
  }

  function wait(neighbourhood: string): Promise<() => void> {
    const ofNeighbourhood = [...line].filter((one) => one.neighbourhood === neighbourhood).length;
    if (line.size >= limits.waiting || ofNeighbourhood >= limits.waitingOfNeighbourhood) return Promise.reject(new Overloaded(`${line.size} servers wait already to be asked for their keys`));
    return new Promise((resolve) => line.add({ neighbourhood, begin: () => resolve(enter(neighbourhood)) }));
  }

  return async (neighbourhood, work) => {
    const leave = mayRun(neighbourhood) ? enter(neighbourhood) : await wait(neighbourhood);
    try {
      return await work();
    } finally {
      leave();
    }
  };
}

/** The last two labels of a host name, the first two numbers of an IPv4 address, the first two groups of an IPv6 address. */
export function neighbourhoodOf(serverName: string): string {
  const { host, isIpLiteral } = parseServerName(serverName) ?? { host: '', isIpLiteral: false };
  if (isIpLiteral) return host.split(host.includes(':') ? ':' : '.').slice(0, 2).join('.');
  return host.toLowerCase().replace(/\.$/, '').split('.').slice(-2).join('.');
}
