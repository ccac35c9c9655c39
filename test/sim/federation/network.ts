/**
 * The network between the servers of a world. It takes a signed request to the other server and brings the answer back, or not: what it loses, delays, repeats and
 * cuts is drawn from the seed.
 */
import { parseResponse } from '../../../pkg/federation/parse-response.ts';
import { FederationError, requestTarget, type FederationRequest, type FederationResponse } from '../../../pkg/federation/transport.ts';
import { responseBytes } from '../../../pkg/http/body.ts';
import { Departure } from '../../../pkg/http/departure.ts';
import type { RawRequest } from '../../../pkg/http/router.ts';
import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { Scheduler } from '../scheduler.ts';
import type { Seeded } from '../seeded.ts';
import { QUIET_NETWORK, type NetworkRates } from './network-faults.ts';

/** Whoever can be asked. Undefined: the connection breaks. A promise that stays open: it never answers. */
export interface Peer {
  readonly name: string;
  receive(raw: RawRequest): Promise<ApiResponse | undefined>;
}

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly random: Seeded;
  readonly rates: NetworkRates;
  readonly healed: () => boolean;
}

/** Linux finds after 12 s that nobody is at the other end of a connection that Node keeps alive; proxies are slower. */
const DEAD_PATH_MS = 60_000;

export class SimNetwork {
  readonly counts = { requests: 0, failed: 0, splits: 0 };
  readonly #options: NetworkOptions;
  readonly #peers = new Map<string, Peer>();
  /** Directions that nothing passes, `from>to`. */
  readonly #cut = new Set<string>();
  /** Until `begin`. */
  #calm: boolean;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#calm = options.rates.islands;
    if (!this.#calm) this.#planSplit();
  }

  /** Where the servers are to be parted, nothing goes wrong before this. */
  begin(): void {
    this.#calm = false;
    this.#planSplit();
  }

  attach(peer: Peer): void {
    this.#peers.set(peer.name, peer);
  }

  /** One request of the server `from`. Rejects with `FederationError`. */
  async ask(from: string, request: FederationRequest): Promise<FederationResponse> {
    const { scheduler } = this.#options;
    this.counts.requests += 1;
    const gone = new AbortController();
    const label = `${from} ${request.method} ${request.destination}${request.path}`;
    const ended = new Promise<never>((_resolve, reject) => {
      const end = (error: FederationError): void => {
        gone.abort();
        reject(error);
      };
      const deadline = scheduler.after(request.deadlineMs, `deadline ${label}`, () => end(new FederationError('timeout', `${request.destination} did not answer in time`)));
      const cancel = (): void => end(new FederationError('cancelled', 'nobody waits any more'));
      if (request.signal?.aborted === true) cancel();
      request.signal?.addEventListener('abort', cancel, { once: true });
      gone.signal.addEventListener('abort', () => {
        deadline.cancelled = true;
        request.signal?.removeEventListener('abort', cancel);
      });
    });
    try {
      return await new Promise<FederationResponse>((resolve, reject) => {
        ended.catch(reject);
        this.#carry({ from, request, label, signal: gone.signal }).then(resolve, reject);
      });
    } catch (error) {
      this.counts.failed += 1;
      throw error;
    } finally {
      gone.abort();
    }
  }

