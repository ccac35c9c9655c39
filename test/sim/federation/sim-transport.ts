import type { FederationTransport } from '../../../pkg/federation/transport.ts';
import type { SimProcess } from '../process.ts';
import type { SimNetwork } from './network.ts';

/** The way of one process of the server `from` to the others. A process that was killed hears no answer, one that is paused hears it late. */
export function simTransport(network: SimNetwork, from: string, process: SimProcess): FederationTransport {
  return {
    async request(request) {
      await process.step(`ask ${request.destination} ${request.method} ${request.path}`);
      const outcome = await network.ask(from, request).then((response) => ({ response }), (error: unknown) => ({ error }));
      await process.step(`heard of ${request.destination} ${request.method} ${request.path}`);
      if ('error' in outcome) throw outcome.error;
      return outcome.response;
    },
  };
}
