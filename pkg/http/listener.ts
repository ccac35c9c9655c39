/**
 * The HTTP listener: Express around the router, with as short a chain as can be (it is the hot path). It reads bodies, tells handlers when their client
 * has gone, and stops without failing a request.
 */
import type * as Http from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createRequire } from 'node:module';
import type { AddressInfo, Socket } from 'node:net';
import express, { type Express, type Request } from 'express';
import type { Runtime } from '../runtime/runtime.ts';
import { gathered, responseBytes } from './body.ts';
import { answerBadRequest } from './bad-request.ts';
import { Departure } from './departure.ts';
import { openDoors, type Doors } from './doors.ts';
import { hasBody, readBody, type ReadBody } from './read-body.ts';
import { headersOf, isAllSaid, pathOf } from './request-head.ts';
import type { ApiResponse } from './route.ts';
import { sendParts } from './send-parts.ts';
import type { RawRequest, Router } from './router.ts';
import { noteHandshakes, noteIn } from './unused-connections.ts';
import { createWaitingConnections, requestsThatWait, type WaitingConnections } from './waiting-connections.ts';

/** An `import` reads all that the module exports, and so loads a WebSocket client and what that needs: 60 modules and some megabytes that no server here uses. */
const { createServer } = createRequire(import.meta.url)('node:http') as typeof Http;

/** PEM texts: the certificate with its chain, and its private key. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface ListenerOptions {
  readonly router: Router;
  readonly runtime: Runtime;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** HTTPS with this certificate; plain HTTP without. */
  readonly tls?: TlsFiles;
  /** Addresses or networks of proxies whose X-Forwarded-For is believed; none by default. Also `loopback`, `linklocal`, `uniquelocal`. */
  readonly trustedProxies?: readonly string[];
  /** How long a client may take to send its whole request. Long polls are not affected. Default 60 s. */
  readonly requestTimeoutMs?: number;
  /** How long an idle connection is kept. Default 75 s, longer than usual fronts, so that they close first. */
  readonly keepAliveMs?: number;
  /** Bytes of request line and headers together. Default 32 KiB: filters travel in the query. */
  readonly headerBytesMax?: number;
  /** Connections above this are closed at once. Default 30,000. */
  readonly connectionsMax?: number;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** New connections get this certificate. Throws what Node throws for files that are none, or when the listener speaks plain HTTP; then nothing changes. */
  useCertificate(tls: TlsFiles): void;
  /** Requests being handled now. */
  underWay(): number;
  /**
   * Stops accepting, lets long polls return early, waits for the requests under way, closes idle connections; after `deadlineMs` (default 10 s)
   * it cuts what is left. Resolves when all connections are closed.
   */
  stop(deadlineMs?: number): Promise<void>;
}

/** Idle connections live this long after the listener has begun to stop: a request may be on its way on them, and learns from its answer that it was the last. */
const IDLE_GRACE_MS = 500;
/** How long the other end may take to shake hands. */
const HANDSHAKE_MS_MAX = 10_000;
/** Waking all long polls at once would hold up the requests in between. */
const WAKE_AT_ONCE = 200;

