/** What an event refers to, in every room version's form. */
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { StoredEvent } from '../../../schemas/ports/room-query.ts';

interface Refs {
  readonly type: string;
  readonly depth: number;
  /** IDs, or pairs of ID and hashes (room versions 1 and 2). */
  readonly prev_events: readonly (string | readonly [eventId: string, hashes: unknown])[];
  readonly auth_events: Refs['prev_events'];
}

export interface GraphEvent {
  readonly event: StoredEvent;
  readonly depth: number;
  readonly prevEvents: readonly string[];
}

export function graphEvent(event: StoredEvent): GraphEvent {
  const refs = parse(event);
  return { event, depth: refs.depth, prevEvents: refs.prev_events.map(idOf) };
}

/** IDs of the auth events, with the create event where the room ID stands for it. */
export function authEventsOf(event: StoredEvent): string[] {
  const refs = parse(event);
  const ids = refs.auth_events.map(idOf);
  if (roomVersion(event.roomVersion)?.createInAuthEvents === false && refs.type !== 'm.room.create') ids.push(`$${event.roomId.slice(1)}`);
  return ids;
}

function parse(event: StoredEvent): Refs {
  return JSON.parse(Buffer.from(event.pdu).toString()) as Refs;
}

function idOf(ref: Refs['prev_events'][number]): string {
  return typeof ref === 'string' ? ref : ref[0];
}
