/** Another homeserver that is driven by hand, over real HTTPS: it tells its key to who asks, and signs what a test sends. It keeps nothing. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { makeServerKeys } from '../../pkg/federation/server-keys.ts';
import { signRequest } from '../../pkg/federation/x-matrix.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import type { Authority } from './certificates.ts';

export interface RealHandServer {
  readonly name: string;
  /** A signed request to the server `destination`, which listens at `baseUrl`. Rejects when no whole answer comes back. */
  ask(to: { readonly baseUrl: string; readonly destination: string }, method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  close(): Promise<void>;
}

const KEYS_PATH = '/_matrix/key/v2/server';
const VALIDITY_MS = 24 * 3_600_000;

/** Other servers reach it when they trust the authority and may go to 127.0.0.1. */
export async function startHandServer(authority: Authority): Promise<RealHandServer> {
  const { cert, key: tlsKey } = authority.issue(['localhost']);
  const server = createServer({ cert, key: tlsKey }, (request, response) => {
    const isKeys = request.url === KEYS_PATH;
    response.writeHead(isKeys ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isKeys ? makeServerKeys({ serverName: name, signingKeys: [key], nowMs: Date.now(), validityMs: VALIDITY_MS }) : { errcode: 'M_UNRECOGNIZED', error: 'Nothing is here' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const name = `localhost:${(server.address() as { port: number }).port}`;
  const key = signingKeyFromSeed('hand', createHash('sha256').update(name).digest());
  return {
    name,
    async ask({ baseUrl, destination }, method, path, body) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const authorization = signRequest({ method, uri: path, origin: name, destination }, text, key);
      const response = await fetch(`${baseUrl}${path}`, { method, headers: { authorization, ...(text !== undefined && { 'content-type': 'application/json' }) }, ...(text !== undefined && { body: text }) });
      return { status: response.status, body: await response.json() as Record<string, unknown> };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
