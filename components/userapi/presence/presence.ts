/**
 * Who is there: soft state of the owner of a user's partition, in memory only, sequenced as (epoch of the lease, counter). Processes that serve /sync say whom they see, when that changes and
 * once a minute; readers are told what has changed, many users in a signal. Nothing is written but the text that users set (`presence_status`).
 */
import { decodePresenceSeen, encodePresence, PRESENCE_ASK_CHANNEL, PRESENCE_CHANNEL, PRESENCE_SEEN_CHANNEL, PRESENCE_USERS_MAX } from '../../../pkg/log/presence-signals.ts';
import type { LogDriver, Subscription } from '../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import type { Runtime, Timer } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import type { PresenceKind, PresenceSeen, PresenceTold } from '../../../schemas/log/presence.ts';
import { readStatuses } from './presence-status.ts';
import { act, CLAIM_MS, claim, differs, hear, newEntry, stateOf, wish, type PresenceEntry } from './presence-entry.ts';

export interface PresenceDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'logger' | 'random'>;
  readonly database: Reader;
  readonly driver: Pick<LogDriver, 'signal' | 'listen'>;
  readonly partitionMap: PartitionMap;
  readonly serverName: string;
  /** Of the lease of a partition; undefined: another process has it. */
  readonly epochOf: (partition: number) => number | undefined;
}

export interface Presence {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The user has set what they are; readers are told at once. */
  set(userId: string, wanted: { readonly kind: PresenceKind; readonly statusMsg: string }): void;
}

interface Partition {
  readonly epoch: number;
  /** When whoever has not been heard of since this epoch began is offline; undefined: that was told. */
  settleAtMs: number | undefined;
  counter: number;
}

/** Changes are collected for this long. */
const FLUSH_MS = 100;
const SWEEP_MS = 5000;
/** Of one user: changes other than of their kind are told no sooner after each other. */
const TOLD_EVERY_MS = 10_000;
const ENTRIES_MAX = 200_000;
const LIST_EVERY_MS = 2000;

export function createPresence(deps: PresenceDeps): Presence {
  return new Owner(deps);
}

