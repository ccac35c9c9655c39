/** The end of a room's story: each server sends a closing event, and then all have accepted the same events and found the same state at each of those. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readMessages, V3, type ApiSession } from './api-client.ts';
import type { Peer } from './peers.ts';
import { readStoredRoom, type StoredEvent, type StoredRoom } from './stored-rooms.ts';

/** Somebody who is in the room, one on each server. */
export interface Closer {
  readonly peer: Peer;
  readonly session: ApiSession;
}

export interface Agreement {
  /** How many events all servers have accepted. */
  readonly events: number;
  /** How many of them one server at least has softly failed. */
  readonly softFailed: number;
  /** How many entries the state at the last closing event has. */
  readonly state: number;
}

const WAIT_MS_MAX = 60_000;
const LOOK_EVERY_MS = 100;

/** Each of them speaks when the words of those before have come to all; then everything that the servers' databases say of the room is compared until it is equal, or time is up. */
export async function closeRoom(roomId: string, closers: readonly Closer[], msMax = WAIT_MS_MAX): Promise<Agreement> {
  const room = encodeURIComponent(roomId);
  const closing: string[] = [];
  for (const { session } of closers) {
    const body = `closing ${randomBytes(4).toString('hex')}`;
    const { status, body: sent } = await session.call('PUT', `${V3}/rooms/${room}/send/m.room.message/${encodeURIComponent(body)}`, { msgtype: 'm.text', body });
    assert.equal(status, 200, JSON.stringify(sent));
    closing.push(sent.event_id as string);
    await Promise.all(closers.map(({ session: reader }) => arrival(reader, room, closing.at(-1)!, msMax)));
  }
  // Of what a server was not sent, it asks when somebody reads.
  await Promise.all(closers.map(({ session }) => readMessages(session, room)));
  for (const endsAt = performance.now() + msMax; ; await sleep(LOOK_EVERY_MS)) {
    const rooms = await Promise.all(closers.map(({ peer }) => readStoredRoom(peer, roomId, closing)));
    const left = differences(rooms, closers, closing);
    if (left.length === 0) return agreement(rooms, closing);
    assert.ok(performance.now() < endsAt, `${roomId}:\n${left.join('\n')}`);
  }
}

async function arrival(reader: ApiSession, room: string, eventId: string, msMax: number): Promise<void> {
  for (const endsAt = performance.now() + msMax; (await reader.call('GET', `${V3}/rooms/${room}/event/${encodeURIComponent(eventId)}`)).status !== 200; await sleep(LOOK_EVERY_MS)) {
    assert.ok(performance.now() < endsAt, `${reader.userId} never got the closing event ${eventId}`);
  }
}

function differences(rooms: readonly StoredRoom[], closers: readonly Closer[], closing: readonly string[]): string[] {
  const found: string[] = [];
  const last = closing.at(-1)!;
  for (const [at, one] of rooms.entries()) {
    for (const [index, other] of rooms.entries()) {
      if (one === other) continue;
      for (const event of acceptedSinceBoth({ one, join: joinOf(one, closers[at]!, last) }, { other, join: joinOf(other, closers[index]!, last) })) {
        const theirs = other.events.get(event.eventId);
        if (theirs?.verdict !== 'accepted') found.push(`${one.serverName} has accepted ${describe(event)}; on ${other.serverName} it is ${theirs?.verdict ?? 'not there'}`);
      }
      if (at < index) found.push(...closing.flatMap((eventId, number) => otherState([one, other], eventId, number)));
    }
  }
  return found;
}

function otherState([one, other]: readonly [StoredRoom, StoredRoom], eventId: string, number: number): string[] {
  const [ours, theirs] = [one.states.get(eventId), other.states.get(eventId)];
  if (ours === undefined || theirs === undefined) return [`there is no state at the closing event ${eventId} on ${(ours === undefined ? one : other).serverName}`];
  return [...new Set([...ours.keys(), ...theirs.keys()])].filter((key) => ours.get(key) !== theirs.get(key)).map((key) => {
    const say = (room: StoredRoom, id: string | undefined): string => (id === undefined ? 'nothing' : describe(room.events.get(id)));
    return `at closing event ${number}, ${key} is on ${one.serverName} ${say(one, ours.get(key))}, on ${other.serverName} ${say(other, theirs.get(key))}`;
  });
}

/** By which the closer's server is in the room, at the last closing event. */
function joinOf(room: StoredRoom, { session }: Closer, last: string): string | undefined {
  return room.states.get(last)?.get(`m.room.member ${session.userId}`);
}

/** Who came later does not have all that lies between the joins: what follows the later one is looked for from there. */
function acceptedSinceBoth(ours: { one: StoredRoom; join: string | undefined }, theirs: { other: StoredRoom; join: string | undefined }): StoredEvent[] {
  const isLater = acceptedSince(theirs.other, theirs.join).some(({ eventId }) => eventId === ours.join);
  return [...new Set([...acceptedSince(ours.one, theirs.join), ...(isLater ? acceptedSince(ours.one, ours.join) : [])])];
}

/** What a room has accepted of a join and of all that follows it in the graph. */
function acceptedSince(room: StoredRoom, join: string | undefined): StoredEvent[] {
  if (join === undefined) return [];
  const children = new Map<string, string[]>();
  for (const { eventId, prev } of room.events.values()) for (const id of prev) (children.get(id) ?? children.set(id, []).get(id)!).push(eventId);
  const found = new Set([join]);
  for (const eventId of found) for (const child of children.get(eventId) ?? []) found.add(child);
  return [...found].flatMap((eventId) => room.events.get(eventId) ?? []).filter(({ verdict }) => verdict === 'accepted');
}

function agreement(rooms: readonly StoredRoom[], closing: readonly string[]): Agreement {
  const last = closing.at(-1)!;
  const common = [...rooms[0]!.events.values()].filter(({ eventId }) => rooms.every(({ events }) => events.get(eventId)?.verdict === 'accepted'));
  const softFailed = common.filter(({ eventId }) => rooms.some(({ events }) => events.get(eventId)!.softFailed));
  return { events: common.length, softFailed: softFailed.length, state: rooms[0]!.states.get(last)!.size };
}

function describe(event: StoredEvent | undefined): string {
  if (event === undefined) return 'an unknown event';
  const { type, sender, state_key: key, content, depth } = event.pdu;
  return `${event.eventId} (${type}${key === undefined ? '' : ` ${key}`} of ${sender}, ${String(content['membership'] ?? content['body'] ?? '')}, depth ${depth}${event.softFailed ? ', softly failed' : ''}, after ${event.prev.join(' ')})`;
}
