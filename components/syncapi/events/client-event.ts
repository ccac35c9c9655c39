/**
 * An event as clients see it, as ready JSON text. It is made once per event; every response that shows the event shares that text and only adds
 * what differs from reader to reader (`unsigned`, `room_id`).
 */
import { PoisonRecord } from '../../../pkg/log/log.ts';
import { clientEventFragment, closeClientEvent } from '../../../pkg/matrix/client-format/client-event.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';

export interface ClientEvent {
  readonly eventId: string;
  readonly roomId: string;
  readonly roomVersion: string;
  readonly type: string;
  readonly sender: string;
  /** undefined: not a state event. */
  readonly stateKey: string | undefined;
  readonly originServerTs: number;
  /** `content.membership` of m.room.member events, else empty. */
  readonly membership: string;
  readonly hasUrl: boolean;
  readonly redactedBy: string | null;
  /** All fields but `unsigned` and `room_id`, without the closing brace. Begins with `{"content":`. */
  readonly head: string;
  /** Length of the content's text within `head`. */
  readonly contentLength: number;
  /** Trace of the request that made it, while that is fresh. */
  readonly traceId?: string;
}

const CONTENT_AT = '{"content":'.length;

/** Parses a stored PDU. Throws `PoisonRecord` when it is not one. */
export function parsePdu(bytes: Uint8Array): Pdu {
  let pdu: unknown;
  try {
    pdu = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new PoisonRecord('the event is not JSON', { cause });
  }
  if (!isPdu(pdu)) throw new PoisonRecord('the event lacks what every event has');
  return pdu;
}

/** Whether it has the fields that are read here. */
function isPdu(value: unknown): value is Pdu {
  if (typeof value !== 'object' || value === null) return false;
  const pdu = value as Partial<Pdu>;
  return (
    typeof pdu.type === 'string' &&
    typeof pdu.sender === 'string' &&
    typeof pdu.origin_server_ts === 'number' &&
    typeof pdu.content === 'object' &&
    pdu.content !== null &&
    (pdu.state_key === undefined || typeof pdu.state_key === 'string')
  );
}

/** Whether the content has the key `url` (the filters' `contains_url`). */
export function hasUrl(pdu: Pdu): boolean {
  return typeof pdu.content['url'] === 'string';
}

/** What `clientEventOf` makes an event of. */
export interface EventSource {
  readonly eventId: string;
  readonly roomId: string;
  readonly roomVersion: string;
  readonly pdu: Pdu;
  readonly redactedBy: string | null;
  readonly traceId?: string;
}

/** The client's form of a PDU. Throws `PoisonRecord` for an unknown room version. */
export function clientEventOf({ eventId, roomId, roomVersion: versionId, pdu, redactedBy, traceId }: EventSource): ClientEvent {
  const version = roomVersion(versionId);
  if (version === undefined) throw new PoisonRecord(`room version ${versionId} is not known`);
  const head = clientEventFragment(pdu, eventId, version);
  return {
    eventId,
    roomId,
    roomVersion: versionId,
    type: pdu.type,
    sender: pdu.sender,
    stateKey: pdu.state_key,
    originServerTs: pdu.origin_server_ts,
    membership: pdu.type === 'm.room.member' && typeof pdu.content['membership'] === 'string' ? pdu.content['membership'] : '',
    hasUrl: hasUrl(pdu),
    redactedBy,
    head,
    // What follows the content has its quotes escaped, so the last such place is the content's end.
    contentLength: head.lastIndexOf(',"event_id":"') - CONTENT_AT,
    traceId,
  };
}

/** JSON text of the event's content. */
export function contentText(event: ClientEvent): string {
  return event.head.slice(CONTENT_AT, CONTENT_AT + event.contentLength);
}

/** The event with another content, as JSON text. */
export function withContent(event: ClientEvent, text: string): ClientEvent {
  return { ...event, head: `${event.head.slice(0, CONTENT_AT)}${text}${event.head.slice(CONTENT_AT + event.contentLength)}`, contentLength: text.length };
}

/** The stripped form for invites and knocks: content, sender, state key and type. */
export function strippedText(event: ClientEvent): string {
  return `{"content":${contentText(event)},${JSON.stringify({ sender: event.sender, state_key: event.stateKey ?? '', type: event.type }).slice(1)}`;
}

export interface Unsigned {
  readonly nowMs: number;
  /** Of the sending device's request; only for that device. */
  readonly transactionId?: string;
  /** What the reader was in the room at the event. */
  readonly membership?: string;
  /** ID of the state event that this one replaced. */
  readonly replaces?: string;
  /** That event, where the reader may see it. */
  readonly replaced?: ClientEvent;
  /** The redaction of this event. */
  readonly redactedBecause?: ClientEvent;
  /** What is told of the events that relate to it, as JSON text. */
  readonly relations?: string;
}

/** The full JSON text. `withRoomId`: /sync leaves it out, for it stands above. */
export function renderEvent(event: ClientEvent, unsigned: Unsigned, withRoomId: boolean): string {
  const parts = [`"age":${unsigned.nowMs - event.originServerTs}`];
  if (unsigned.relations !== undefined) parts.push(`"m.relations":${unsigned.relations}`);
  if (unsigned.membership !== undefined) parts.push(`"membership":${JSON.stringify(unsigned.membership)}`);
  if (unsigned.replaced !== undefined) {
    parts.push(`"prev_content":${contentText(unsigned.replaced)}`);
    parts.push(`"prev_sender":${JSON.stringify(unsigned.replaced.sender)}`);
  }
  if (unsigned.replaces !== undefined) parts.push(`"replaces_state":${JSON.stringify(unsigned.replaces)}`);
  if (unsigned.redactedBecause !== undefined) {
    const because = renderEvent(unsigned.redactedBecause, { nowMs: unsigned.nowMs }, withRoomId);
    parts.push(`"redacted_because":${because}`);
  }
  if (unsigned.transactionId !== undefined) parts.push(`"transaction_id":${JSON.stringify(unsigned.transactionId)}`);
  return closeClientEvent(event.head, { roomId: withRoomId ? event.roomId : undefined, unsignedJson: `{${parts.join(',')}}` });
}
