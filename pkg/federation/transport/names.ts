/** Host names: addresses and SRV records from the machine's name servers, and a lookup for sockets that hands out allowed addresses only. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { LookupFunction } from 'node:net';
import { createSemaphore } from '../../assert/semaphore.ts';
import type { AddressCheck } from '../ip-ranges.ts';
import type { SrvRecord } from '../srv-order.ts';

/** The outside world's name servers; replaced in tests. */
export interface Names {
  /** IPv6 and IPv4 addresses; an empty list when there are none or nobody could say. Never rejects. */
  addresses(hostname: string): Promise<readonly string[]>;
  /** Never rejects. */
  srv(name: string): Promise<readonly SrvRecord[]>;
}

const QUERY_MS = 2500;
const TRIES = 2;
/** The system's own lookup blocks one of the process's four pool threads for each name, for seconds when name servers are down. */
const SYSTEM_LOOKUPS = 1;
const SYSTEM_LOOKUPS_WAITING_MAX = 100;
const LOOPBACK = ['127.0.0.1', '::1'];

/**
 * Asks without blocking threads; names that only this machine knows (its hosts file) come from the system's lookup, when nobody else knows them. `servers`: name servers
 * as `address:port`, instead of the system's.
 */
export function systemNames(servers?: readonly string[]): Names {
  const resolver = new Resolver({ timeout: QUERY_MS, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  const system = createSemaphore({ name: 'system name lookups', permits: SYSTEM_LOOKUPS, waitingMax: SYSTEM_LOOKUPS_WAITING_MAX });
  const orNone = <T>(work: Promise<T[]>): Promise<T[]> => work.catch(() => []);
  return {
    async addresses(hostname) {
      if (/^(.*\.)?localhost\.?$/i.test(hostname)) return LOOPBACK;
      const [six, four] = await Promise.all([orNone(resolver.resolve6(hostname)), orNone(resolver.resolve4(hostname))]);
      if (six.length + four.length > 0) return [...six, ...four];
      const found = await orNone(system.run(() => lookup(hostname, { all: true })));
      return found.map(({ address }) => address);
    },
    async srv(name) {
      const records = await orNone(resolver.resolveSrv(name));
      return records.map((record) => ({ target: record.name, port: record.port, priority: record.priority, weight: record.weight }));
    },
  };
}

/** All addresses of a name are forbidden. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/** A lookup for `net.connect`: addresses that `check` refuses are never connected to, whatever the name servers say. */
export function guardedLookup(names: Names, check: AddressCheck): LookupFunction {
  return (hostname, options, callback) => {
    void names.addresses(hostname).then((addresses) => {
      const families = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
      const wanted = families.filter(({ family }) => options.family === undefined || options.family === 0 || options.family === family || options.family === `IPv${family}`);
      const allowed = wanted.filter(({ address }) => check(address));
      const [first] = allowed;
      if (first === undefined) {
        callback(wanted.length > 0 ? new AddressRefused(`no address of ${hostname} may be connected to`) : new Error(`no address of ${hostname} is known`), '');
      } else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}