class Owner implements Presence {
  readonly #deps: PresenceDeps;
  readonly #entries = new Map<string, PresenceEntry>();
  readonly #partitions = new Map<number, Partition>();
  #dirty = new Set<PresenceEntry>();
  #listening: Subscription[] = [];
  #flush: Timer | undefined;
  #sweep: Timer | undefined;
  #list: Timer | undefined;
  #isStopped = false;
  #lists = 0;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { driver } = this.#deps;
    this.#listening = [
      await driver.listen(PRESENCE_SEEN_CHANNEL, (value) => {
        const seen = decodePresenceSeen(value);
        if (seen !== undefined) this.#receive(seen);
      }),
      await driver.listen(PRESENCE_ASK_CHANNEL, () => {
        this.#list ??= this.#deps.runtime.clock.timer(LIST_EVERY_MS, () => {
          this.#list = undefined;
          for (const partition of this.#partitions.keys()) this.#tellAll(partition);
        });
      }),
    ];
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of [this.#flush, this.#sweep, this.#list]) timer?.cancel();
    await Promise.all(this.#listening.map((one) => one.close()));
    this.#entries.clear();
  }

  set(userId: string, wanted: { readonly kind: PresenceKind; readonly statusMsg: string }): void {
    const entry = this.#entryOf(userId);
    if (entry === undefined) return;
    wish(entry, { ...wanted, nowMs: this.#deps.runtime.clock.now() });
    this.#tell([entry]);
  }

  #receive({ from, users, active, remote }: PresenceSeen): void {
    const nowMs = this.#deps.runtime.clock.now();
    const { serverName } = this.#deps;
    for (const { userId, kind, lastActiveMs } of users ?? []) this.#change(userId, (entry) => claim(entry, from, { kind, nowMs, lastActiveMs }));
    for (const userId of active ?? []) this.#change(userId, (entry) => act(entry, nowMs));
    for (const state of remote ?? []) if (!state.userId.endsWith(`:${serverName}`)) this.#change(state.userId, (entry) => hear(entry, state, nowMs));
  }

  #change(userId: string, change: (entry: PresenceEntry) => void): void {
    const entry = this.#entryOf(userId);
    if (entry === undefined) return;
    change(entry);
    this.#dirty.add(entry);
    this.#flush ??= this.#deps.runtime.clock.timer(FLUSH_MS, () => void this.#flushDirty());
  }

  /** undefined: the user is another owner's, or there is no room for more. */
  #entryOf(userId: string): PresenceEntry | undefined {
    const partition = partitionOf(this.#deps.partitionMap, userId);
    if (this.#isStopped || this.#owned(partition) === undefined) return undefined;
    const known = this.#entries.get(userId);
    if (known !== undefined || this.#entries.size >= ENTRIES_MAX) return known;
    const entry = newEntry(userId, partition);
    this.#entries.set(userId, entry);
    this.#sweep ??= this.#deps.runtime.clock.timer(SWEEP_MS, () => this.#sweepAll());
    return entry;
  }

  /** The partition as this process owns it now: what was known under another epoch is forgotten. */
  #owned(partition: number): Partition | undefined {
    const epoch = this.#deps.epochOf(partition);
    const known = this.#partitions.get(partition);
    if (known?.epoch === epoch) return known;
    for (const [userId, entry] of this.#entries) if (entry.partition === partition) this.#entries.delete(userId);
    this.#partitions.delete(partition);
    if (epoch === undefined) return undefined;
    const fresh: Partition = { epoch, settleAtMs: this.#deps.runtime.clock.now() + CLAIM_MS, counter: 0 };
    this.#partitions.set(partition, fresh);
    return fresh;
  }

  async #flushDirty(): Promise<void> {
    this.#flush = undefined;
    const changed = [...this.#dirty];
    this.#dirty = new Set();
    await this.#loadStatuses(changed);
    if (!this.#isStopped) this.#tell(changed.filter((entry) => this.#entries.get(entry.userId) === entry));
  }

  async #loadStatuses(entries: readonly PresenceEntry[]): Promise<void> {
    const unknown = entries.filter(({ statusMsg }) => statusMsg === undefined);
    if (unknown.length === 0) return;
    try {
      const statuses = await readStatuses(this.#deps.database, unknown.map(({ userId }) => userId));
      for (const entry of unknown) entry.statusMsg ??= statuses.get(entry.userId) ?? '';
    } catch (error) {
      this.#deps.runtime.logger.warn({ error }, 'what users have set beside their presence could not be read');
    }
  }

  /** Tells readers of those that have changed; of what can wait another time. */
  #tell(entries: readonly PresenceEntry[]): void {
    const nowMs = this.#deps.runtime.clock.now();
    const news = new Map<number, PresenceEntry[]>();
    for (const entry of entries) {
      const state = stateOf(entry, nowMs);
      if (!differs(entry.told, state)) continue;
      const canWait = entry.told?.kind === state.kind && entry.told.statusMsg === state.statusMsg && nowMs - entry.toldAtMs < TOLD_EVERY_MS;
      if (canWait) continue;
      entry.told = state;
      entry.toldAtMs = nowMs;
      const list = news.get(entry.partition);
      if (list === undefined) news.set(entry.partition, [entry]);
      else list.push(entry);
    }
    for (const [partition, changed] of news) this.#publish(partition, changed);
  }

  #publish(number: number, entries: readonly PresenceEntry[]): void {
    const partition = this.#owned(number);
    if (partition === undefined) return;
    for (let at = 0; at < entries.length; at += PRESENCE_USERS_MAX) {
      const part = entries.slice(at, at + PRESENCE_USERS_MAX);
      const after = partition.counter;
      for (const entry of part) entry.counter = ++partition.counter;
      this.#signal({ partition: number, epoch: partition.epoch, counter: partition.counter, after, users: part.map(toldOf) });
    }
  }

  /** All who are not offline, so that readers who have missed something know it again. */
  #tellAll(number: number): void {
    const partition = this.#owned(number);
    if (partition === undefined) return;
    const present = [...this.#entries.values()].filter((entry) => entry.partition === number && entry.told !== undefined && entry.told.kind !== 'offline');
    const id = `${partition.epoch}.${++this.#lists}`;
    // Those that are offline by it are so from this place on.
    partition.counter += 1;
    for (let at = 0; at === 0 || at < present.length; at += PRESENCE_USERS_MAX) {
      const last = at + PRESENCE_USERS_MAX >= present.length;
      this.#signal({
        partition: number, epoch: partition.epoch, counter: partition.counter, after: -1, users: present.slice(at, at + PRESENCE_USERS_MAX).map(toldOf),
        list: { id, users: present.length, last: last && partition.settleAtMs === undefined },
      });
    }
  }

  #signal(told: PresenceTold): void {
    this.#deps.driver.signal(PRESENCE_CHANNEL, encodePresence(told));
  }

  /** Time has passed: who is idle, who is gone, what had to wait. */
  #sweepAll(): void {
    this.#sweep = undefined;
    const nowMs = this.#deps.runtime.clock.now();
    for (const partition of [...this.#partitions.keys()]) this.#owned(partition);
    this.#tell([...this.#entries.values()].filter(({ statusMsg }) => statusMsg !== undefined));
    for (const [userId, entry] of this.#entries) if (entry.told?.kind === 'offline' && stateOf(entry, nowMs).kind === 'offline') this.#entries.delete(userId);
    for (const [number, partition] of this.#partitions) {
      if (partition.settleAtMs === undefined || partition.settleAtMs > nowMs) continue;
      partition.settleAtMs = undefined;
      this.#tellAll(number);
    }
    const isNeeded = this.#entries.size > 0 || [...this.#partitions.values()].some(({ settleAtMs }) => settleAtMs !== undefined);
    if (isNeeded) this.#sweep = this.#deps.runtime.clock.timer(SWEEP_MS, () => this.#sweepAll());
  }
}

function toldOf({ userId, told, counter }: PresenceEntry): PresenceTold['users'][number] {
  return { userId, counter, ...told! };
}
