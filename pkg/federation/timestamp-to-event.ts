/** Asks another server for the event of a room that is nearest to a time (spec: server-server, GET /timestamp_to_event). */
import { isEventId } from '../matrix/ids/event-id.ts';
import { FederationError, type FederationTransport } from './transport.ts';

export interface EventAtTime {
  readonly eventId: string;
  /** Wall-clock ms. */
  readonly originServerTs: number;
}

export interface TimeQuestion {
  readonly destination: string;
  readonly roomId: string;
  /** Wall-clock ms. */
  readonly ts: number;
  /** At the time or after (`f`), or before (`b`). */
  readonly direction: 'f' | 'b';
  readonly deadlineMs: number;
}

/** Rejects with `FederationError`: kind `http` with status 404 where there is none, `garbage` where the answer lies on the wrong side of the time. `transport` signs. */
export async function askTimestampToEvent(transport: FederationTransport, { destination, roomId, ts, direction, deadlineMs }: TimeQuestion): Promise<EventAtTime> {
  const { body } = await transport.request({
    destination, method: 'GET', path: `/_matrix/federation/v1/timestamp_to_event/${encodeURIComponent(roomId)}`, query: { ts: String(ts), dir: direction }, deadlineMs,
  });
  const { event_id: eventId, origin_server_ts: originServerTs } = body;
  const isThere = typeof originServerTs === 'number' && Number.isSafeInteger(originServerTs) && (direction === 'f' ? originServerTs >= ts : originServerTs <= ts);
  if (!isEventId(eventId) || !isThere) throw new FederationError('garbage', `${destination} named no event at that time`);
  return { eventId, originServerTs };
}
