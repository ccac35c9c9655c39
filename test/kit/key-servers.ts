/** Other servers in memory: a transport to servers that give their keys, are away, or speak for others as notaries. */
import { makeNotaryResponse, parseKeyQuery } from '../../pkg/federation/notary.ts';
import { makeServerKeys } from '../../pkg/federation/server-keys.ts';
import type { ServerKeyDocument } from '../../pkg/federation/server-keys.ts';
import { FederationError } from '../../pkg/federation/transport.ts';
import type { FederationTransport } from '../../pkg/federation/transport.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import type { SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Clock } from '../../pkg/runtime/runtime.ts';

const HOUR_MS = 3_600_000;

export interface KeyServer {
  readonly name: string;
  key: SigningKey;
  away: boolean;
  /** Documents that it gives as a notary. */
  readonly known: Map<string, ServerKeyDocument>;
  document(validityMs?: number): ServerKeyDocument;
}

export interface KeyServers {
  readonly transport: FederationTransport;
  /** `METHOD destination path` of every request. */
  readonly asked: string[];
  add(name: string, seed: number): KeyServer;
}

export function createKeyServers(clock: Clock): KeyServers {
  const servers = new Map<string, KeyServer>();
  const asked: string[] = [];
  return {
    asked,
    add(name, seed) {
      const server: KeyServer = {
        name, key: signingKeyFromSeed(`k${seed}`, new Uint8Array(32).fill(seed)), away: false, known: new Map(),
        document: (validityMs = 24 * HOUR_MS) => makeServerKeys({ serverName: name, signingKeys: [server.key], nowMs: clock.now(), validityMs }),
      };
      servers.set(name, server);
      return server;
    },
    transport: {
      async request({ method, destination, path, body }) {
        asked.push(`${method} ${destination} ${path}`);
        const server = servers.get(destination);
        if (server === undefined || server.away) throw new FederationError('unreachable', `${destination} is away`);
        if (path === '/_matrix/key/v2/server') return { status: 200, body: { ...server.document() } };
        const names = [...(parseKeyQuery(body, clock.now()) ?? new Map()).keys()];
        const documents = names.flatMap((name) => server.known.get(name) ?? []);
        return { status: 200, body: { ...makeNotaryResponse(documents, { serverName: server.name, signingKey: server.key }) } };
      },
    },
  };
}
