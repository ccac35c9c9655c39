/** What a batch of room-output means to the federationapi: who is in which room from now on, and what is sent to whom. Touches nothing but the cache. */
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { RoomEvent, RoomOutput, RoomPartial, StateChange, StateSlice } from '../../../schemas/log/room-output.ts';
import type { QueuedEvent } from '../storage/destination-queue.ts';
import type { HostsChange, RoomHosts } from '../storage/joined-hosts.ts';
import type { HostCache } from './host-cache.ts';

export interface PlanContext {
  readonly serverName: string;
  /** Servers that are sent nothing. */
  readonly isDenied: (serverName: string) => boolean;
  /** Up to which sequence number of each partition nothing is sent. */
  readonly starts: ReadonlyMap<number, number>;
  /** Has the rooms of all events and slices. */
  readonly cache: HostCache;
  /** By room ID, servers that will be sent the room's ends when they are back, so that nothing has to be queued for them as long as they are in it. */
  readonly marked: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface BatchPlan {
  /** By room ID. */
  readonly hosts: ReadonlyMap<string, HostsChange>;
  readonly events: readonly QueuedEvent[];
  /** Records that say what the roomserver needs of other servers. */
  readonly needs: readonly SequencedRecord<RoomOutput>[];
}

type Record = SequencedRecord<RoomOutput>;
type MutableChange = { reset: boolean; counts: Map<string, number> };

interface Draft {
  readonly hosts: Map<string, MutableChange>;
  readonly events: QueuedEvent[];
  readonly needs: Record[];
}

/** Also moves the cache on: drop its partitions when the batch is not committed. */
export function planBatch(context: PlanContext, records: readonly Record[]): BatchPlan {
  const draft: Draft = { hosts: new Map(), events: [], needs: [] };
  for (const record of records) {
    const { event, stateSlice, need, partial } = record.output;
    if (event) planEvent(context, draft, record, event);
    else if (stateSlice) planSlice(context, draft, record, stateSlice);
    else if (need) draft.needs.push(record);
    else if (partial) planPartial(context, draft, record, partial);
  }
  return draft;
}

/** Whether nothing has to be written. */
export function isEmptyPlan({ hosts, events, needs }: BatchPlan): boolean {
  return hosts.size === 0 && events.length === 0 && needs.length === 0;
}

function planEvent(context: PlanContext, draft: Draft, record: Record, event: RoomEvent): void {
  // History from before came from others.
  if (event.orderKey < 0) return;
  const hosts = hostsOf(context, record);
  const changes = changesOfHosts(context, event.stateDelta);
  const concerned = concernedHosts(context, event.stateDelta);
  if (hosts.size === 0 && changes === undefined && concerned.length === 0) return;
  const before = changes === undefined ? hosts : new Set(hosts.keys());
  if (changes !== undefined) changeHosts(context, draft, record, changes);
  if (record.sequence <= (context.starts.get(record.partition) ?? 0) || !leaves(context, event)) return;
  const destinations = changes === undefined && concerned.length === 0 ? hosts.keys() : new Set([...before.keys(), ...hosts.keys(), ...concerned]);
  for (const destination of toBeToldIn(context, record, destinations, hosts)) {
    if (destination !== event.relayOf) draft.events.push({ destination, originPartition: record.partition, originSequence: record.sequence, roomId: record.output.roomId, eventId: event.eventId });
  }
}

/** Without those that are denied or will be sent the ends of the room, which `hosts` are in: who has left it is told so. */
function* toBeToldIn(context: PlanContext, { output: { roomId } }: Record, destinations: Iterable<string>, hosts: RoomHosts): Iterable<string> {
  const marked = context.marked.get(roomId);
  for (const destination of destinations) {
    if (marked?.has(destination) === true && hosts.has(destination)) continue;
    if (!context.isDenied(destination)) yield destination;
  }
}

function planSlice(context: PlanContext, draft: Draft, record: Record, { reset, changes }: StateSlice): void {
  if (reset) {
    hostsOf(context, record).clear();
    draft.hosts.set(record.output.roomId, { reset: true, counts: new Map() });
  }
  changeHosts(context, draft, record, changesOfHosts(context, changes) ?? new Map());
}

/** While the members are not known, each server that is said to be there counts as if it had one more of them. */
function planPartial(context: PlanContext, draft: Draft, record: Record, { servers, ended }: RoomPartial): void {
  changeHosts(context, draft, record, new Map(servers.filter((server) => server !== context.serverName).map((server) => [server, ended ? -1 : 1])));
}

/** The room's servers, to be changed in place. */
function hostsOf({ cache }: PlanContext, { output }: Record): RoomHosts {
  const hosts = cache.get(output.roomId);
  if (hosts === undefined) throw new Error(`the servers of ${output.roomId} were not loaded`);
  return hosts;
}

/** How many members each other server wins or loses; undefined when none does. */
function changesOfHosts({ serverName }: PlanContext, changes: readonly StateChange[]): Map<string, number> | undefined {
  let found: Map<string, number> | undefined;
  for (const { type, stateKey, membership, replacedMembership } of changes) {
    if (type !== 'm.room.member') continue;
    const difference = Number(membership === 'join') - Number(replacedMembership === 'join');
    if (difference === 0) continue;
    const host = domainOf(stateKey);
    if (host === serverName) continue;
    found ??= new Map();
    found.set(host, (found.get(host) ?? 0) + difference);
  }
  return found;
}

/** Servers that need not be in the room, but whose users' invites or knocks end here. */
function concernedHosts({ serverName }: PlanContext, changes: readonly StateChange[]): string[] {
  return changes.flatMap(({ type, stateKey, membership, replacedMembership }) => {
    const isEnd = type === 'm.room.member' && (membership === 'leave' || membership === 'ban') && (replacedMembership === 'invite' || replacedMembership === 'knock');
    return isEnd && domainOf(stateKey) !== serverName ? [domainOf(stateKey)] : [];
  });
}

function changeHosts({ cache }: PlanContext, draft: Draft, record: Record, changes: ReadonlyMap<string, number>): void {
  const { partition, output: { roomId } } = record;
  const hosts = cache.get(roomId)!;
  const change = draft.hosts.get(roomId) ?? { reset: false, counts: new Map<string, number>() };
  for (const [host, difference] of changes) {
    const members = Math.max(0, (hosts.get(host) ?? 0) + difference);
    if (members > 0) hosts.set(host, members);
    else hosts.delete(host);
    change.counts.set(host, members);
  }
  draft.hosts.set(roomId, change);
  cache.set(roomId, partition, hosts);
}

/** Events of this server leave it, and those of another that came here first (a join through this server). */
function leaves({ serverName }: PlanContext, { relayOf, pdu }: RoomEvent): boolean {
  if (relayOf) return true;
  const json = Buffer.from(pdu.buffer, pdu.byteOffset, pdu.byteLength);
  // Most events of other servers do not even name a user or a room of this one.
  if (!json.includes(`:${serverName}"`)) return false;
  const { sender } = JSON.parse(json.toString()) as { sender: string };
  return domainOf(sender) === serverName;
}
