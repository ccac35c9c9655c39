/** PURE. Summaries of several rooms from their state events in one list. */
import type { Pdu } from '../events/pdu.ts';
import { summaryOf, type Content, type RoomSummary } from './room-summary.ts';
import { readChild, sortedChildren, type SpaceChild } from './space-children.ts';

/** An event of a room's current state as the room's owner keeps it. */
export interface StateOfRoom {
  readonly roomId: string;
  readonly roomVersion: string;
  readonly pdu: Uint8Array;
}

/** By room ID, of all rooms that `events` (under the keys of `SUMMARY_STATE`) has something of. `joined`: numbers of members, by room ID. */
export function summariesOf(events: readonly StateOfRoom[], joined: ReadonlyMap<string, number>): Map<string, RoomSummary> {
  const rooms = new Map<string, { roomId: string; roomVersion: string; contents: Map<string, Content> }>();
  for (const { roomId, roomVersion, pdu } of events) {
    const room = rooms.get(roomId) ?? { roomId, roomVersion, contents: new Map<string, Content>() };
    const { type, content } = parse(pdu);
    room.contents.set(type, content);
    rooms.set(roomId, room);
  }
  return new Map([...rooms].map(([roomId, room]) => [roomId, summaryOf({ ...room, joined: joined.get(roomId) ?? 0 })]));
}

/** By room ID, the children that `m.space.child` events name, in the order of the spec. */
export function childrenOf(events: readonly StateOfRoom[]): Map<string, SpaceChild[]> {
  const children = new Map<string, SpaceChild[]>();
  for (const { roomId, pdu } of events) {
    const child = readChild(parse(pdu));
    if (child === undefined) continue;
    const ofRoom = children.get(roomId);
    if (ofRoom === undefined) children.set(roomId, [child]);
    else ofRoom.push(child);
  }
  return new Map([...children].map(([roomId, ofRoom]) => [roomId, sortedChildren(ofRoom)]));
}

function parse(pdu: Uint8Array): Pdu {
  return JSON.parse(Buffer.from(pdu.buffer, pdu.byteOffset, pdu.byteLength).toString()) as Pdu;
}
