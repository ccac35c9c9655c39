/** Asks one server after the other for the same. */
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { failureOf, NeedFailure, worse } from './failure.ts';
import type { NeedJob, NeedTools } from './job.ts';

export const SERVERS_MAX = 20;

/**
 * What `attempt` resolves to for the first server with which it succeeds. Rejects with the failure that says most about the wish itself (a refusal before a server that could not be
 * reached) when there is none, at once with errors that are nobody else's fault (`StorageError`), and with what `job.check` throws.
 */
export async function throughServers<T>(tools: Pick<NeedTools, 'serverName' | 'logger'>, job: NeedJob, via: readonly string[], attempt: (server: string) => Promise<T>): Promise<T> {
  const servers = [...new Set(via)].filter((server) => isServerName(server) && server !== tools.serverName).slice(0, SERVERS_MAX);
  if (servers.length === 0) throw new NeedFailure(404, 'M_NOT_FOUND', 'No server is known that is in the room');
  let failure: NeedFailure | undefined;
  for (const server of servers) {
    try {
      return await attempt(server);
    } catch (error) {
      const one = failureOf(error);
      if (one === undefined) throw error;
      tools.logger.info({ needId: job.needId, server, reason: one.message }, 'a server did not help');
      failure = worse(failure, one);
    }
    if (job.signal.aborted) break;
  }
  throw failure!;
}
