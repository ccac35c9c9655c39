/** A transport that signs every request with this server's key. */
import { tolerantJson } from '../matrix/canonical-json/canonical-json.ts';
import type { SigningKey } from '../matrix/signing/signing-key.ts';
import { requestTarget } from './transport.ts';
import type { FederationTransport, WebRequest } from './transport.ts';
import { signRequest } from './x-matrix.ts';

/** `transport`, with X-Matrix headers of `serverName`. Bodies are made canonical once, as far as events of old rooms let them, signed and sent as that text. Rejects with `CanonicalJsonError` for what is no JSON. */
export function signedTransport(transport: FederationTransport, signer: { serverName: string; signingKey: SigningKey }): FederationTransport {
  return {
    ...(transport.web !== undefined && { web: (request: WebRequest) => transport.web!(request) }),
    async request(request) {
      const json = request.json ?? (request.body === undefined ? undefined : tolerantJson(request.body));
      const parts = { method: request.method, uri: requestTarget(request), origin: signer.serverName, destination: request.destination };
      return transport.request({ ...request, json, authorization: signRequest(parts, json, signer.signingKey) });
    },
  };
}
