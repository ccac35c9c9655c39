/** The events that are given up with a need that its server did not answer. They have to be fetched later: their senders do not send them again. */
import type { AboutEvent, Need } from '../../../schemas/log/room-output.ts';

/** What waits for the state or its auth chain does not come in; what lies in a gap is bridged by the state after it, and not seen here before it is fetched. */
export function eventsGivenUp({ stateAt, eventAuth, missingEvents }: Need): AboutEvent[] {
  const about = stateAt ?? eventAuth;
  if (about) return [{ origin: about.origin, eventId: about.eventId }];
  return missingEvents ? (missingEvents.lacking ?? []).map((eventId) => ({ origin: missingEvents.origin, eventId })) : [];
}
