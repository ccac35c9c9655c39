/**
 * Incremental fetch sessions (KIP-227): the broker remembers what is read and from where, a request names what has changed since the one before, and its answer the partitions that have something. Without them each
 * request and each answer names every partition, which costs a process at rest half a millisecond ten times a second. kafkajs encodes sessions and does not use them.
 */
import { createRequire } from 'node:module';
import type { Broker } from 'kafkajs';
import { LogUnavailable } from '../log.ts';
import { partitionKey } from './topics.ts';

/** Where a partition is to be read on. */
export interface FetchPlace {
  readonly topic: string;
  readonly partition: number;
  readonly next: number;
}

export interface FetchLimits {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly partitionBytesMax: number;
}

export interface FetchResponse {
  /** Of the request as a whole. */
  readonly errorCode?: number;
  /** 0 or undefined: the broker remembers nothing. */
  readonly sessionId?: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly { offset: string; key: Buffer | null; value: Buffer | null; isControlRecord?: boolean }[];
    }[];
  }[];
}

/** What the session adds to a request. */
export interface SessionPart {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly changed: readonly FetchPlace[];
  readonly forgotten: readonly Omit<FetchPlace, 'next'>[];
}

const EPOCH_MAX = 2 ** 31 - 1;

/** With one broker. What it says stands for requests that are sent one after the other. */
export class FetchSession {
  #id = 0;
  /** 0: the next request names everything, and the broker begins a session. */
  #epoch = 0;
  readonly #known = new Map<string, FetchPlace>();

  /** For a request that reads `places` and nothing else. */
  next(places: readonly FetchPlace[]): SessionPart {
    if (this.#epoch === 0) this.#known.clear();
    const gone = new Map(this.#known);
    const changed: FetchPlace[] = [];
    for (const { topic, partition, next } of places) {
      const key = partitionKey(topic, partition);
      gone.delete(key);
      if (this.#known.get(key)?.next === next) continue;
      const place = { topic, partition, next };
      this.#known.set(key, place);
      changed.push(place);
    }
    for (const key of gone.keys()) this.#known.delete(key);
    return { sessionId: this.#id, sessionEpoch: this.#epoch, changed, forgotten: [...gone.values()] };
  }

  answered(sessionId: number): void {
    this.#id = sessionId;
    if (sessionId === 0) this.#epoch = 0;
    else this.#epoch = this.#epoch === EPOCH_MAX ? 1 : this.#epoch + 1;
  }

  /** What the broker has taken in is not known. */
  failed(): void {
    this.#epoch = 0;
  }
}

interface ProtocolRequest {
  readonly request: object;
}

/** What kafkajs's `Broker.fetch` is made of. */
interface BrokerInside {
  lookupRequest(apiKey: number, definition: unknown): (options: object) => ProtocolRequest;
  readonly connectionPool: { send(request: ProtocolRequest): Promise<FetchResponse> };
}

const FETCH = 1;
/** FETCH_SESSION_ID_NOT_FOUND (it keeps a thousand, and those that were used last) and INVALID_FETCH_SESSION_EPOCH. */
const FORGOTTEN: ReadonlySet<number> = new Set([70, 71]);
const { requests } = createRequire(import.meta.url)('kafkajs/src/protocol/requests') as { requests: { Fetch: unknown } };

/** Reads `places` on from where they are; brings nothing when the broker has forgotten the session, and the next request begins another. Rejects as `Broker.fetch` does. */
export async function fetchInSession(broker: Broker, session: FetchSession, places: readonly FetchPlace[], { partitionBytesMax, ...limits }: FetchLimits): Promise<FetchResponse['responses']> {
  const { lookupRequest, connectionPool } = broker as unknown as BrokerInside;
  const { changed, forgotten, ...of } = session.next(places);
  const topics = byTopic(changed, ({ partition, next }) => ({ partition, fetchOffset: String(next), maxBytes: partitionBytesMax }));
  const forgottenTopics = byTopic(forgotten, ({ partition }) => partition);
  try {
    const { errorCode = 0, sessionId = 0, responses } = await connectionPool.send(lookupRequest(FETCH, requests.Fetch)({ ...of, ...limits, isolationLevel: 0, topics, forgottenTopics }));
    if (FORGOTTEN.has(errorCode)) session.failed();
    else if (errorCode === 0) session.answered(sessionId);
    else throw new LogUnavailable(`Kafka answered a fetch with error ${errorCode}`);
    return responses;
  } catch (error) {
    session.failed();
    // As kafkajs does it: whoever asks for the broker next connects anew.
    if ((error as Error).name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw error;
  }
}

function byTopic<Place extends { readonly topic: string }, T>(places: readonly Place[], of: (place: Place) => T): { topic: string; partitions: T[] }[] {
  return [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, group]) => ({ topic, partitions: group.map(of) }));
}
