/** Another homeserver that is driven by hand, over real HTTPS: it tells its key to who asks, and signs what a test sends. It keeps nothing. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { makeServerKeys } from '../../pkg/federation/server-keys.ts';
import { signRequest } from '../../pkg/federation/x-matrix.ts';
import { signingKeyFromSeed, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import type { Authority } from './certificates.ts';

export interface RealHandServer {
  readonly name: string;
  readonly key: SigningKey;
  /** A signed request. Rejects when no whole answer comes back. */
  ask(to: RealPeer, method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  close(): Promise<void>;
}

/** The server `serverName`, which listens at `baseUrl`. */
export interface RealPeer {
  readonly baseUrl: string;
  readonly serverName: string;
}

/** What it says to anything but a request for its keys; undefined: nothing, ever. */
export type HandAnswer = (request: IncomingMessage, body: Buffer) => { readonly status: number; readonly body: object } | undefined;

export const NOTHING_HERE = { status: 404, body: { errcode: 'M_UNRECOGNIZED', error: 'Nothing is here' } };

const VALIDITY_MS = 24 * 3_600_000;

/** Other servers reach it when they trust the authority and may go to 127.0.0.1. */
export async function startHandServer(authority: Authority, answer: HandAnswer = () => NOTHING_HERE): Promise<RealHandServer> {
  const { cert, key: tlsKey } = authority.issue(['localhost']);
  const server = createServer({ cert, key: tlsKey }, async (request, response) => {
    // Who hangs up while it speaks is told nothing.
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    const keys = (): object => makeServerKeys({ serverName: name, signingKeys: [key], nowMs: Date.now(), validityMs: VALIDITY_MS });
    const said = request.url === '/_matrix/key/v2/server' ? { status: 200, body: keys() } : answer(request, body);
    if (said !== undefined) response.writeHead(said.status, { 'content-type': 'application/json' }).end(JSON.stringify(said.body));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const name = `localhost:${(server.address() as { port: number }).port}`;
  const key = signingKeyFromSeed('hand', createHash('sha256').update(name).digest());
  return {
    name, key,
    async ask({ baseUrl, serverName: destination }, method, path, body) {
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
