/**
 * Whose keys are asked for at once. Anybody can name servers that never answer, by the thousand, without a signature; so servers of one neighbourhood (a domain with all below it, a network
 * of addresses) have few places, those that were met before have places of their own, and whoever takes long gives its place away while it goes on.
 */
import { parseServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import { createLane, type LaneLimits } from './lane.ts';

export interface KeyTurns {
  /** Runs `work` when it is its turn; `isKnown`: keys of the server are known from before. Rejects with `Overloaded` when too many wait already. */
  run<T>(server: { readonly name: string; readonly isKnown: boolean }, work: () => Promise<T>): Promise<T>;
}

export const KEY_TURNS: LaneLimits = { places: 32, ofKey: 12, waitingOfKey: 100, waiting: 2000, slowMs: 1000, slowMax: 300 };

export function createKeyTurns(clock: Pick<Clock, 'timer'>, limits: LaneLimits = KEY_TURNS): KeyTurns {
  const strangers = createLane({ name: 'requests for keys of strangers', clock, limits });
  const known = createLane({ name: 'requests for keys', clock, limits: { ...limits, ofKey: limits.places, waitingOfKey: limits.waiting } });
  return { run: ({ name, isKnown }, work) => (isKnown ? known : strangers).run(neighbourhoodOf(name), work) };
}

/** The last two labels of a host name, the first two numbers of an IPv4 address, the first two groups of an IPv6 address. */
export function neighbourhoodOf(serverName: string): string {
  const { host, isIpLiteral } = parseServerName(serverName) ?? { host: '', isIpLiteral: false };
  if (isIpLiteral) return host.split(host.includes(':') ? ':' : '.').slice(0, 2).join('.');
  return host.toLowerCase().replace(/\.$/, '').split('.').slice(-2).join('.');
}
