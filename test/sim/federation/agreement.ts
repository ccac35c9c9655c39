/**
 * The law that honest servers agree about a room that they share: on its events, its state and its ends. Softly failed events are in the graph of whoever has them, and whether
 * one fails softly depends on what a server knew when it came: there, and only for memberships and liars, servers may differ.
 */
import type { SimClient } from '../client.ts';
import { descendantsOf, firstJoinOf, readRoom, type TableEvent, type TableRoom } from './room-tables.ts';
import type { FederatedWorld } from './federated-world.ts';
import type { SharedRoom } from './story.ts';

export async function disagreements({ world, cores }: FederatedWorld, room: SharedRoom): Promise<string[]> {
  const tables = await Promise.all(world.servers.map((server) => readRoom(server, room.roomId)));
  const trusted = new Set(cores.map(({ userId }) => userId));
  const broken: string[] = [];
  for (const [at, one] of tables.entries()) {
    for (const [index, other] of tables.entries()) {
      if (one !== other) broken.push(...lackingEvents(one, other, { ours: cores[at]!, core: cores[index]!, trusted }));
    }
  }
  for (const other of tables.slice(1)) broken.push(...otherState(tables[0]!, other), ...otherEnds(tables[0]!, other));
  return broken.map((sentence) => `room ${room.roomId} (version ${room.roomVersion}): ${sentence}`);
}

/** What `one` has accepted since the core user of `other` joined, and `other` has not. */
function lackingEvents(one: TableRoom, other: TableRoom, { ours, core, trusted }: { ours: SimClient; core: SimClient; trusted: ReadonlySet<string> }): string[] {
  const join = firstJoinOf(other, core.userId);
  if (join === undefined) return [`${other.serverName} has no join of ${core.userId}`];
  if (!one.events.has(join) && !isHistory(one, other, { join, ours, core })) return [`${one.serverName} does not have the join ${join} of ${core.userId}`];
  const since = descendantsOf(one, join);
  // What claims to be older than the other server's time in the room is not asked for.
  const floor = other.events.get(join)!.pdu.depth;
  return [...one.events.values()].flatMap((event) => {
    if (!since.has(event.eventId) || event.verdict !== 'accepted' || (event.pdu.depth <= floor && !trusted.has(event.pdu.sender))) return [];
    const { verdict: theirs, redactedBy } = other.events.get(event.eventId) ?? {};
    if (theirs === 'accepted' && redactedBy === null && event.redactedBy !== null && trusted.has(one.events.get(event.redactedBy)?.pdu.sender ?? '')) {
      return [`on ${one.serverName} ${describeEvent(event)} is redacted by ${event.redactedBy}; on ${other.serverName} it is not`];
    }
    if (theirs === 'accepted' || (theirs === 'softFailed' && mayDiffer(event, trusted))) return [];
    if ((theirs === undefined || theirs === 'outlier') && mayDiffer(event, trusted) && isBridged(one, other, event)) return [];
    return [`${one.serverName} has accepted ${describeEvent(event)}; on ${other.serverName} it is ${theirs ?? 'unknown'}`];
  });
}

/**
 * A join that `one` came after: it was told the state before its own join and no history (spec: server-server, "Joining Rooms", the answer to send_join), and of two joins of the same user which
 * did not know of each other a state has one.
 */
function isHistory(one: TableRoom, other: TableRoom, { join, ours, core }: { join: string; ours: SimClient; core: SimClient }): boolean {
  const own = firstJoinOf(one, ours.userId);
  if (own === undefined || !descendantsOf(other, join).has(own)) return false;
  return [...one.events.values()].some(({ pdu }) => pdu.type === 'm.room.member' && pdu.state_key === core.userId && pdu.content['membership'] === 'join');
}

/** The other server has accepted what follows it: nobody would give it the event when it asked, and it was told the state there instead. The gap stays (spec: "Checks performed on receipt"). */
function isBridged(one: TableRoom, other: TableRoom, event: TableEvent): boolean {
  return [...descendantsOf(one, event.eventId)].some((eventId) => other.events.get(eventId)?.verdict === 'accepted');
}

/** A user whom one server invites while the other bans it: there, too, it counts what came first. */
function mayDiffer({ pdu }: TableEvent, trusted: ReadonlySet<string>): boolean {
  return !trusted.has(pdu.sender) || pdu.type === 'm.room.member';
}

function otherState(one: TableRoom, other: TableRoom): string[] {
  const keys = [...new Set([...one.state.keys(), ...other.state.keys()])];
  return keys.filter((key) => one.state.get(key) !== other.state.get(key)).map((key) => {
    const say = (room: TableRoom): string => `on ${room.serverName} ${describeEvent(room.events.get(room.state.get(key) ?? ''))}`;
    return `the state of ${key} is ${say(one)}, ${say(other)}`;
  });
}

function otherEnds(one: TableRoom, other: TableRoom): string[] {
  if (one.extremities.join() === other.extremities.join()) return [];
  const say = (room: TableRoom): string => room.extremities.map((eventId) => describeEvent(room.events.get(eventId))).join(' and ');
  return [`the ends are on ${one.serverName} ${say(one)}, on ${other.serverName} ${say(other)}`];
}

function describeEvent(event: TableEvent | undefined): string {
  if (event === undefined) return 'nothing';
  const { pdu } = event;
  const what = pdu.state_key === undefined ? String(pdu.content['body'] ?? '') : `${pdu.state_key} ${String(pdu.content['membership'] ?? '')}`;
  return `${event.eventId} (${pdu.type} of ${pdu.sender}, ${what}, depth ${pdu.depth}, after ${pdu.prev_events.join(' ')})`;
}
