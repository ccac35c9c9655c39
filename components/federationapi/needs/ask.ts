/** Questions to other servers on behalf of needs: bounded in time whatever the transport does, and none to servers that failed just now. */
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { NeedTools } from './job.ts';
import type { Pauses } from './pauses.ts';
import { within } from './within.ts';

/** What a transport may take beyond its own deadline. */
const GRACE_MS = 1000;

export function createAsk(deps: { clock: Clock; transport: FederationTransport; pauses: Pauses; isDenied: (serverName: string) => boolean }): NeedTools['ask'] {
  const { clock, transport, pauses, isDenied } = deps;
  return async (job, { limitMs, insistent = false, pausedAs, ...question }) => {
    job.check();
    const { destination } = question;
    const counted = pausedAs ?? destination;
    if (isDenied(destination)) throw new FederationError('refused', `this server does not talk to ${destination}`);
    if (!insistent && pauses.waitMs(counted) > 0) throw new FederationError('unreachable', `${destination} failed lately and is left alone for a while`);
    const startedMs = clock.now();
    const deadlineMs = Math.max(1, Math.min(limitMs, job.deadlineMs - startedMs));
    try {
      const { body } = await within(clock, {
        ms: deadlineMs + GRACE_MS, signal: job.signal,
        late: () => new FederationError('timeout', `${destination} did not answer within ${deadlineMs} ms`),
        cancelled: () => new FederationError('cancelled', `nobody waits for ${destination} any more`),
      }, transport.request({ ...question, deadlineMs, signal: job.signal }));
      pauses.answered(counted);
      return body;
    } catch (error) {
      pauses.failed(counted, error, startedMs);
      job.check();
      throw error;
    }
  };
}
