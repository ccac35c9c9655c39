/**
 * Applies room-output to the federationapi's tables: the servers in each room, what is to be sent to them, and what the roomserver needs of them. Most events of a server are of
 * rooms that no other server is in: for those nothing is read, parsed or written here.
 */
import { must } from '../../../pkg/assert/assert.ts';
import type { Applier, SequencedRecord } from '../../../pkg/log/applier.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Database, Transaction } from '../../../pkg/storage/database.ts';
import type { RoomOutput } from '../../../schemas/log/room-output.ts';
import { publicReceipt, receiptUnits } from '../ephemeral/receipt-units.ts';
import type { EphemeralUnit } from '../sender/ephemeral.ts';
import { enqueue } from '../storage/destination-queue.ts';
import { readJoinedHosts, writeJoinedHosts } from '../storage/joined-hosts.ts';
import { readQueueStarts } from '../storage/queue-starts.ts';
import { createGoneServers } from './gone-servers.ts';
import { createHostCache } from './host-cache.ts';
import { isEmptyPlan, planBatch, type BatchPlan } from './plan-batch.ts';

export interface RoomOutputDeps {
  readonly serverName: string;
  readonly database: Pick<Database, 'query' | 'queryIn'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Servers that are sent nothing. */
  readonly isDenied: (serverName: string) => boolean;
  /** For how long a server has failed that is only sent the ends of rooms when it is back. */
  readonly goneMs: number;
  readonly partitionOfDestination: (destination: string) => number;
  /** Keeps what the roomserver needs of other servers, in the transaction that applies the records. */
  readonly takeNeeds: (tx: Transaction, records: readonly SequencedRecord<RoomOutput>[]) => Promise<void>;
  /** Something was committed for these destinations. */
  readonly onQueued: (destinations: ReadonlySet<string>) => void;
  /** Sends what need not arrive. */
  readonly onEphemeral: (units: readonly EphemeralUnit[]) => void;
  /** Users of other servers are no longer in rooms. */
  readonly onDeparted: (userIds: readonly string[]) => void;
  /** Needs were committed. */
  readonly onNeeds: () => void;
}

/** `queue_starts` must have every partition before the first record (`ensureQueueStarts`). */
export function roomOutputApplier(deps: RoomOutputDeps): Applier<RoomOutput> {
  const { database, serverName, clock, partitionOfDestination } = deps;
  const cache = createHostCache();
  const gone = createGoneServers(deps);
  const isDenied = remembered(deps.isDenied);
  let starts: ReadonlyMap<number, number> | undefined;
  /** Of the records that were loaded last. */
  let planned: { readonly records: readonly SequencedRecord<RoomOutput>[]; readonly plan: BatchPlan } | undefined;

  async function loadRooms(records: readonly SequencedRecord<RoomOutput>[]): Promise<void> {
    const missing = new Map<string, number>();
    for (const { partition, output } of records) {
      if ((output.event || output.stateSlice || output.partial || publicReceipt(output, serverName)) && cache.get(output.roomId) === undefined) missing.set(output.roomId, partition);
    }
    if (missing.size === 0) return;
    for (const [roomId, hosts] of await readJoinedHosts(database, [...missing.keys()])) cache.set(roomId, missing.get(roomId)!, hosts);
  }

  function receiptsOf(records: readonly SequencedRecord<RoomOutput>[], from: ReadonlyMap<number, number>): EphemeralUnit[] {
    return records.flatMap(({ partition, sequence, output }) => {
      const receipt = sequence <= (from.get(partition) ?? 0) ? undefined : publicReceipt(output, serverName);
      const hosts = receipt && cache.get(output.roomId);
      return hosts === undefined || hosts.size === 0 ? [] : receiptUnits(output.roomId, receipt!, [...hosts.keys()].filter((host) => !isDenied(host)));
    });
  }

  function planOf(records: readonly SequencedRecord<RoomOutput>[]): BatchPlan {
    const { records: loaded, plan } = must(planned, 'a loaded batch');
    if (loaded !== records) throw new Error('the batch is not the one that was loaded');
    return plan;
  }

  return {
    decode: (record) => roomOutputCodec.decode(record),
    async load(records) {
      starts ??= await readQueueStarts(database);
      cache.shrink();
      await loadRooms(records);
      const marked = await gone.markedIn(new Set(records.flatMap(({ output }) => (output.event ? [output.roomId] : []))), cache);
      planned = { records, plan: planBatch({ serverName, isDenied, starts, cache, marked }, records) };
      // Here, because a batch of receipts alone is never committed. A batch that is loaded again sends them again.
      const units = receiptsOf(records, starts);
      if (units.length > 0) deps.onEphemeral(units);
    },
    isIdle: (records) => isEmptyPlan(planOf(records)),
    async apply(tx: Transaction, records) {
      const { hosts, events, needs } = planOf(records);
      await writeJoinedHosts(tx, hosts);
      if (events.length > 0) await enqueue(tx, events, { nowMs: clock.now(), partitionOfDestination });
      if (needs.length > 0) await deps.takeNeeds(tx, needs);
      return { rooms: [], users: [] };
    },
    committed(records) {
      const { events, needs } = planOf(records);
      if (events.length > 0) deps.onQueued(new Set(events.map(({ destination }) => destination)));
      if (needs.length > 0) deps.onNeeds();
      const departed = records.flatMap(({ output }) => departedOf(output, serverName));
      if (departed.length > 0) deps.onDeparted(departed);
    },
    forget: (partition) => cache.forget(partition),
    traceOf: (output) => output.traceId,
  };
}

function departedOf({ event }: RoomOutput, serverName: string): string[] {
  return (event?.stateDelta ?? []).flatMap(({ type, stateKey, membership, replacedMembership }) => (type === 'm.room.member' && replacedMembership === 'join' && membership !== 'join' && !isLocalUser(stateKey, serverName) ? [stateKey] : []));
}

const REMEMBERED_MAX = 10_000;

/** Asks once for each server. */
function remembered(isDenied: (serverName: string) => boolean): (serverName: string) => boolean {
  const answers = new Map<string, boolean>();
  return (serverName) => {
    const known = answers.get(serverName);
    if (known !== undefined) return known;
    if (answers.size >= REMEMBERED_MAX) answers.clear();
    const answer = isDenied(serverName);
    answers.set(serverName, answer);
    return answer;
  };
}
