/** A server that is driven by hand, on a port of its own: it gives its keys over TLS, answers as it is told, and asks another server over TLS with signed requests. */
import { Agent, createServer as createTlsServer, request as httpsRequest } from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomBytes } from 'node:crypto';
import { makeServerKeys } from '../../pkg/federation/server-keys.ts';
import { tolerantJson } from '../../pkg/matrix/canonical-json/canonical-json.ts';
import { signingKeyFromSeed } from '../../pkg/matrix/signing/signing-key.ts';
import { driveByHand, type HandServer } from '../conformance/server-server/by-hand.ts';
import type { Call } from '../conformance/client-server/world.ts';
import type { Certificate } from './certificates.ts';

export interface HandPeer extends HandServer {
  /** What it answers to everything but requests for its keys. */
  answer: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void;
  /** Takes connections and says nothing on them, those that are open included. */
  mute(): void;
  /** From now on its port refuses connections. */
  hangUp(): void;
  /** An unsigned or otherwise signed call, as it is. */
  call(call: Call): Promise<{ status: number; body: unknown }>;
  close(): void;
}

export interface HandPeerOptions {
  /** For `localhost`. */
  readonly certificate: Certificate;
  /** PEM text of who vouches for the other server. */
  readonly authority: string;
  /** Name of the other server: `localhost:port`. */
  readonly target: string;
  /** Requests under way to the other server. */
  readonly connections?: number;
}

export async function startHandPeer({ certificate, authority, target, connections = 8 }: HandPeerOptions): Promise<HandPeer> {
  const sockets = new Set<Socket>();
  let isMute = false;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    if (!isMute) tls.emit('connection', socket);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const key = signingKeyFromSeed('hand', randomBytes(32));
  const name = `localhost:${(server.address() as AddressInfo).port}`;
  const agent = new Agent({ keepAlive: true, maxSockets: connections, ca: authority });
  const call = (asked: Call): Promise<{ status: number; body: unknown }> => callOver(agent, target, asked);
  const cut = (): void => { for (const socket of sockets) socket.destroy(); };
  const peer: HandPeer = {
    // Answers of servers are looked into freely, as the conformance tests do.
    ...driveByHand({ call: call as never, textOf: tolerantJson }, { name, key }, target),
    call,
    answer: (_request, _body, response) => void response.end('{}'),
    mute() {
      isMute = true;
      cut();
    },
    hangUp() {
      server.close();
      cut();
    },
    close() {
      server.close();
      agent.destroy();
      cut();
    },
  };
  const tls = createTlsServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/_matrix/key/v2/server') response.setHeader('content-type', 'application/json').end(JSON.stringify(makeServerKeys({ serverName: name, signingKeys: [key], nowMs: Date.now(), validityMs: 86_400_000 })));
      else peer.answer(request, Buffer.concat(chunks), response);
    });
    response.on('error', () => undefined);
  });
  tls.on('tlsClientError', () => undefined);
  return peer;
}

function callOver(agent: Agent, target: string, { method, path, authorization, body }: Call): Promise<{ status: number; body: unknown }> {
  const [host, port] = target.split(':') as [string, string];
  // Canonical, as servers send it: some check signatures over nothing else.
  const text = body === undefined ? undefined : tolerantJson(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ agent, host, port, method, path, headers: { ...(authorization !== undefined && { authorization }), ...(text !== undefined && { 'content-type': 'application/json' }) } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as unknown }));
    });
    request.on('error', reject);
    request.end(text);
  });
}
