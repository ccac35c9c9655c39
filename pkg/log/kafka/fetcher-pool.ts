/**
 * A fetch request names each partition once, so two subscriptions to one partition in one process need two fetchers, each with its own connection. Further
 * fetchers are opened when they are needed.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import type { OpenCluster } from './client.ts';
import { createFetcher, type Fetcher, type Read } from './fetcher.ts';
import { partitionKey } from './topics.ts';

export interface FetcherPool {
  /** Starts reading, as soon as Kafka answers; the result stops it. */
  add(read: Read): () => void;
  /** A partition has room again. */
  wake(): void;
  health(): string | undefined;
  close(): Promise<void>;
}

interface Member {
  readonly taken: Set<string>;
  readonly opened: Promise<Opened | undefined>;
  fetcher?: Fetcher;
}

interface Opened {
  readonly fetcher: Fetcher;
  readonly cluster: OpenCluster;
}

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 1000;

export function createFetcherPool(openCluster: () => Promise<OpenCluster>, runtime: Runtime): FetcherPool {
  const members: Member[] = [];
  const stop = new AbortController();

  /** Undefined when the pool was closed first. */
  async function openFetcher(): Promise<Opened | undefined> {
    for (let retryMs = RETRY_MS_MIN; !stop.signal.aborted; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        const cluster = await openCluster();
        return { cluster, fetcher: createFetcher(cluster, runtime) };
      } catch (err) {
        runtime.logger.warn({ err }, 'cannot connect to Kafka, will try again');
        await runtime.clock.sleep(retryMs, stop.signal);
      }
    }
    return undefined;
  }

  function addMember(): Member {
    const member: Member = { taken: new Set(), opened: openFetcher() };
    members.push(member);
    return member;
  }

  return {
    add(read) {
      const key = partitionKey(read.topic, read.partition);
      const member = members.find(({ taken }) => !taken.has(key)) ?? addMember();
      member.taken.add(key);
      let removed = false;
      void member.opened.then((opened) => {
        if (!opened || removed) return;
        member.fetcher = opened.fetcher;
        opened.fetcher.add(read);
      });
      return () => {
        removed = true;
        member.taken.delete(key);
        member.fetcher?.remove(read);
      };
    },
    wake: () => members.forEach(({ fetcher }) => fetcher?.wake()),
    health() {
      if (members.some(({ fetcher, taken }) => taken.size > 0 && !fetcher)) return 'not connected to Kafka yet';
      return members.map(({ fetcher }) => fetcher?.health()).find((sentence) => sentence !== undefined);
    },
    async close() {
      stop.abort();
      await Promise.all(members.map(async ({ opened }) => {
        const member = await opened;
        await member?.fetcher.close();
        await member?.cluster.close().catch(() => undefined);
      }));
    },
  };
}
