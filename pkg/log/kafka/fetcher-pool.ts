/**
 * A fetch request names each partition once, so two subscriptions to one partition in one process need two fetchers, each with its own connection. Further
 * fetchers are opened when they are needed.
 */
import type { Runtime } from '../../runtime/runtime.ts';
import type { OpenCluster } from './client.ts';
import { createFetcher, type Fetcher, type Read } from './fetcher.ts';

export interface FetcherPool {
  /** Starts reading; the result stops it. Rejects when a connection is needed and cannot be had. */
  add(read: Read): Promise<() => void>;
  /** A partition has room again. */
  wake(): void;
  health(): string | undefined;
  close(): Promise<void>;
}

interface Member {
  readonly taken: Set<string>;
  readonly opened: Promise<{ fetcher: Fetcher; cluster: OpenCluster }>;
  fetcher?: Fetcher;
}

export function createFetcherPool(openCluster: () => Promise<OpenCluster>, runtime: Runtime): FetcherPool {
  let members: Member[] = [];

  function open(): Member {
    const opened = openCluster().then((cluster) => ({ cluster, fetcher: createFetcher(cluster, runtime) }));
    const member: Member = { taken: new Set(), opened };
    opened.then(({ fetcher }) => { member.fetcher = fetcher; }, () => { members = members.filter((other) => other !== member); });
    members.push(member);
    return member;
  }

  return {
    async add(read) {
      const key = `${read.topic}/${read.partition}`;
      const member = members.find(({ taken }) => !taken.has(key)) ?? open();
      member.taken.add(key);
      const { fetcher } = await member.opened;
      fetcher.add(read);
      return () => {
        fetcher.remove(read);
        member.taken.delete(key);
      };
    },
    wake: () => members.forEach(({ fetcher }) => fetcher?.wake()),
    health: () => members.map(({ fetcher }) => fetcher?.health()).find((sentence) => sentence !== undefined),
    async close() {
      await Promise.all(members.map(async ({ opened }) => {
        const { fetcher, cluster } = await opened.catch(() => ({ fetcher: undefined, cluster: undefined }));
        await fetcher?.close();
        await cluster?.close().catch(() => undefined);
      }));
    },
  };
}
