/** `resolveServerName` with what is remembered between calls, and with overrides. State: results by host name, bounded. */
import { parseServerName } from '../matrix/ids/server-name.ts';
import type { Clock, Random } from '../runtime/runtime.ts';
import { ServerNameError, resolveServerName } from './resolve-server-name.ts';
import type { Resolved, Target } from './resolve-server-name.ts';
import { orderSrvRecords } from './srv-order.ts';
import type { SrvRecord } from './srv-order.ts';
import { readWellKnown } from './well-known.ts';
import type { WellKnownLifetimes, WellKnownResponse } from './well-known.ts';

/** What asks the outside world. */
export interface ResolutionEffects {
  /** GET `https://<hostname>/.well-known/matrix/server` with redirects followed; undefined when there is no usable answer. Never rejects. */
  fetchWellKnown(hostname: string): Promise<WellKnownResponse | undefined>;
  /** The SRV records of a name in any order; an empty list when there are none or nobody could say. Never rejects. */
  lookUpSrv(name: string): Promise<readonly SrvRecord[]>;
}

export interface ServerNameResolver {
  /** Rejects with `ServerNameError`. */
  resolve(serverName: string): Promise<Resolved>;
  /** The server could not be reached as it was resolved: its records are looked up again next time. */
  forget(serverName: string): void;
}

/** Where a server is whatever its name says; the certificate must still be that of its name. */
export type Overrides = ReadonlyMap<string, Target>;

interface Delegation {
  readonly delegated: string | undefined;
  readonly expiresAtMs: number;
  /** From then on it is asked for again while it still counts. */
  readonly refreshAtMs: number;
  readonly failures: number;
}

/** SRV records carry a lifetime that Node does not tell, so they are kept briefly. */
const SRV_LIFETIME_MS = 5 * 60_000;
const HOSTS_MAX_DEFAULT = 10_000;
/** Of a delegation's lifetime; nobody waits for what is asked in the rest of it, and a host whose web server is down for that long is found all the same. */
const FRESH_SHARE = 0.8;

export function createServerNameResolver(options: {
  readonly effects: ResolutionEffects;
  readonly clock: Clock;
  readonly random: Random;
  readonly overrides?: Overrides;
  readonly lifetimes?: WellKnownLifetimes;
  /** Host names remembered; the oldest go first. */
  readonly hostsMax?: number;
}): ServerNameResolver {
  const { effects, clock, random, overrides, lifetimes, hostsMax = HOSTS_MAX_DEFAULT } = options;
  const delegations = new Map<string, Delegation>();
  const srvAnswers = new Map<string, { records: readonly SrvRecord[]; expiresAtMs: number }>();
  const underWay = new Map<string, Promise<Resolved>>();
  /** Hosts that are asked again in the background. */
  const refreshing = new Set<string>();

  async function wellKnown(hostname: string): Promise<string | undefined> {
    const before = delegations.get(hostname);
    if (before === undefined || clock.now() >= before.expiresAtMs) return askHost(hostname, before);
    if (clock.now() >= before.refreshAtMs && !refreshing.has(hostname)) {
      refreshing.add(hostname);
      void askHost(hostname, before).finally(() => refreshing.delete(hostname));
    }
    return before.delegated;
  }

  async function askHost(hostname: string, before: Delegation | undefined): Promise<string | undefined> {
    const failuresBefore = before?.failures ?? 0;
    const response = await effects.fetchWellKnown(hostname);
    const nowMs = clock.now();
    const { delegated, lifetimeMs } = readWellKnown(response, { nowMs, failuresBefore, lifetimes });
    const failures = delegated === undefined ? failuresBefore + 1 : 0;
    if (delegated === undefined && before?.delegated !== undefined && nowMs < before.expiresAtMs) {
      remember(delegations, hostname, { ...before, refreshAtMs: nowMs + lifetimeMs, failures });
      return before.delegated;
    }
    remember(delegations, hostname, { delegated, expiresAtMs: nowMs + lifetimeMs, refreshAtMs: nowMs + (delegated === undefined ? lifetimeMs : Math.floor(lifetimeMs * FRESH_SHARE)), failures });
    return delegated;
  }

  async function srv(name: string): Promise<readonly SrvRecord[]> {
    const before = srvAnswers.get(name);
    if (before !== undefined && clock.now() < before.expiresAtMs) return orderSrvRecords(before.records, () => random.float());
    const records = await effects.lookUpSrv(name);
    remember(srvAnswers, name, { records, expiresAtMs: clock.now() + SRV_LIFETIME_MS });
    return orderSrvRecords(records, () => random.float());
  }

  function remember<T>(map: Map<string, T>, key: string, value: T): void {
    map.delete(key);
    map.set(key, value);
    const oldest = map.size > hostsMax ? map.keys().next().value : undefined;
    if (oldest !== undefined) map.delete(oldest);
  }

  return {
    resolve(serverName) {
      const override = overrides?.get(serverName);
      if (override !== undefined) return overridden(serverName, override);
      const started = underWay.get(serverName) ?? resolveServerName(serverName, { wellKnown, srv }).finally(() => underWay.delete(serverName));
      underWay.set(serverName, started);
      return started;
    },
    forget(serverName) {
      for (const name of [serverName, delegations.get(serverName)?.delegated]) {
        for (const service of ['_matrix-fed', '_matrix']) srvAnswers.delete(`${service}._tcp.${name}`);
      }
    },
  };
}

async function overridden(serverName: string, target: Target): Promise<Resolved> {
  const parsed = parseServerName(serverName);
  if (parsed === undefined) throw new ServerNameError(`not a server name: ${JSON.stringify(serverName)}`);
  return { targets: [target], hostHeader: serverName, tlsName: parsed.host };
}