/** Rejects when the address cannot be listened on, with one sentence, and with what Node throws for a certificate or key that is none. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { runtime } = options;
  const unused = new Set<Socket>();
  const keepAliveMs = options.keepAliveMs ?? 75_000;
  const waiting = createWaitingConnections((socket) => void server.emit(options.tls === undefined ? 'connection' : 'secureConnection', socket), keepAliveMs);
  const state: State = { options, active: new Set(), unused, waiting, handshaking: new Map(), stopping: false, idle: undefined };
  const requestTimeout = options.requestTimeoutMs ?? 60_000;
  const limits = {
    maxHeaderSize: options.headerBytesMax ?? 32 * 1024,
    requestTimeout,
    headersTimeout: Math.min(20_000, requestTimeout),
    connectionsCheckingInterval: Math.min(5000, requestTimeout),
    noDelay: true,
    IncomingMessage: requestsThatWait((request) => isPoll(state, request)),
  };
  const app = createApp(state);
  const tlsServer = options.tls === undefined ? undefined : createTlsServer({ ...limits, ...secureContext(options.tls), handshakeTimeout: HANDSHAKE_MS_MAX }, app);
  const server: Server = tlsServer ?? createServer(limits, app);
  server.keepAliveTimeout = keepAliveMs;
  server.timeout = 0;
  server.on('clientError', answerBadRequest);
  server.on('upgrade', (request, socket: Socket, head: Buffer) => servePoll(state, { request, socket, head }, app));
  const noteUnused = noteIn(unused, waiting.knows);
  if (tlsServer === undefined) server.on('connection', noteUnused);
  else noteHandshakes(tlsServer, state.handshaking, noteUnused);
  const doors = await openDoors(server, options);
  const { address, port } = server.address() as AddressInfo;
  runtime.logger.info({ host: address, port }, 'listening');
  return {
    host: address, port,
    useCertificate(tls) {
      if (tlsServer === undefined) throw new Error('a listener of plain HTTP has no certificate');
      tlsServer.setSecureContext(secureContext(tls));
    },
    underWay: () => state.active.size,
    stop: (deadlineMs = 10_000) => stop(server, doors, state, deadlineMs),
  };
}

const secureContext = ({ certificate, key }: TlsFiles) => ({ cert: certificate, key });

interface State {
  readonly options: ListenerOptions;
  /** Of the requests under way. */
  readonly active: Set<Departure>;
  /** Connections that have not carried a request yet; some clients open one ahead of its use. */
  readonly unused: Set<Socket>;
  readonly waiting: WaitingConnections;
  /** Connections whose TLS handshake is under way, by the other end's address and port. */
  readonly handshaking: Map<string, Socket>;
  stopping: boolean;
  /** Called when the last request under way has ended. */
  idle: (() => void) | undefined;
}

function createApp(state: State): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  const proxies = state.options.trustedProxies ?? [];
  if (proxies.length > 0) app.set('trust proxy', [...proxies]);
  app.use((request, response) => void serve(state, request, response, addressOf(state, request)));
  return app;
}

/** Of the client, as Express finds it when there are proxies. */
function addressOf({ options: { trustedProxies = [] } }: State, request: Request | IncomingMessage): string {
  return (trustedProxies.length > 0 && 'ip' in request ? request.ip : request.socket.remoteAddress) ?? '';
}

const UNANSWERED = Symbol('unanswered');
/** With the number of requests that Node's HTTP has read from it and that are not answered yet. */
type UsedSocket = Socket & { [UNANSWERED]?: number };

async function serve(state: State, request: IncomingMessage, response: ServerResponse, remoteAddress: string): Promise<void> {
  const departure = new Departure();
  const socket: UsedSocket = request.socket;
  state.active.add(departure);
  state.unused.delete(socket);
  socket[UNANSWERED] = (socket[UNANSWERED] ?? 0) + 1;
  response.on('close', () => {
    socket[UNANSWERED]! -= 1;
    if (!response.writableFinished) departure.leave('gone');
    over(state, departure);
  });
  if (state.stopping) departure.leave('stopping');
  try {
    const body = hasBody(request) ? await readBody(request, state.options.router.bodyBytesMax(request.method!, pathOf(request.url!))) : undefined;
    const answering = dispatch(state, request, { body, remoteAddress, departure });
    const bodiless = request.method === 'HEAD';
    forget(request, response);
    const answer = await answering;
    const how = { close: state.stopping || body?.unread === true, bodiless };
    if (answer.parts === undefined) send(response, answer, how);
    else await sendParts(response, { ...answer, parts: answer.parts }, how);
  } catch (error) {
    // The router never rejects: the client has gone, or its answer could not be made or written to its end.
    state.options.runtime.logger[departure.isDue ? 'debug' : 'warn']({ error }, 'request was cut');
    response.destroy();
  }
}

function over(state: State, departure: Departure): void {
  state.active.delete(departure);
  if (state.active.size === 0) state.idle?.();
}

/** Whether its connection need not keep Node's HTTP until it is answered. */
function isPoll({ options: { router }, stopping }: State, request: IncomingMessage): boolean {
  const { method, url = '', socket } = request;
  if (method !== 'GET' || stopping || !url.includes('timeout=') || !router.mayWait(pathOf(url))) return false;
  return isAllSaid(request) && ((socket as UsedSocket)[UNANSWERED] ?? 0) === 0;
}

