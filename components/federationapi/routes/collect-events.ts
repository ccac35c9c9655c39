/** States and auth chains for other servers, put together from stored bytes: a room of thousands of members is collected in small steps, so that others go on in between. */
import { createSemaphore, type Semaphore } from '../../../pkg/assert/semaphore.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { createEventIdOfRoom } from '../../../pkg/matrix/ids/room-id.ts';
import { authEventIds, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { RoomQuery, StoredEvent } from '../../../schemas/ports/room-query.ts';

/** Events by ID, and which of them are in the auth chain of those that were asked for. */
export interface Collected {
  readonly pdus: ReadonlyMap<string, Uint8Array>;
  /** Of those that were asked for and exist, in the order in which they were asked for. */
  readonly eventIds: readonly string[];
  readonly authChain: readonly string[];
}

/** About 2 ms of reading. */
const EVENTS_A_STEP = 100;
/** No room has a chain that long; a server that made one does not get it in one answer. */
const AUTH_CHAIN_MAX = 100_000;
const COMMA = Buffer.from(',');
const AUTH_EVENTS_FIRST = Buffer.from('{"auth_events":[');
const LIST_END = ']'.charCodeAt(0);

/** Collections at once, each of which may hold tens of megabytes. Rejects with `Overloaded` when too many wait. */
export function createCollectionTurns(): Semaphore {
  return createSemaphore({ name: 'states for other servers', permits: 2, waitingMax: 50 });
}

/**
 * The events, and all events of their auth chains; the create event is in every chain, also where the room's ID stands for it. Throws `MatrixError` 413 M_TOO_LARGE when the
 * chains are beyond all measure; rejects with `StorageError`.
 */
export async function collectWithAuthChain({ roomQuery, clock }: { roomQuery: Pick<RoomQuery, 'eventsById'>; clock: Pick<Clock, 'yield'> }, eventIds: readonly string[]): Promise<Collected> {
  const pdus = new Map<string, Uint8Array>();
  const asked = new Set(eventIds);
  const referred = new Set<string>();
  const take = (event: StoredEvent): string[] => {
    pdus.set(event.eventId, event.pdu);
    const authEvents = authEventsOf(event);
    const unseen = authEvents.filter((eventId) => !asked.has(eventId));
    for (const eventId of authEvents) referred.add(eventId);
    for (const eventId of unseen) asked.add(eventId);
    return unseen;
  };
  for (let level: readonly string[] = [...asked]; level.length > 0;) {
    const next: string[] = [];
    for (let from = 0; from < level.length; from += EVENTS_A_STEP) {
      for (const event of await roomQuery.eventsById(level.slice(from, from + EVENTS_A_STEP))) next.push(...take(event));
      await clock.yield();
    }
    if (referred.size > AUTH_CHAIN_MAX) throw new MatrixError(413, 'M_TOO_LARGE', `The auth chain has more than ${AUTH_CHAIN_MAX} events`);
    level = next;
  }
  const exists = (eventId: string) => pdus.has(eventId);
  return { pdus, eventIds: eventIds.filter(exists), authChain: [...referred].filter(exists) };
}

/** What the event stands on. Stored events are canonical JSON, which begins with their auth events: nothing else of them has to be read. */
function authEventsOf({ pdu, roomId, roomVersion: versionId }: StoredEvent): readonly string[] {
  const impliesCreate = roomVersion(versionId)?.roomIdFormat === 'create-hash';
  const bytes = Buffer.from(pdu.buffer, pdu.byteOffset, pdu.byteLength);
  const isFirst = bytes.subarray(0, AUTH_EVENTS_FIRST.length).equals(AUTH_EVENTS_FIRST);
  // Event IDs hold no brackets in the versions whose references are IDs; pairs begin with one.
  const isPlain = isFirst && bytes[AUTH_EVENTS_FIRST.length] !== '['.charCodeAt(0);
  const ids = isPlain
    ? (JSON.parse(bytes.toString('utf8', AUTH_EVENTS_FIRST.length - 1, bytes.indexOf(LIST_END, AUTH_EVENTS_FIRST.length) + 1)) as string[])
    : authEventIds(JSON.parse(bytes.toString()) as Pdu);
  return impliesCreate && ids.length > 0 ? [...ids, createEventIdOfRoom(roomId)] : ids;
}

/** A part of a JSON text: as it is, also as its bytes, or a list of these events. */
export type JsonPart = string | Uint8Array | { readonly eventIds: readonly string[]; readonly pdus: ReadonlyMap<string, Uint8Array> };

/** The text as bytes, without a copy of the events in between. */
export async function jsonBytes(clock: Pick<Clock, 'yield'>, parts: readonly JsonPart[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (const part of parts) {
    if (typeof part === 'string' || part instanceof Uint8Array) {
      pieces.push(typeof part === 'string' ? Buffer.from(part) : part);
      continue;
    }
    for (const [index, eventId] of part.eventIds.entries()) {
      if (index > 0) pieces.push(COMMA);
      pieces.push(part.pdus.get(eventId)!);
    }
    await clock.yield();
  }
  return Buffer.concat(pieces);
}
