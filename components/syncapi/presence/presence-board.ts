/**
 * Who is there, from the owners' signals. Soft: kept in memory only and lost with the process, which asks anew. Places are (epoch, counter) of the owner of a partition of users; a client
 * whose place is of an older epoch gets all that the present one has told.
 */
import type { PresenceState, PresenceTold } from '../../../schemas/log/presence.ts';
import { rememberLast } from '../token/remember-last.ts';
import { hasSeenAll, isLater, laterPlaces } from '../token/soft-places.ts';
import type { SoftPlace, SyncPosition } from '../token/sync-token.ts';

/** What clients are told of one user. */
export interface SeenPresence extends PresenceState {
  readonly userId: string;
}

export interface PresenceBoard {
  /** Takes a signal; the users of whom it tells something new. `isGap`: something before it was missed. */
  receive(told: PresenceTold): { readonly changed: readonly string[]; readonly isGap: boolean };
  get(userId: string): SeenPresence | undefined;
  /** Whether there is nothing of anybody that a client at `since` does not have. */
  isCurrent(since: SyncPosition): boolean;
  /** Of whom there is news for a client at `since`; for one that has nothing, who is not offline. undefined: more than `max`. */
  news(since: SyncPosition | undefined, max: number): SeenPresence[] | undefined;
  /** The same among these users. */
  newsAmong(userIds: readonly string[], since: SyncPosition | undefined): SeenPresence[];
  /** The places after an answer to a client that was at `since`; never behind it. */
  places(since: SyncPosition | undefined): readonly SoftPlace[];
}

interface Entry extends SeenPresence {
  readonly partition: number;
  readonly epoch: number;
  readonly counter: number;
}

interface Partition {
  place: SoftPlace;
  /** In the order of their places; those that a later one has replaced stay for a while. */
  entries: Entry[];
  /** So many were left when those were last taken out. */
  kept: number;
  isSorted: boolean;
  /** A list that is under way: whom it has named. */
  list: { readonly id: string; readonly named: Set<string> } | undefined;
}

const ENTRIES_MAX = 200_000;
const ENTRIES_MIN = 100;
const NOWHERE: readonly SoftPlace[] = [];

export function createPresenceBoard(): PresenceBoard {
  return new Board();
}

