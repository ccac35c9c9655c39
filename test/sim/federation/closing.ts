/**
 * The law about closing events, the strictest of those about agreement: since a server came into the room it has accepted the events that the others have (softly failed ones are in its graph as well),
 * and at each closing event the state is the same everywhere. Where a peer lies there is no such law: what it tells one server only is nobody else's.
 */
import { stateIdsAt } from '../../../components/roomserver/query/state-at.ts';
import { descendantsOf, firstJoinOf, readRoom, type TableEvent, type TableRoom } from './room-tables.ts';
import type { FederatedWorld } from './federated-world.ts';
import type { SharedRoom } from './story.ts';

/** By room: the last words of each core user, in their order. */
export type Closings = Map<string, readonly string[]>;

export interface ClosedRooms {
  readonly rooms: number;
  /** That all servers have accepted. */
  readonly events: number;
  /** How many of them one server at least has softly failed. */
  readonly softFailed: number;
  readonly bans: number;
  readonly powerChanges: number;
}

export const NOTHING_CLOSED: ClosedRooms = { rooms: 0, events: 0, softFailed: 0, bans: 0, powerChanges: 0 };

/** What there was to agree about in these rooms. */
export async function closedRooms({ world }: FederatedWorld, rooms: readonly SharedRoom[]): Promise<ClosedRooms> {
  let sum = NOTHING_CLOSED;
  for (const room of rooms) {
    const tables = await Promise.all(world.servers.map((server) => readRoom(server, room.roomId)));
    const isEverywhere = ({ eventId }: TableEvent): boolean => tables.every(({ events }) => events.has(eventId) && isAccepted(events.get(eventId)!));
    const events = [...tables[0]!.events.values()].filter(isEverywhere);
    sum = {
      rooms: sum.rooms + 1, events: sum.events + events.length,
      softFailed: sum.softFailed + events.filter(({ eventId }) => tables.some((table) => table.events.get(eventId)?.verdict === 'softFailed')).length,
      bans: sum.bans + events.filter(({ pdu }) => pdu.type === 'm.room.member' && pdu.content['membership'] === 'ban').length,
      powerChanges: sum.powerChanges + events.filter(({ pdu }) => pdu.type === 'm.room.power_levels').length,
    };
  }
  return sum;
}

export async function closingDifferences({ world, cores, liar }: FederatedWorld, room: SharedRoom, closings: Closings): Promise<string[]> {
  const closing = closings.get(room.roomId);
  if (liar !== undefined || closing === undefined || closing.length < cores.length) return [];
  const tables = await Promise.all(world.servers.map((server) => readRoom(server, room.roomId)));
  const states = await Promise.all(world.servers.map(({ databases }) => stateIdsAt(databases.roomserver, closing, 'after')));
  const broken: string[] = [];
  for (const [at, one] of tables.entries()) {
    for (const [index, other] of tables.entries()) {
      if (one !== other) broken.push(...lacking(one, other, { ours: firstJoinOf(one, cores[at]!.userId), theirs: firstJoinOf(other, cores[index]!.userId) }));
    }
  }
  for (const eventId of closing) {
    const found = states.map((at) => [...(at.get(eventId) ?? [])].sort().join(' '));
    for (const [index, state] of found.entries()) {
      if (state !== found[0]) broken.push(`the state at the closing event ${eventId} is on ${tables[0]!.serverName} ${found[0]}, on ${tables[index]!.serverName} ${state}`);
    }
  }
  return broken.map((sentence) => `room ${room.roomId} (version ${room.roomVersion}): ${sentence}`);
}

/** What `one` has accepted since both were in, and `other` has not. Who came later does not have all that lies between the joins, so that what follows the later one is looked for from there. */
function lacking(one: TableRoom, other: TableRoom, joins: { ours: string | undefined; theirs: string | undefined }): string[] {
  const { ours, theirs: join } = joins;
  if (ours === undefined || join === undefined) return [`${(ours === undefined ? one : other).serverName} has no join of its core user`];
  const isLater = descendantsOf(other, join).has(ours);
  const since = new Set([...descendantsOf(one, join), ...(isLater ? descendantsOf(one, ours) : [])]);
  return [...one.events.values()].filter((event) => since.has(event.eventId) && isAccepted(event)).flatMap((event) => {
    const theirs = other.events.get(event.eventId);
    if (theirs !== undefined && isAccepted(theirs)) return [];
    const { pdu, verdict } = event;
    return [`${event.eventId} (${pdu.type} of ${pdu.sender}, ${String(pdu.content['membership'] ?? pdu.content['body'] ?? '')}, depth ${pdu.depth}) is ${verdict} on ${one.serverName} and ${theirs?.verdict ?? 'unknown'} on ${other.serverName}`];
  });
}

function isAccepted({ verdict }: TableEvent): boolean {
  return verdict === 'accepted' || verdict === 'softFailed';
}
