/** The form of event IDs (spec: appendices, "Event IDs", and rooms/). How one is computed is in `events/event-id.ts`. */
import { fitsIdLimit } from './byte-length.ts';
import { isDomainId } from './domain-of.ts';

/** Unpadded URL-safe base64 of 32 bytes. */
export const EVENT_HASH = /^[A-Za-z0-9_-]{43}$/;
/** The same in the standard alphabet (room version 3). */
const STANDARD_EVENT_HASH = /^[A-Za-z0-9+/]{43}$/;

/** Whether `id` could be an event ID of some room version: `$` and something, at most 255 bytes. */
export function isEventId(id: unknown): id is string {
  return typeof id === 'string' && id.length > 1 && id.startsWith('$') && fitsIdLimit(id);
}

/** Whether `id` is an event ID in the form that the room version has. */
export function isEventIdOf(version: { readonly eventIdFormat: 'opaque' | 'base64' | 'base64url' }, id: unknown): id is string {
  if (typeof id !== 'string' || !id.startsWith('$')) return false;
  if (version.eventIdFormat === 'opaque') return isDomainId(id, '$');
  return (version.eventIdFormat === 'base64url' ? EVENT_HASH : STANDARD_EVENT_HASH).test(id.slice(1));
}