  async #carry(trip: Trip): Promise<FederationResponse> {
    const { random } = this.#options;
    const { from, request: { destination }, label } = trip;
    const rates = this.#rates();
    await this.#travel(destination, `reach ${label}`);
    if (random.chance(rates.requestLost)) return this.#lost(destination);
    if (random.chance(rates.refused)) throw unreachable(destination);
    await this.#pass(from, destination);
    if (random.chance(rates.proxyFailed)) return fromProxy(random.pick([502, 503, 504]), destination);
    const peer = this.#peers.get(destination);
    if (peer === undefined) throw unreachable(destination);
    const raw = rawRequest(trip);
    if (random.chance(rates.repeated)) void this.#travel(destination, `repeat ${label}`, 20_000).then(() => peer.receive({ ...raw, departure: new Departure() }));
    const answer = await peer.receive(raw);
    await this.#pass(destination, from);
    if (random.chance(rates.proxyGaveUp)) return fromProxy(504, destination);
    if (random.chance(rates.answerLost)) return this.#lost(destination);
    await this.#travel(destination, `answered ${label}`);
    if (answer === undefined || random.chance(rates.answerBroken)) throw new FederationError('unreachable', `the connection to ${destination} broke`);
    return parseResponse({ status: answer.status, headers: answer.headers ?? {}, body: Buffer.from(responseBytes(answer)) }, destination, trip.request.answersInPair);
  }

  #rates(): NetworkRates {
    return this.#calm || this.#options.healed() ? QUIET_NETWORK : this.#options.rates;
  }

  #travel(destination: string, label: string, moreMs = 0): Promise<void> {
    const { scheduler, random } = this.#options;
    const rates = this.#rates();
    const slow = [...this.#peers.keys()][rates.slow] === destination ? rates.slowMsMax : 0;
    return new Promise((resolve) => void scheduler.after(random.float() ** 3 * (rates.delayMsMax + slow + moreMs), label, resolve));
  }

  /** Through a netsplit: half of them swallow what is sent, the others say so at once. */
  async #pass(from: string, to: string): Promise<void> {
    if (!this.#cut.has(`${from}>${to}`)) return;
    if (this.#options.random.chance(0.5)) await this.#lost(to);
    throw unreachable(to);
  }

  /** Nothing comes any more: the asker's system notices by its probes of the connection that there is none left, when no deadline is over before. */
  #lost(to: string): Promise<never> {
    return new Promise((_resolve, reject) => void this.#options.scheduler.after(DEAD_PATH_MS, `dead path to ${to}`, () => reject(unreachable(to))));
  }

  #planSplit(): void {
    const { scheduler, random, rates } = this.#options;
    if (rates.splitEveryMs === 0) return;
    scheduler.after(random.float() * 2 * rates.splitEveryMs, 'time for a netsplit', () => {
      const ways = rates.islands ? this.#island() : this.#rift();
      if (this.#options.healed()) return;
      this.counts.splits += 1;
      for (const way of ways) this.#cut.add(way);
      scheduler.after(random.float() * rates.splitMsMax, `end of netsplit ${ways.join(' ')}`, () => {
        for (const way of ways) this.#cut.delete(way);
        this.#planSplit();
      });
    });
  }

  /** Between two, or from one of them to the other. */
  #rift(): string[] {
    const { random } = this.#options;
    const names = [...this.#peers.keys()];
    const from = random.pick(names);
    const to = random.pick(names.filter((name) => name !== from));
    return random.chance(0.6) ? [`${from}>${to}`, `${to}>${from}`] : [`${from}>${to}`];
  }

  /** Between one, or in half of the cases everyone, and all others. */
  #island(): string[] {
    const { random } = this.#options;
    const names = [...this.#peers.keys()];
    const alone = random.chance(0.5) ? [random.pick(names)] : names;
    return names.flatMap((from) => names.filter((to) => to !== from && (alone.includes(from) || alone.includes(to))).map((to) => `${from}>${to}`));
  }

  heal(): void {
    this.#cut.clear();
  }
}

interface Trip {
  readonly from: string;
  readonly request: FederationRequest;
  readonly label: string;
  readonly signal: AbortSignal;
}

/** As a listener would read it from the wire. */
function rawRequest({ request, signal }: Trip): RawRequest {
  const [path = '', queryString = ''] = requestTarget(request).split('?');
  const departure = new Departure();
  signal.addEventListener('abort', () => departure.leave('gone'), { once: true });
  const text = request.json ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
  return {
    method: request.method, path, queryString, remoteAddress: '198.51.100.1', departure,
    headers: {
      host: request.destination,
      ...(request.authorization === undefined ? {} : { authorization: request.authorization }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(text === undefined ? {} : { body: Buffer.from(text) }),
  };
}

function unreachable(destination: string): FederationError {
  return new FederationError('unreachable', `${destination} cannot be reached`);
}

function fromProxy(status: number, destination: string): FederationResponse {
  return parseResponse({ status, headers: {}, body: Buffer.from('<html>Bad Gateway</html>') }, destination);
}
