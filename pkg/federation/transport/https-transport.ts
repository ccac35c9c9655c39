/**
 * The way to other servers over HTTPS. Bounded in everything that another server decides: how long it takes, how much it says, where its name leads, how many of our
 * requests it holds up.
 */
import { Agent } from 'node:https';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { createSemaphore, Overloaded } from '../../assert/semaphore.ts';
import type { Semaphore } from '../../assert/semaphore.ts';
import type { Clock, Random } from '../../runtime/runtime.ts';
import { addressCheck, DENIED_RANGES_DEFAULT } from '../ip-ranges.ts';
import type { AddressPolicy } from '../ip-ranges.ts';
import { parseResponse } from '../parse-response.ts';
import type { RawResponse } from '../parse-response.ts';
import { ServerNameError } from '../resolve-server-name.ts';
import type { Resolved } from '../resolve-server-name.ts';
import { createServerNameResolver } from '../server-name-resolver.ts';
import type { Overrides } from '../server-name-resolver.ts';
import { FederationError, requestTarget } from '../transport.ts';
import type { FederationRequest, FederationTransport } from '../transport.ts';
import { createAnswerRoom } from './answer-room.ts';
import { askWeb } from './ask-web.ts';
import { exchange, NotSent, StaleConnection } from './exchange.ts';
import type { Line } from './exchange.ts';
import { fetchWellKnown } from './fetch-well-known.ts';
import { guardedLookup, systemNames } from './names.ts';
import type { Names } from './names.ts';

export interface TransportLimits {
  /** Requests under way to one destination; more wait. */
  readonly atOncePerDestination: number;
  /** Requests that wait for one destination; more are refused as `overloaded`. */
  readonly waitingPerDestination: number;
  /** Connections to all destinations together. */
  readonly connections: number;
  /** Biggest answer in bytes, unless the request says otherwise. */
  readonly responseBytes: number;
  /** Bytes of all answers that are being read; those that would take more are read later, and small ones always. */
  readonly bufferedBytes: number;
  /** How long one address of a server may take to connect, in ms. */
  readonly connectMs: number;
  /** How long a host may take to answer for its .well-known file, in ms. */
  readonly wellKnownMs: number;
  /** How long an idle connection is kept, in ms. */
  readonly idleMs: number;
}

export const TRANSPORT_LIMITS: TransportLimits = {
  atOncePerDestination: 8, waitingPerDestination: 200, connections: 2000, responseBytes: 16 * 1024 * 1024, bufferedBytes: 128 * 1024 * 1024, connectMs: 10_000, wellKnownMs: 10_000, idleMs: 60_000,
};

export interface HttpsTransportOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly userAgent: string;
  /** PEM texts of authorities trusted beside the system's. */
  readonly extraCertificates?: readonly string[];
  /** Addresses that are never connected to, and exceptions; by default nothing but the public internet is reached. */
  readonly addresses?: AddressPolicy;
  /** Server names that may be contacted; by default all. */
  readonly mayContact?: (serverName: string) => boolean;
  readonly overrides?: Overrides;
  readonly limits?: Partial<TransportLimits>;
  /** Name servers; by default the system's. */
  readonly names?: Names;
  /** Port of .well-known files; 443 by default. */
  readonly wellKnownPort?: number;
}

export interface HttpsTransport extends Required<FederationTransport> {
  /** Where the server is found, for diagnosis. Rejects with `ServerNameError`. */
  resolve(serverName: string): Promise<Resolved>;
  /** Requests under way and waiting, all destinations. */
  underWay(): { readonly running: number; readonly waiting: number };
  /** Closes all connections; requests under way fail. */
  close(): void;
}

/** Throws `RangeError` for malformed address ranges, and what Node throws for malformed certificates. */
export function createHttpsTransport(options: HttpsTransportOptions): HttpsTransport {
  const limits = { ...TRANSPORT_LIMITS, ...options.limits };
  const mayConnect = addressCheck(options.addresses ?? { denied: DENIED_RANGES_DEFAULT, allowed: [] });
  const names = options.names ?? systemNames();
  const line: Line = {
    agent: createAgent(limits, options.extraCertificates ?? []),
    clock: options.clock,
    lookup: guardedLookup(names, mayConnect),
    mayConnect,
    connectMs: limits.connectMs,
    room: createAnswerRoom(limits.bufferedBytes, options.clock),
  };
  const resolver = createServerNameResolver({
    clock: options.clock, random: options.random, overrides: options.overrides,
    effects: {
      fetchWellKnown: (hostname) => fetchWellKnown(line, hostname, { withinMs: limits.wellKnownMs, userAgent: options.userAgent, port: options.wellKnownPort }),
      lookUpSrv: (name) => names.srv(name),
    },
  });
  const queues = createQueues(limits);

  async function ask(request: FederationRequest, signal: AbortSignal): Promise<RawResponse> {
    signal.throwIfAborted();
    const resolved = await resolver.resolve(request.destination);
    try {
      return await askTargets(line, resolved, { request, signal, userAgent: options.userAgent, bytesMax: request.responseBytesMax ?? limits.responseBytes });
    } catch (error) {
      if (error instanceof NotSent) resolver.forget(request.destination);
      throw error;
    }
  }

  return {
    async request(request) {
      const { destination } = request;
      if (options.mayContact?.(destination) === false) throw new FederationError('refused', `the settings forbid to contact ${destination}`);
      return withinDeadline(options.clock, request, async (signal) => {
        const response = await queues.run(destination, () => ask(request, signal));
        return parseResponse(response, destination, request.answersInPair);
      }).catch((error: unknown) => {
        if (error instanceof Overloaded) throw new FederationError('overloaded', `too many requests to ${destination} wait already`, { cause: error });
        if (error instanceof ServerNameError) throw new FederationError('unreachable', error.message, { cause: error });
        throw error;
      });
    },
    web: (request) => askWeb(line, request, options.userAgent),
    resolve: (serverName) => resolver.resolve(serverName),
    underWay: queues.underWay,
    close: () => line.agent.destroy(),
  };
}

