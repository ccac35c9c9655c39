/** Puts events into an order in which none comes before those that it refers to. */
import type { IntactEvent } from '../../../pkg/matrix/events/check-received.ts';
import { authEventIds } from '../../../pkg/matrix/events/pdu.ts';
import { createEventIdOfRoom } from '../../../pkg/matrix/ids/room-id.ts';
import type { RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';

export type ReferencesOf = (event: IntactEvent) => readonly string[];

const ORDERED_AT_ONCE = 500;

/** What authorises an event: its auth events, and the create event that a room ID without domain stands for. */
export function authReferences(version: RoomVersion): ReferencesOf {
  if (version.createInAuthEvents) return ({ pdu }) => authEventIds(pdu);
  return ({ pdu, roomId }) => (pdu.type === 'm.room.create' ? [] : [createEventIdOfRoom(roomId), ...authEventIds(pdu)]);
}

/**
 * `events` (each once), those first that others refer to, otherwise in the order given. References to events that are not among them are passed over. Event IDs are hashes over the
 * references, so there are no cycles; were there one, it would be cut somewhere. Yields to the event loop.
 */
export async function orderByReferences(clock: Clock, events: readonly IntactEvent[], referencesOf: ReferencesOf): Promise<IntactEvent[]> {
  const byId = new Map(events.map((event) => [event.eventId, event]));
  const begun = new Set<string>();
  const ordered: IntactEvent[] = [];
  for (const [index, root] of events.entries()) {
    if (index % ORDERED_AT_ONCE === ORDERED_AT_ONCE - 1) await clock.yield();
    if (begun.has(root.eventId)) continue;
    begun.add(root.eventId);
    const open = [{ event: root, references: referencesOf(root), next: 0 }];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const reference = top.references[top.next];
      top.next += 1;
      if (reference === undefined) {
        ordered.push(top.event);
        open.pop();
        continue;
      }
      const event = byId.get(reference);
      if (event === undefined || begun.has(reference)) continue;
      begun.add(reference);
      open.push({ event, references: referencesOf(event), next: 0 });
    }
  }
  return ordered;
}