interface Poll {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** What has been read after it. */
  readonly head: Buffer;
}

/** Not an async function: that would hold the request until it is answered. */
function servePoll(state: State, { request, socket, head }: Poll, app: Express): void {
  const departure = new Departure();
  state.active.add(departure);
  state.unused.delete(socket);
  const held = state.waiting.hold(socket, head, { departure, over: () => over(state, departure) });
  // As Express does it with what it gets.
  const remoteAddress = addressOf(state, Object.setPrototypeOf(request, app.request) as Request);
  const answering = dispatch(state, request, { body: undefined, remoteAddress, departure });
  void answering.then(gathered).then((answer) => held.answer(answer, state.stopping), (error: unknown) => {
    state.options.runtime.logger[departure.isDue ? 'debug' : 'warn']({ error }, 'long poll was cut');
    held.cut();
  });
}

function dispatch({ options }: State, request: IncomingMessage, { body, remoteAddress, departure }: { body: ReadBody | undefined } & Pick<RawRequest, 'remoteAddress' | 'departure'>): Promise<ApiResponse> {
  const url = request.url ?? '/';
  const path = pathOf(url);
  return options.router.dispatch({
    method: request.method ?? 'GET',
    path,
    queryString: url.slice(path.length + 1),
    target: url,
    headers: headersOf(request),
    body: body?.bytes,
    bodyTooLarge: body?.tooLarge,
    remoteAddress,
    departure,
  });
}

const NOTHING_SAID = { list: [] as string[], headers: {} };

/** Node and Express hold a request until it is answered: what it said has been taken over, and a long poll need not keep it. */
function forget(request: IncomingMessage & { next?: unknown; params?: unknown; originalUrl?: unknown; _parsedUrl?: unknown }, response: ServerResponse & { locals?: unknown }): void {
  request.rawHeaders = NOTHING_SAID.list;
  request.headers = NOTHING_SAID.headers;
  request.url = '';
  request.next = request.params = request.originalUrl = request._parsedUrl = response.locals = undefined;
}

function send(response: ServerResponse, answer: ApiResponse, how: { close: boolean; bodiless: boolean }): void {
  const bytes = responseBytes(answer);
  const headers: Record<string, string | number> = { ...answer.headers, 'content-length': Buffer.byteLength(bytes) };
  if (how.close) headers['connection'] = 'close';
  response.writeHead(answer.status, headers);
  if (how.bodiless) response.end();
  else response.end(bytes);
}

async function stop(server: Server, doors: Doors, state: State, deadlineMs: number): Promise<void> {
  const { clock, logger } = state.options.runtime;
  // The handshake alone has read bytes there.
  const isTls = state.options.tls !== undefined;
  state.stopping = true;
  const gone = new AbortController();
  const closed = doors.close().then(() => gone.abort());
  const timer = clock.timer(deadlineMs, () => {
    logger.warn({ requests: state.active.size }, 'requests were cut: they took longer than the deadline for stopping');
    server.closeAllConnections();
    state.waiting.closeAll();
  });
  await wakeLongPolls(state);
  await requestsEnd(state);
  await clock.sleep(Math.min(IDLE_GRACE_MS, deadlineMs / 2), gone.signal);
  await requestsEnd(state);
  server.closeIdleConnections();
  state.waiting.closeIdle();
  // Node does not count them among the idle ones.
  for (const socket of state.unused) if (isTls || socket.bytesRead === 0) socket.destroy();
  for (const socket of state.handshaking.values()) socket.destroy();
  await closed;
  timer.cancel();
}

async function wakeLongPolls(state: State): Promise<void> {
  let woken = 0;
  for (const departure of [...state.active]) {
    departure.leave('stopping');
    woken += 1;
    if (woken % WAKE_AT_ONCE === 0) await state.options.runtime.clock.yield();
  }
}

function requestsEnd(state: State): Promise<void> {
  return new Promise((resolve) => {
    if (state.active.size === 0) resolve();
    else state.idle = resolve;
  });
}