class Board implements PresenceBoard {
  readonly #users = new Map<string, Entry>();
  readonly #partitions = new Map<number, Partition>();
  /** The places in order, until one moves. */
  #sorted: readonly SoftPlace[] | undefined;
  readonly #later = rememberLast((known: readonly SoftPlace[], seen: readonly SoftPlace[]) => laterPlaces(known, seen).filter(hasBegun));
  readonly #hasSeenAll = rememberLast((known: readonly SoftPlace[], seen: readonly SoftPlace[]) => {
    const partitions = new Set(seen.map(({ partition }) => partition));
    return hasSeenAll(known.filter((place) => hasBegun(place) || partitions.has(place.partition)), seen);
  });

  receive(told: PresenceTold): { changed: string[]; isGap: boolean } {
    const partition = this.#partitionOf(told);
    const isKnownEpoch = partition.place.epoch === told.epoch;
    if (!isKnownEpoch && told.epoch < partition.place.epoch) return { changed: [], isGap: false };
    const isGap = told.after >= 0 && (isKnownEpoch ? told.after > partition.place.counter : told.after > 0);
    const changed: string[] = [];
    for (const { counter, ...state } of told.users) {
      if (this.#put(partition, { ...state, partition: told.partition, epoch: told.epoch, counter })) changed.push(state.userId);
    }
    if (told.list !== undefined) changed.push(...this.#takeList(partition, told, told.list));
    this.#sorted = undefined;
    if (isLater(told, partition.place)) partition.place = { partition: told.partition, epoch: told.epoch, counter: told.counter };
    return { changed, isGap };
  }

  get(userId: string): SeenPresence | undefined {
    return this.#users.get(userId);
  }

  news(since: SyncPosition | undefined, max: number): SeenPresence[] | undefined {
    if (since === undefined) return this.#present(max);
    if (this.isCurrent(since)) return [];
    const seen = new Map(since.presence?.map((place) => [place.partition, place]));
    const news: SeenPresence[] = [];
    for (const [number, partition] of this.#partitions) {
      const place = seen.get(number);
      if (place !== undefined && !isLater(partition.place, place)) continue;
      for (const entry of this.#newestFirst(partition)) {
        if (place !== undefined && !isLater(entry, place)) break;
        if (place !== undefined || entry.kind !== 'offline') news.push(entry);
        if (news.length > max) return undefined;
      }
    }
    return news;
  }

  newsAmong(userIds: readonly string[], since: SyncPosition | undefined): SeenPresence[] {
    const seen = new Map(since?.presence?.map((place) => [place.partition, place]));
    return userIds.flatMap((userId) => {
      const entry = this.#users.get(userId);
      const place = entry && seen.get(entry.partition);
      const isNews = entry !== undefined && (place === undefined ? entry.kind !== 'offline' : isLater(entry, place));
      return isNews ? [entry] : [];
    });
  }

  isCurrent({ presence }: SyncPosition): boolean {
    return this.#hasSeenAll(this.#known(), presence ?? NOWHERE);
  }

  places(since: SyncPosition | undefined): readonly SoftPlace[] {
    return this.#later(this.#known(), since?.presence ?? NOWHERE);
  }

  #known(): readonly SoftPlace[] {
    return (this.#sorted ??= [...this.#partitions.values()].map(({ place }) => place).sort((a, b) => a.partition - b.partition));
  }

  #present(max: number): SeenPresence[] | undefined {
    const present: SeenPresence[] = [];
    for (const entry of this.#users.values()) {
      if (entry.kind !== 'offline') present.push(entry);
      if (present.length > max) return undefined;
    }
    return present;
  }

  #partitionOf({ partition: number, epoch }: PresenceTold): Partition {
    const known = this.#partitions.get(number);
    if (known !== undefined) return known;
    const fresh: Partition = { place: { partition: number, epoch, counter: 0 }, entries: [], kept: ENTRIES_MIN, isSorted: true, list: undefined };
    this.#partitions.set(number, fresh);
    this.#sorted = undefined;
    return fresh;
  }

  /** Whether it is new. */
  #put(partition: Partition, entry: Entry): boolean {
    const known = this.#users.get(entry.userId);
    if (known !== undefined && !isLater(entry, known)) return false;
    if (known === undefined && this.#users.size >= ENTRIES_MAX) this.#dropOffline();
    this.#users.set(entry.userId, entry);
    const last = partition.entries.at(-1);
    if (last !== undefined && !isLater(entry, last)) partition.isSorted = false;
    partition.entries.push(entry);
    if (partition.entries.length > 2 * partition.kept) {
      partition.entries = partition.entries.filter((one) => this.#users.get(one.userId) === one);
      partition.kept = Math.max(partition.entries.length, ENTRIES_MIN);
    }
    return true;
  }

  *#newestFirst(partition: Partition): Iterable<Entry> {
    if (!partition.isSorted) partition.entries.sort((a, b) => (isLater(a, b) ? 1 : -1));
    partition.isSorted = true;
    for (let index = partition.entries.length - 1; index >= 0; index -= 1) {
      const entry = partition.entries[index]!;
      if (this.#users.get(entry.userId) === entry) yield entry;
    }
  }

  /** Who became offline by the end of a list that named them not. */
  #takeList(partition: Partition, told: PresenceTold, { id, users, last }: NonNullable<PresenceTold['list']>): string[] {
    if (partition.list?.id !== id) partition.list = { id, named: new Set() };
    const { named } = partition.list;
    for (const { userId } of told.users) named.add(userId);
    if (!last) return [];
    partition.list = undefined;
    if (named.size !== users) return [];
    const gone = [...this.#users.values()].filter((entry) => entry.partition === told.partition && entry.kind !== 'offline' && !named.has(entry.userId));
    return gone.filter((entry) => this.#put(partition, { ...entry, kind: 'offline', isActive: false, epoch: told.epoch, counter: told.counter })).map(({ userId }) => userId);
  }

  #dropOffline(): void {
    for (const [userId, { kind }] of this.#users) if (kind === 'offline') this.#users.delete(userId);
    if (this.#users.size >= ENTRIES_MAX) this.#users.clear();
  }
}

/** Of the others nothing has been told. */
function hasBegun({ counter }: SoftPlace): boolean {
  return counter > 0;
}
