/** What new events name as their predecessors: in room versions 1 and 2 the forward extremities with their reference hashes, which the head keeps. */
import { must } from '../../../pkg/assert/assert.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { referenceTo, type EventReference } from '../../../pkg/matrix/events/references.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { readEvents } from '../storage/read-events.ts';
import type { RoomHead } from './room-head.ts';

/** Keeps what these events are named by, as far as they are forward extremities, and forgets what is none any more. */
export function noteReferences(head: RoomHead, events: readonly { readonly eventId: string; readonly pdu: Pdu }[]): void {
  if (head.version.eventFormat === 'ids') return;
  const { extremities, references } = head;
  for (const event of events) if (extremities.includes(event.eventId)) references.set(event.eventId, referenceTo(event, head.version));
  for (const eventId of references.keys()) if (!extremities.includes(eventId)) references.delete(eventId);
}

/** The newest `max` forward extremities. */
export function prevReferences(head: RoomHead, max: number): EventReference[] {
  const newest = head.extremities.slice(-max);
  return head.version.eventFormat === 'ids' ? newest : newest.map((eventId) => must(head.references.get(eventId), 'the reference hash of a forward extremity'));
}

/** For heads that come out of the tables. */
export async function loadReferences(database: Database, heads: readonly RoomHead[]): Promise<void> {
  const wanting = heads.filter(({ version }) => version.eventFormat === 'pairs');
  if (wanting.length === 0) return;
  const rows = await readEvents(database, wanting.flatMap(({ extremities }) => extremities));
  const events = rows.map(({ event_id: eventId, json }) => ({ eventId, pdu: JSON.parse(Buffer.from(json).toString()) as Pdu }));
  for (const head of wanting) noteReferences(head, events);
}