/** One pool for all: it keeps the connections of each host, port and TLS name apart. */
function createAgent(limits: TransportLimits, extraCertificates: readonly string[]): Agent {
  const { atOncePerDestination: perHost } = limits;
  const agent = new Agent({
    keepAlive: true, maxSockets: perHost, maxFreeSockets: perHost, maxTotalSockets: limits.connections, timeout: limits.idleMs, scheduling: 'lifo',
  });
  // Tried at once, so that malformed ones are found at the start.
  if (extraCertificates.length > 0) createSecureContext({ ca: [...extraCertificates] });
  // Made once, by the first request: reading all the system's authorities takes milliseconds, and they take 4 MB, which a server that asks no other saves.
  let context: SecureContext | undefined;
  const secureContext = (): SecureContext => (context ??= createSecureContext({ ca: [...getCACertificates('default'), ...extraCertificates], minVersion: 'TLSv1.2' }));
  Object.defineProperty(agent.options, 'secureContext', { get: secureContext, enumerable: true });
  return agent;
}

/** A line for each destination that has requests under way. */
function createQueues(limits: TransportLimits) {
  const queues = new Map<string, Semaphore>();
  const sum = (count: (queue: Semaphore) => number) => [...queues.values()].reduce((total, queue) => total + count(queue), 0);
  return {
    async run<T>(destination: string, work: () => Promise<T>): Promise<T> {
      const queue = queues.get(destination) ?? createSemaphore({ name: destination, permits: limits.atOncePerDestination, waitingMax: limits.waitingPerDestination });
      queues.set(destination, queue);
      try {
        return await queue.run(work);
      } finally {
        if (queue.running() === 0 && queue.waiting() === 0) queues.delete(destination);
      }
    },
    underWay: () => ({ running: sum((queue) => queue.running()), waiting: sum((queue) => queue.waiting()) }),
  };
}

/** Runs `work` with a signal that is aborted, with the error to reject with, at the deadline or when the caller goes away; rejects then, whatever `work` still does. */
function withinDeadline<T>(clock: Clock, request: FederationRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const cancel = () => controller.abort(new FederationError('cancelled', `the request to ${request.destination} was cancelled`));
  const timer = clock.timer(request.deadlineMs, () => controller.abort(new FederationError('timeout', `${request.destination} did not answer within ${request.deadlineMs} ms`)));
  if (request.signal?.aborted === true) cancel();
  request.signal?.addEventListener('abort', cancel, { once: true });
  return new Promise<T>((resolve, reject) => {
    const give = () => reject(controller.signal.reason as FederationError);
    if (controller.signal.aborted) give();
    controller.signal.addEventListener('abort', give, { once: true });
    work(controller.signal).then(resolve, reject);
  }).finally(() => {
    timer.cancel();
    request.signal?.removeEventListener('abort', cancel);
  });
}

interface Asked {
  readonly request: FederationRequest;
  readonly signal: AbortSignal;
  readonly userAgent: string;
  readonly bytesMax: number;
}

/** The answer of the first target that can be connected to. */
async function askTargets(line: Line, resolved: Resolved, { request, signal, userAgent, bytesMax }: Asked): Promise<RawResponse> {
  const body = request.json ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
  const headers: Record<string, string> = { Host: resolved.hostHeader, Accept: 'application/json', 'User-Agent': userAgent };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (request.authorization !== undefined) headers.Authorization = request.authorization;
  const common = { tlsName: resolved.tlsName, method: request.method, path: requestTarget(request), headers, body, bytesMax, signal };
  let last: FederationError = new FederationError('unreachable', `${request.destination} says that it offers no federation`);
  for (const target of resolved.targets) {
    try {
      return await freshIfStale(() => exchange(line, { ...common, target }), request.method !== 'POST');
    } catch (error) {
      if (!(error instanceof NotSent)) throw error;
      last = error;
    }
  }
  throw last;
}

/** Asks again, once, over another connection when a pooled one turned out to be closed; only what may be repeated. */
async function freshIfStale(ask: () => Promise<RawResponse>, repeatable: boolean): Promise<RawResponse> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof StaleConnection) || !repeatable) throw error;
    return ask();
  }
}
