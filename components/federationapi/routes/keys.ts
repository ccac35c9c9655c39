/** Keys: this server's own, and as a notary those of others (spec: server-server, "Retrieving server keys"). Nobody has to be authenticated. */
import { QUERY_SERVERS_MAX, makeNotaryResponse, parseKeyQuery } from '../../../pkg/federation/notary.ts';
import { makeServerKeys, type ServerKeyDocument } from '../../../pkg/federation/server-keys.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiResponse, Route } from '../../../pkg/http/route.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import type { FederationapiDeps } from '../deps.ts';
import type { WantedKeys } from '../fetch/fetch-keys.ts';
import type { KeyRing } from '../fetch/key-ring.ts';

const VALIDITY_MS = 24 * 3_600_000;
/** How long one document is handed out: it is signed once for all who ask in that time. */
const REMADE_AFTER_MS = 3_600_000;

export function keyRoutes(deps: FederationapiDeps, keyRing: KeyRing): Route[] {
  const { clock } = deps.runtime;
  const own = ownDocument(deps);

  async function notaryAnswer(wanted: readonly WantedKeys[]): Promise<ApiResponse> {
    const others = wanted.filter(({ serverName }) => serverName !== deps.serverName);
    await keyRing.keys(others, { fresh: true });
    const documents = await keyRing.documents(others.map(({ serverName }) => serverName));
    if (others.length < wanted.length) documents.push(own());
    return { status: 200, body: makeNotaryResponse(documents, deps) };
  }

  const common = { role: 'federationapi', idempotent: true } as const;
  return [
    { ...common, operationId: 'getServerKey', method: 'GET', path: '/_matrix/key/v2/server', handle: async () => ({ status: 200, body: own() }) },
    {
      ...common, operationId: 'perspectivesKeyQuery', method: 'GET', path: '/_matrix/key/v2/query/{serverName}',
      handle: async ({ params, query }) => {
        const serverName = params['serverName'] ?? '';
        if (!isServerName(serverName)) throw new MatrixError(400, 'M_INVALID_PARAM', 'That is not a server name');
        return notaryAnswer([{ serverName, keyIds: [], validUntilMs: minimumIn(query) ?? clock.now() }]);
      },
    },
    {
      ...common, operationId: 'bulkPerspectivesKeyQuery', method: 'POST', path: '/_matrix/key/v2/query',
      handle: async ({ body }) => {
        const asked = parseKeyQuery(body, clock.now());
        if (asked === undefined) throw new MatrixError(400, 'M_BAD_JSON', `server_keys must be an object of at most ${QUERY_SERVERS_MAX} servers, each with its keys and what is wanted of them`);
        return notaryAnswer([...asked].map(([serverName, keys]) => ({
          serverName, keyIds: [...keys.keys()], validUntilMs: Math.max(0, ...[...keys.values()].map((criteria) => criteria.minimumValidUntilMs)) || clock.now(),
        })));
      },
    },
  ];
}

function minimumIn(query: URLSearchParams): number | undefined {
  const text = query.get('minimum_valid_until_ts');
  if (text === null) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new MatrixError(400, 'M_INVALID_PARAM', 'minimum_valid_until_ts must be a time in ms');
  return Number(text);
}

function ownDocument({ serverName, signingKey, oldSigningKeys, runtime }: FederationapiDeps): () => ServerKeyDocument {
  let made: { document: ServerKeyDocument; atMs: number } | undefined;
  return () => {
    const nowMs = runtime.clock.now();
    if (made === undefined || nowMs - made.atMs >= REMADE_AFTER_MS || nowMs < made.atMs) {
      made = { document: makeServerKeys({ serverName, signingKeys: [signingKey], retiredKeys: oldSigningKeys, nowMs, validityMs: VALIDITY_MS }), atMs: nowMs };
    }
    return made.document;
  };
}
