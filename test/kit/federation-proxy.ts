/** What stands between two servers in a test: it speaks TLS in the name of one of them, and passes on, loses or ignores what others ask it. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Authority } from './certificates.ts';
import { freePort } from './servers/server-process.ts';

/**
 * - `pass`: everything reaches the server.
 * - `lose`: transactions are said to have arrived and are thrown away; the rest reaches the server.
 * - `silent`: connections are taken, and nothing is ever answered.
 * - `cut`: connections are closed as soon as something is asked.
 */
export type ProxyMode = 'pass' | 'lose' | 'silent' | 'cut';

export interface FederationProxy {
  /** The port that the server behind it has in its name. */
  readonly port: number;
  mode: ProxyMode;
  /** Names of servers whose requests are treated as if all were `cut`. */
  readonly cutOff: Set<string>;
  /** How many PDUs were thrown away. */
  readonly lost: number;
  /** How many requests were left without an answer. */
  readonly ignored: number;
  /** `baseUrl`: where the server listens without TLS. */
  standBefore(baseUrl: string): void;
  close(): Promise<void>;
}

const TRANSACTION = /^\/_matrix\/federation\/v\d+\/send\//;

export async function startFederationProxy(authority: Authority): Promise<FederationProxy> {
  const port = await freePort();
  const { cert, key } = authority.issue(['localhost']);
  let target: URL | undefined;
  const state = { mode: 'pass' as ProxyMode, lost: 0, ignored: 0 };
  const cutOff = new Set<string>();
  const server = createServer({ cert, key }, (request, response) => {
    if (state.mode === 'silent') state.ignored += 1;
    else if (state.mode === 'cut' || cutOff.has(originOf(request))) request.socket.destroy();
    else if (state.mode === 'lose' && TRANSACTION.test(request.url ?? '')) void lose(request, response).then((count) => void (state.lost += count));
    else passOn(target!, request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port,
    get mode() { return state.mode; },
    set mode(mode) { state.mode = mode; },
    cutOff,
    get lost() { return state.lost; },
    get ignored() { return state.ignored; },
    standBefore: (baseUrl) => void (target = new URL(baseUrl)),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Of a signed request; nobody's when it is not. */
function originOf({ headers }: IncomingMessage): string {
  return /^X-Matrix.*?\borigin="?([^",]+)/.exec(headers.authorization ?? '')?.[1] ?? '';
}

async function lose(request: IncomingMessage, response: ServerResponse): Promise<number> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
  response.setHeader('content-type', 'application/json').end('{"pdus":{}}');
  return (JSON.parse(text) as { pdus: unknown[] }).pdus.length;
}

function passOn(target: URL, request: IncomingMessage, response: ServerResponse): void {
  const { method, url, headers } = request;
  const onward = httpRequest({ host: target.hostname, port: target.port, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.once('error', () => response.destroy());
  request.pipe(onward);
}
