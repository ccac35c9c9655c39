/**
 * Sends what is queued for other servers. A destination belongs to a partition (by its name), a partition by lease to one instance, which sends to it one transaction at a time;
 * a destination that fails is left alone for a while that grows (`pkg/federation/backoff.ts`), and as long as it fails its queue is kept short (`catch-up.ts`).
 *
 * Every transaction is sent at least once: its rows are deleted after the destination has answered, so a crash between the two, or an owner that was replaced
 * and does not know it yet, sends it again, which receivers notice by the IDs of its events. What is queued is found in the tables; signals only make it quick.
 */
import { afterContact, waitMs, type Backoff } from '../../../pkg/federation/backoff.ts';
import { createLeaseKeeper, type LeaseKeeper } from '../../../pkg/log/leases.ts';
import type { Subscription } from '../../../pkg/log/log.ts';
import type { Task } from '../../../pkg/runtime/runtime.ts';
import { untilLook } from '../../../pkg/runtime/until-look.ts';
import { readWaitingDestinations } from '../storage/destination-queue.ts';
import { clearPause, readBackoffs } from '../storage/destinations.ts';
import { CATCH_UP_DEFAULT, type ShortenDeps } from './catch-up.ts';
import { createBackoffWrites, type BackoffWrites } from './backoff-writes.ts';
import { createContacts } from './contacts.ts';
import { deliver, type DeliverDeps } from './deliver.ts';
import { addUnit, createUnitsAhead, type EphemeralUnit } from './ephemeral.ts';
import { destinationPartition, newDestination, type Destination } from './destination.ts';
import { createPlaces, type Places } from './places.ts';
import type { Delivery } from './send.ts';
import type { Sender, SenderDeps } from './sender-api.ts';
import { senderMetrics } from './sender-metrics.ts';
import { createSettle } from './settle.ts';
import { decodeSignal, DESTINATIONS_CHANNEL, encodeSignal, encodeUnits } from './signals.ts';
import { keepSweeping } from './sweep.ts';

/** Names the leases of destinations. */
export const SENDER_CONSUMER = 'federationapi-sender';

/** How often all that waits is looked for: more rarely where it is much, so that the looking costs the same however many destinations are gone. */
const POLL_MS = { least: 2000, aDestination: 20, most: 30_000 };
const CONTACT_MS = 5000;
/** How long what is under way may take when the destination is given to another instance, which waits for it, or the process stops. */
const GRACE_MS = { revoked: 200, stop: 2000 };
const TIMER_MS_MAX = 2 ** 31 - 1;

export function createSender(deps: SenderDeps): Sender {
  return new QueueSender(deps);
}

class QueueSender implements Sender {
  readonly #deps: SenderDeps;
  readonly #delivering: DeliverDeps;
  readonly #shortening: ShortenDeps;
  readonly #leases: LeaseKeeper;
  readonly #isNews: (serverName: string) => boolean;
  readonly #places: Places;
  readonly #backoffs: BackoffWrites;
  readonly #owned = new Set<number>();
  /** Those for which something waits, by name. */
  readonly #destinations = new Map<string, Destination>();
  readonly #ahead = createUnitsAhead();
  /** Destinations that were queued for and are not in `#destinations`. */
  readonly #news = new Set<string>();
  #failing: string | undefined;
  #stopping = false;
  /** By the monotonic clock: when all that waits is looked for. */
  #lookAt = 0;
  /** Ends the pause before the next look into the tables. */
  #look = new AbortController();
  #listening: Subscription | undefined;
  #tasks: Task[] = [];

  constructor(deps: SenderDeps) {
    this.#deps = deps;
    const { runtime, database, driver, partitions, exclusive, retry } = deps;
    const metrics = senderMetrics(runtime, () => [...this.#destinations.values()]);
    this.#shortening = { database, metrics, catchUp: deps.catchUp ?? CATCH_UP_DEFAULT };
    const settle = createSettle(database);
    this.#backoffs = createBackoffWrites(runtime, settle);
    this.#delivering = { ...deps, settle, metrics, backoffs: this.#backoffs, shortening: this.#shortening };
    this.#isNews = createContacts(runtime.clock, Math.min(CONTACT_MS, retry.firstMs));
    this.#places = createPlaces(runtime.clock, (destination) => this.#turn(destination));
    this.#leases = createLeaseKeeper({
      consumer: SENDER_CONSUMER, database, driver, runtime, partitions, exclusive,
      acquired: async ({ partition }) => {
        this.#owned.add(partition);
        this.#lookForAll();
      },
      revoked: (partition) => this.#giveUp((destination) => destination.partition === partition, [partition], GRACE_MS.revoked),
    });
  }

