/** One request over HTTPS and its answer, within limits: addresses, certificate, bytes and time. */
import { request as httpsRequest } from 'node:https';
import type { Agent, RequestOptions } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { LookupFunction, TcpNetConnectOpts } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { createJsonScan } from '../../http/json-scan.ts';
import type { Clock, Timer } from '../../runtime/runtime.ts';
import type { AddressCheck } from '../ip-ranges.ts';
import { DEPTH_MAX, type RawResponse } from '../parse-response.ts';
import type { Target } from '../resolve-server-name.ts';
import { FederationError } from '../transport.ts';
import type { AnswerRoom } from './answer-room.ts';
import { AddressRefused } from './names.ts';
import { evictIdle } from './evict-idle.ts';

/** What all exchanges of a client share. */
export interface Line {
  /** Its options name the trusted authorities. */
  readonly agent: Agent;
  readonly clock: Clock;
  readonly lookup: LookupFunction;
  readonly mayConnect: AddressCheck;
  /** How long a target may take until its certificate is checked, in ms. */
  readonly connectMs: number;
  /** For answers that are not read to their end yet. */
  readonly room: AnswerRoom;
}

export interface Exchange {
  readonly target: Target;
  /** Whom the certificate must name: a host name or an IP address. */
  readonly tlsName: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly bytesMax: number;
  /** Aborted with the `FederationError` to reject with. */
  readonly signal: AbortSignal;
}

/** Nothing of the request has reached the target: another one may be tried. */
export class NotSent extends FederationError {}

/** Addresses of the target were left alone after the short time that each of several has: on a busy machine, or over a long way, one of them may have answered after all. */
class LeftAlone extends NotSent {}

/** The connection was an idle one from the pool, and its other end had closed it just then: nothing was wrong, try a new one. */
export class StaleConnection extends FederationError {}

/** What each of a target's addresses but the last has for its connection, in ms: little at first, so that one that nobody answers at costs little. */
const ADDRESS_MS = 250;

/** Rejects with `FederationError`; `NotSent` while no connection was made. Redirects and error statuses are answers here. */
export async function exchange(line: Line, asked: Exchange): Promise<RawResponse> {
  try {
    return await exchangeOnce(line, asked, ADDRESS_MS);
  } catch (error) {
    if (!(error instanceof LeftAlone)) throw error;
    return exchangeOnce(line, asked, line.connectMs / 2);
  }
}

function exchangeOnce(line: Line, asked: Exchange, addressMs: number): Promise<RawResponse> {
  const { host, port } = asked.target;
  if (asked.signal.aborted) return Promise.reject(asked.signal.reason as Error);
  if (isIP(host) !== 0 && !line.mayConnect(host)) return Promise.reject(new NotSent('refused', `the address ${host} may not be connected to`));
  evictIdle(line.agent);
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      host, port, method: asked.method, path: asked.path, agent: line.agent, lookup: line.lookup, setHost: false, ...eachAddressHas(addressMs),
      headers: asked.body === undefined ? asked.headers : { ...asked.headers, 'Content-Length': String(Buffer.byteLength(asked.body)) },
      ...identityCheck(asked.tlsName, host),
    });
    const onAbort = () => void request.destroy(asked.signal.reason as Error);
    asked.signal.addEventListener('abort', onAbort, { once: true });
    const connection = watchConnection(line, request, asked);
    const settle = (work: () => void) => {
      asked.signal.removeEventListener('abort', onAbort);
      connection.stop();
      work();
    };
    request.on('error', (error) => settle(() => reject(classify(error, { request, asked, connected: connection.made() }))));
    request.on('response', (response) => {
      readBody(line, response, asked).then(
        (body) => settle(() => resolve({ status: response.statusCode ?? 0, headers: singleHeaders(response), body, isScanned: true })),
        (error: Error) => {
          request.destroy();
          settle(() => reject(classify(asked.signal.aborted ? (asked.signal.reason as Error) : error, { request, asked, connected: true })));
        },
      );
    });
    request.end(asked.body);
  });
}

/** Of a socket; requests pass it on. */
function eachAddressHas(ms: number): Pick<TcpNetConnectOpts, 'autoSelectFamilyAttemptTimeout'> {
  return { autoSelectFamilyAttemptTimeout: ms };
}

