/** One turn of a destination: the next transaction of its queue is made, sent, and what became of it is written down. */
import type { Transaction } from '../../../pkg/storage/database.ts';
import { dequeue, dequeueAll, isQueuedFor, readQueue, type QueuedEvent } from '../storage/destination-queue.ts';
import { removeAllMarks } from '../storage/destination-rooms.ts';
import { dequeueAllUnits, dequeueUnits, readUnitQueue, type QueuedUnit } from '../storage/unit-queue.ts';
import { keepQueueShort, type ShortenDeps } from './catch-up.ts';
import { deliverRooms, type DeliverRoomsDeps } from './deliver-rooms.ts';
import type { Destination } from './destination.ts';
import { takeUnits, TRANSACTION_EDUS_MAX } from './ephemeral.ts';
import { noteReached, seekSign, send, type Delivery } from './send.ts';
import { makeTransaction, TRANSACTION_PDUS_MAX } from './transaction.ts';

export interface DeliverDeps extends DeliverRoomsDeps {
  readonly isDenied: (serverName: string) => boolean;
  readonly shortening: ShortenDeps;
}

/** Stored units of a transaction: so many, of so many bytes; one may go beyond. Others have the rest of their places. */
const STORED_UNITS_MAX = 50;
const STORED_BYTES_MAX = 512 * 1024;

/** Failures in a row after which a server is looked for before anything is made for it: most that fail once are there the next moment. */
const SIGN_AFTER = 2;

/** Resolves when what became of it is on disk, but for a failure. Rejects with `StorageError`; then the same is sent again some time. */
export async function deliver(deps: DeliverDeps, destination: Destination): Promise<Delivery> {
  const { database, runtime, serverName, roomQuery } = deps;
  const { name, limit } = destination;
  const done = await doFirst(deps, destination);
  if (done !== undefined) return done;
  const queued = await readQueue(database, name, { fromPartition: destination.fromPartition, limit });
  const { stored, hasMore } = await readStored(database, destination, queued.length);
  const soft = takeUnits(destination.units).slice(-(TRANSACTION_EDUS_MAX - stored.length));
  if (queued.length === 0 && soft.length === 0 && stored.length === 0) return { kind: 'empty' };
  const transaction = await makeTransaction({ serverName, nowMs: runtime.clock.now(), roomQuery }, queued, { soft, stored });
  const isSent = transaction.eventIds.length > 0 || stored.length > 0 || soft.length > 0;
  if (isSent) {
    const failure = await send(deps, destination, transaction);
    if (failure !== undefined) return failure;
  }
  await noteReached(deps, destination, isSent, removal(transaction.queued, stored));
  destination.limit = Math.min(TRANSACTION_PDUS_MAX, limit * 2);
  destination.fromPartition = (transaction.queued.at(-1)?.originPartition ?? -1) + 1;
  return { kind: 'sent', more: hasMore || queued.length === limit || transaction.queued.length < queued.length };
}

/** What comes before anything of the queue is sent. undefined: now it may be. */
async function doFirst(deps: DeliverDeps, destination: Destination): Promise<Delivery | undefined> {
  if (deps.isDenied(destination.name)) return giveUp(deps, destination);
  const missed = (destination.backoff?.failures ?? 0) < SIGN_AFTER ? undefined : await lookFor(deps, destination);
  return missed ?? (destination.hasMarks ? deliverRooms(deps, destination) : undefined);
}

/** undefined: it is there. */
async function lookFor(deps: DeliverDeps, destination: Destination): Promise<Delivery | undefined> {
  if (!destination.hasMarks && destination.units.size === 0 && !(await isQueuedFor(deps.database, destination.name))) return { kind: 'empty' };
  const missed = await seekSign(deps, destination);
  // Since the last round of `sweep.ts` it may have come to be gone for long.
  if (missed === undefined) destination.counts = await keepQueueShort(deps.shortening, destination, deps.runtime.clock.now());
  return missed;
}

/** undefined: nothing has to be removed. */
function removal(queued: readonly QueuedEvent[], stored: readonly QueuedUnit[]): ((tx: Transaction) => Promise<void>) | undefined {
  if (queued.length + stored.length === 0) return undefined;
  return async (tx) => {
    await dequeue(tx, queued);
    await dequeueUnits(tx, stored);
  };
}

/** The next units that have to arrive, as many as go into a transaction. A destination that is given single items gets no unit beside an event. */
async function readStored(database: DeliverDeps['database'], { name, limit }: Destination, events: number): Promise<{ stored: QueuedUnit[]; hasMore: boolean }> {
  if (limit === 1 && events > 0) return { stored: [], hasMore: true };
  const read = await readUnitQueue(database, name, Math.min(limit, STORED_UNITS_MAX));
  let bytes = 0;
  const cut = read.findIndex(({ json }) => (bytes += json.length) > STORED_BYTES_MAX);
  const stored = cut === -1 ? read : read.slice(0, Math.max(1, cut));
  return { stored, hasMore: stored.length < read.length || read.length === Math.min(limit, STORED_UNITS_MAX) };
}

/** The operator wants nothing sent there since. */
async function giveUp({ settle }: DeliverDeps, destination: Destination): Promise<Delivery> {
  takeUnits(destination.units);
  await settle(async (tx) => {
    await dequeueAll(tx, destination.name);
    await dequeueAllUnits(tx, destination.name);
    await removeAllMarks(tx, destination);
  });
  return { kind: 'empty' };
}
