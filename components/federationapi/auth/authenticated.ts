/** Who asks: routes of the Server-Server API run only for requests that another server has signed (spec: server-server, "Request Authentication"). */
import { keySignsRequestsAt } from '../../../pkg/federation/server-keys.ts';
import { parseAuthorization, verifyRequest, type Refusal } from '../../../pkg/federation/x-matrix.ts';
import { must } from '../../../pkg/assert/assert.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { KeyRing } from '../fetch/key-ring.ts';

export interface AuthDeps {
  readonly serverName: string;
  readonly clock: Clock;
  readonly keyRing: Pick<KeyRing, 'keys'>;
  /** Servers that are refused whatever they sign. */
  readonly isDenied: (serverName: string) => boolean;
  /** Told of every server whose request is authentic: it lives. */
  readonly contacted?: (serverName: string) => void;
}

/** `origin`: name of the server that has signed the request. */
export type FederationHandler = (request: ApiRequest, origin: string) => Promise<ApiResponse>;

const REASONS: Readonly<Record<Refusal, string>> = {
  'missing': 'The request has no Authorization header of the X-Matrix scheme',
  'malformed': 'The Authorization header is malformed',
  'wrong-destination': 'The request was signed for another server',
  'unknown-key': 'The key that has signed the request is not known, or no longer in use',
  'bad-signature': 'The signature of the request is wrong',
};

/**
 * A handler for a route with `raw: true` that calls `handle` when the request is authentic. Throws `MatrixError`: 401 M_UNAUTHORIZED when it is not, 403 M_FORBIDDEN
 * when its server is on the deny list.
 */
export function authenticated(deps: AuthDeps, handle: FederationHandler): Route['handle'] {
  return async (request) => handle(request, await originOf(deps, request));
}

async function originOf({ serverName, clock, keyRing, isDenied, contacted }: AuthDeps, request: ApiRequest): Promise<string> {
  const header = request.headers['authorization'];
  const authorization = parseAuthorization(header === undefined ? [] : [header]);
  if (typeof authorization === 'string') throw refused(authorization);
  const { origin, destination, credentials } = authorization;
  // Before any key is fetched: what cannot be right costs nothing.
  if (destination !== undefined && destination !== serverName) throw refused('wrong-destination');
  if (isDenied(origin)) throw new MatrixError(403, 'M_FORBIDDEN', 'This server does not talk to yours');
  const nowMs = clock.now();
  const keyIds = credentials.map(({ keyId }) => keyId).filter((keyId) => keyId.startsWith('ed25519:'));
  if (keyIds.length === 0 || origin === serverName) throw refused('unknown-key');
  const known = (await keyRing.keys([{ serverName: origin, keyIds, validUntilMs: nowMs }])).get(origin);
  const refusal = verifyRequest(authorization, { method: request.method, uri: must(request.rawTarget, 'the raw request of a signed route'), bodyText: request.rawBody }, {
    ownServerName: serverName,
    publicKeyOf: (keyId) => {
      const key = known?.keys.get(keyId);
      return key !== undefined && keySignsRequestsAt(key, nowMs) ? key.publicKey : undefined;
    },
  });
  if (refusal !== undefined) throw refused(refusal);
  contacted?.(origin);
  return origin;
}

function refused(refusal: Refusal): MatrixError {
  return new MatrixError(401, 'M_UNAUTHORIZED', REASONS[refusal]);
}