/**
 * Whom the certificate must name: whom we look for, not where it was found. Node checks the server name that is sent, or the address where none is (for IP addresses). A check of
 * our own, for an address that is found at another one (overrides), costs the connection its place in the pool.
 */
function identityCheck(tlsName: string, host: string): Pick<RequestOptions, 'servername' | 'checkServerIdentity'> {
  if (isIP(tlsName) === 0) return { servername: tlsName };
  if (tlsName === host) return { servername: '' };
  return { servername: '', checkServerIdentity: (_host, certificate) => checkServerIdentity(tlsName, certificate) };
}

/** Gives the target `connectMs` to connect, and looks at the address that it was in the end. */
function watchConnection(line: Line, request: ClientRequest, asked: Exchange): { made(): boolean; stop(): void } {
  let made = false;
  let timer: Timer | undefined;
  const giveUp = () => {
    if (!made) request.destroy(new NotSent('unreachable', `${asked.target.host}:${asked.target.port} made no connection within ${line.connectMs} ms`));
  };
  request.on('socket', (socket) => {
    // Only now: before, the request may have waited for our own limit of connections.
    timer = line.clock.timer(line.connectMs, giveUp);
    const check = () => {
      const address = socket.remoteAddress;
      // A connection that is gone again has no address any more.
      if (address === undefined) request.destroy(new Error('the connection was closed at once'));
      else if (!line.mayConnect(address)) request.destroy(new AddressRefused(`the address ${address} may not be connected to`));
    };
    if (!socket.connecting) check();
    else socket.once('connect', check);
    if (request.reusedSocket) made = true;
    else socket.once('secureConnect', () => { made = true; });
  });
  return { made: () => made, stop: () => timer?.cancel() };
}

async function readBody({ room }: Line, response: IncomingMessage, { bytesMax, signal }: Exchange): Promise<Buffer> {
  const encoding = response.headers['content-encoding'];
  const garbage = (what: string) => new FederationError('garbage', `the answer is ${what}`, { status: response.statusCode });
  if (encoding !== undefined && encoding !== 'identity') throw garbage(`compressed (${encoding}), which was not asked for`);
  if (Number(response.headers['content-length'] ?? 0) > bytesMax) throw garbage(`larger than ${bytesMax} bytes`);
  const scan = createJsonScan(DEPTH_MAX);
  const place = room.enter(() => void response.destroy(new FederationError('timeout', 'the answer comes too slowly, and others wait for the room that it takes')));
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bytesMax) throw garbage(`larger than ${bytesMax} bytes`);
      const problem = scan.take(chunk);
      if (problem !== undefined) throw garbage(`JSON that is ${problem}`);
      chunks.push(chunk);
      await place.grow(chunk.length, signal);
    }
    return Buffer.concat(chunks, size);
  } finally {
    place.leave();
  }
}

function classify(error: Error, { request, asked, connected }: { request: ClientRequest; asked: Exchange; connected: boolean }): FederationError {
  const where = `${asked.tlsName} at ${asked.target.host}:${asked.target.port}`;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (error instanceof FederationError) return error;
  if (error instanceof AddressRefused) return new NotSent('refused', error.message);
  if (code.startsWith('HPE_')) return new FederationError('garbage', `${where} does not speak HTTP: ${error.message}`, { cause: error });
  if (connected) {
    const Kind = request.reusedSocket && code === 'ECONNRESET' ? StaleConnection : FederationError;
    return new Kind('unreachable', `${where} broke the connection off: ${error.message}`, { cause: error });
  }
  // Set by Node when the chain or the name in it was refused.
  const refusal = (request.socket as TLSSocket | null)?.authorizationError as unknown;
  if (refusal !== null && refusal !== undefined) return new NotSent('untrusted', `the certificate of ${where} was refused: ${error.message}`, { cause: error });
  const each: readonly NodeJS.ErrnoException[] = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error];
  const Kind = each.length > 1 && each.some(({ code: one }) => one === 'ETIMEDOUT') ? LeftAlone : NotSent;
  return new Kind('unreachable', `${where} cannot be reached: ${each.map(({ message }) => message).join(', ')}`, { cause: error });
}

function singleHeaders(response: IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]));
}
