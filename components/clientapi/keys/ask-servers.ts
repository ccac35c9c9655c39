/** Asks several servers at once, each for its own users; those that do not answer in time are named (`failures` of the Client-Server API). */
import { FederationError } from '../../../pkg/federation/transport.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { Context } from '../context.ts';

const TIMEOUT_MS_DEFAULT = 10_000;
const TIMEOUT_MS_MAX = 30_000;
/** Asked at once. */
const SERVERS_MAX = 100;

export type Failures = Record<string, Record<string, unknown>>;

export function timeoutOf(wanted: number | undefined): number {
  return Math.min(Math.max(wanted ?? TIMEOUT_MS_DEFAULT, 1), TIMEOUT_MS_MAX);
}

/** Those of the users that are of other servers, by server. */
export function byServer<T>({ serverName }: Pick<Context, 'serverName'>, users: ReadonlyMap<string, T>): Map<string, Map<string, T>> {
  const servers = new Map<string, Map<string, T>>();
  for (const [userId, value] of users) {
    const server = domainOf(userId);
    if (server === serverName) continue;
    const ofServer = servers.get(server) ?? servers.set(server, new Map()).get(server)!;
    ofServer.set(userId, value);
  }
  return servers;
}

/** Those of this server. */
export function ofThisServer<T>({ serverName }: Pick<Context, 'serverName'>, users: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...users].filter(([userId]) => domainOf(userId) === serverName));
}

/** Calls `ask` for each of the servers; it gets the ms that are left. The result says which failed. */
export async function askServers(context: Pick<Context, 'runtime'>, servers: readonly string[], asked: { timeoutMs: number; ask: (server: string, leftMs: number) => Promise<void> }): Promise<Failures> {
  const { clock } = context.runtime;
  const endsAt = clock.monotonic() + asked.timeoutMs;
  const failures: Failures = {};
  const waiting = [...servers];
  const lane = async (): Promise<void> => {
    for (let server = waiting.shift(); server !== undefined; server = waiting.shift()) {
      const leftMs = endsAt - clock.monotonic();
      try {
        if (leftMs <= 0) throw new FederationError('timeout', 'There was no time left');
        await asked.ask(server, leftMs);
      } catch (error) {
        if (!(error instanceof FederationError)) throw error;
        failures[server] = { message: error.message };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(SERVERS_MAX, servers.length) }, lane));
  return failures;
}