  async start(): Promise<void> {
    const { driver, runtime } = this.#deps;
    this.#listening = await driver.listen(DESTINATIONS_CHANNEL, (value) => this.#receive(value));
    await this.#leases.start();
    this.#tasks = [
      runtime.tasks.spawn('find waiting destinations', (signal) => this.#keepLooking(signal)),
      runtime.tasks.spawn('keep queues short', (signal) => keepSweeping({ ...this.#shortening, runtime, destinations: () => [...this.#destinations.values()], reset: (destination) => this.#forgive(destination) }, signal)),
    ];
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#listening?.close();
    await Promise.all(this.#tasks.map((task) => task.stop()));
    await this.#giveUp(() => true, [...this.#owned], GRACE_MS.stop);
    await this.#leases.stop();
  }

  health(): string | undefined {
    return this.#failing ?? this.#leases.health();
  }

  queued(destinations: ReadonlySet<string>): void {
    const elsewhere = [...destinations].filter((name) => !this.#wake(name));
    if (elsewhere.length > 0 && !this.#deps.exclusive) this.#deps.driver.signal(DESTINATIONS_CHANNEL, encodeSignal({ queued: elsewhere }));
  }

  ephemeral(units: readonly EphemeralUnit[], everywhere: boolean): void {
    const elsewhere = units.filter((unit) => !this.#addUnit(unit));
    if (everywhere || this.#deps.exclusive) return;
    for (const value of encodeUnits(elsewhere)) this.#deps.driver.signal(DESTINATIONS_CHANNEL, value);
  }

  /** Whether the destination is of this instance. */
  #addUnit(unit: EphemeralUnit): boolean {
    if (!this.#owned.has(this.#partitionOf(unit.destination))) return false;
    if (this.#deps.isDenied(unit.destination)) return true;
    const destination = this.#destinations.get(unit.destination);
    if (destination === undefined) this.#ahead.add(unit);
    // It is dropped: by the time that the destination is there again it says nothing.
    else if (this.#isPaused(destination.backoff)) return true;
    else addUnit(destination.units, unit);
    return this.#wake(unit.destination);
  }

  #isPaused(backoff: Backoff | undefined): boolean {
    return waitMs(backoff, this.#deps.runtime.clock.now()) > 0;
  }

  contacted(serverName: string): void {
    if (!this.#isNews(serverName)) return;
    if (this.#owned.has(this.#partitionOf(serverName))) this.#endPause(serverName);
    else if (!this.#deps.exclusive) this.#deps.driver.signal(DESTINATIONS_CHANNEL, encodeSignal({ contacted: serverName }));
  }

  #partitionOf(serverName: string): number {
    return destinationPartition(serverName, this.#deps.partitions);
  }

  #receive(value: Uint8Array): void {
    const { queued, contacted, reset, units } = decodeSignal(value);
    for (const unit of units ?? []) this.#addUnit(unit);
    for (const name of queued ?? []) this.#wake(name);
    if (queued?.length === 0) this.#lookForAll();
    if (contacted !== undefined) this.#endPause(contacted);
    if (reset !== undefined) this.#forgive(this.#destinations.get(reset));
  }

  async reset(serverName: string): Promise<boolean> {
    this.#backoffs.forget(serverName);
    const hadFailed = await this.#deps.database.transaction((tx) => clearPause(tx, serverName));
    this.#forgive(this.#destinations.get(serverName));
    if (!this.#deps.exclusive) this.#deps.driver.signal(DESTINATIONS_CHANNEL, encodeSignal({ reset: serverName }));
    return hadFailed;
  }

  #forgive(destination: Destination | undefined): void {
    if (destination === undefined) return;
    destination.backoff = undefined;
    this.#backoffs.forget(destination.name);
    this.#schedule(destination);
  }

  #endPause(serverName: string): void {
    const destination = this.#destinations.get(serverName);
    if (destination?.backoff === undefined) return;
    // Who asks us all the time and is never there is tried no more often than after a first failure.
    const nowMs = Math.max(this.#deps.runtime.clock.now(), destination.backoff.pausedAtMs + this.#deps.retry.firstMs);
    destination.backoff = afterContact(destination.backoff, { nowMs, answered: false });
    destination.hasCalled = true;
    this.#schedule(destination);
  }

  /** Whether the destination is of this instance. */
  #wake(name: string): boolean {
    if (!this.#owned.has(this.#partitionOf(name))) return false;
    const destination = this.#destinations.get(name);
    if (destination !== undefined) {
      destination.isDirty = true;
      this.#schedule(destination);
    } else {
      this.#news.add(name);
      this.#look.abort();
    }
    return true;
  }

  #lookForAll(): void {
    this.#lookAt = 0;
    this.#look.abort();
  }

  /** Gives it a turn: now, after the one under way, or when its pause is over. */
  #schedule(destination: Destination): void {
    const { clock } = this.#deps.runtime;
    if (this.#stopping || this.#destinations.get(destination.name) !== destination) return;
    if (destination.running !== undefined) {
      destination.again = true;
      return;
    }
    destination.isIdle = false;
    const pauseMs = waitMs(destination.backoff, clock.now());
    if (pauseMs > 0 && destination.timer !== undefined && destination.timerAt === destination.backoff?.retryAtMs) return;
    destination.timer?.cancel();
    destination.timerAt = destination.backoff?.retryAtMs ?? 0;
    destination.timer = pauseMs === 0 ? undefined : clock.timer(Math.min(pauseMs, TIMER_MS_MAX), () => {
      destination.timer = undefined;
      this.#schedule(destination);
    });
    if (pauseMs === 0) this.#places.add(destination);
  }

  async #turn(destination: Destination): Promise<void> {
    if (this.#stopping || this.#destinations.get(destination.name) !== destination || destination.running !== undefined) return;
    destination.again = false;
    destination.hasCalled = false;
    const turn = this.#deliver(destination);
    destination.running = turn.then(() => undefined);
    const delivery = await turn;
    destination.running = undefined;
    if (delivery === undefined || this.#destinations.get(destination.name) !== destination) return;
    const isDone = delivery.kind === 'empty' || (delivery.kind === 'sent' && !delivery.more);
    if (isDone && !destination.again) destination.isIdle = true;
    else this.#schedule(destination);
  }

  /** undefined: the database failed; the next look finds it again. */
  async #deliver(destination: Destination): Promise<Delivery | undefined> {
    const { runtime } = this.#deps;
    try {
      const delivery = await deliver(this.#delivering, destination);
      // Nothing of what waits for it has changed by a failure.
      if (delivery.kind !== 'failed' || destination.backoff?.failures === 1) destination.isDirty = true;
      return delivery;
    } catch (error) {
      runtime.logger.warn({ destination: destination.name, error }, 'what is queued for a server could not be read or written; it is tried again');
      this.#destinations.delete(destination.name);
      return undefined;
    }
  }

  async #keepLooking(signal: AbortSignal): Promise<void> {
    const { runtime: { clock, logger } } = this.#deps;
    signal.addEventListener('abort', () => this.#look.abort(), { once: true });
    while (!signal.aborted) {
      this.#look = new AbortController();
      try {
        await this.#lookForWaiting();
        this.#failing = undefined;
      } catch (error) {
        this.#failing = `what is queued for other servers cannot be read: ${error instanceof Error ? error.message : String(error)}`;
        logger.warn({ error }, 'what is queued for other servers could not be read; trying again');
        await clock.sleep(POLL_MS.least / 2, signal);
      }
      if (!signal.aborted) await clock.sleep(Math.max(0, this.#lookAt - clock.monotonic()), this.#look.signal);
    }
  }

  /** Finds destinations that are new here: those that were told of, and from time to time all. */
  async #lookForWaiting(): Promise<void> {
    const { database, runtime } = this.#deps;
    const isForAll = runtime.clock.monotonic() >= this.#lookAt;
    if (isForAll) this.#lookAt = runtime.clock.monotonic() + untilLook(runtime.clock, Math.min(POLL_MS.most, Math.max(POLL_MS.least, this.#destinations.size * POLL_MS.aDestination)));
    const news = [...this.#news];
    this.#news.clear();
    const { names: waiting, marked } = isForAll ? await readWaitingDestinations(database, SENDER_CONSUMER, runtime.instanceId) : { names: new Set(news), marked: new Set<string>() };
    const fresh = [...new Set([...waiting, ...this.#ahead.names()])].filter((name) => !this.#destinations.has(name));
    const backoffs = await readBackoffs(database, fresh);
    for (const name of fresh) this.#takeIn(name, backoffs.get(name));
    for (const destination of this.#destinations.values()) if (marked.has(destination.name)) destination.hasMarks = true;
    if (isForAll) for (const [name, { isIdle }] of this.#destinations) if (isIdle && !waiting.has(name)) this.#destinations.delete(name);
    for (const name of new Set([...waiting, ...fresh])) {
      const destination = this.#destinations.get(name);
      if (destination !== undefined && destination.running === undefined && destination.timer === undefined) this.#schedule(destination);
    }
  }

  #takeIn(name: string, backoff: Backoff | undefined): void {
    const [partition, ahead] = [this.#partitionOf(name), this.#ahead.take(name)];
    if (this.#owned.has(partition)) this.#destinations.set(name, newDestination(name, partition, { backoff, hasMarks: false, units: this.#isPaused(backoff) ? new Map() : ahead }));
  }

  /** Lets go of destinations; resolves when nothing of them is under way. */
  async #giveUp(which: (destination: Destination) => boolean, partitions: readonly number[], graceMs: number): Promise<void> {
    for (const partition of partitions) this.#owned.delete(partition);
    const leaving = [...this.#destinations.values()].filter(which);
    for (const destination of leaving) {
      this.#destinations.delete(destination.name);
      destination.timer?.cancel();
    }
    const grace = this.#deps.runtime.clock.timer(graceMs, () => leaving.forEach((destination) => destination.abort.abort()));
    await Promise.all(leaving.flatMap((destination) => destination.running ?? []));
    grace.cancel();
    await this.#backoffs.flush();
  }
}
