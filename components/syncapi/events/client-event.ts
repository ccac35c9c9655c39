/**
 * An event as clients see it, as ready JSON text. It is made once per event; every response that shows the event shares that text and only adds
 * what differs from reader to reader (`unsigned`, `room_id`).
 */
import { PoisonRecord } from '../../../pkg/log/log.ts';

/** What this component reads of a PDU. */
export interface ParsedPdu {
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Readonly<Record<string, unknown>>;
  readonly origin_server_ts: number;
  readonly redacts?: string;
}

export interface ClientEvent {
  readonly eventId: string;
  readonly roomId: string;
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
}

const CONTENT_AT = '{"content":'.length;

/** Parses a stored PDU. Throws `PoisonRecord` when it is not one. */
export function parsePdu(bytes: Uint8Array): ParsedPdu {
  let pdu: unknown;
  try {
    pdu = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new PoisonRecord('the event is not JSON', { cause });
  }
  if (!isParsedPdu(pdu)) throw new PoisonRecord('the event lacks what every event has');
  return pdu;
}

function isParsedPdu(value: unknown): value is ParsedPdu {
  if (typeof value !== 'object' || value === null) return false;
  const pdu = value as Partial<ParsedPdu>;
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
export function hasUrl(pdu: ParsedPdu): boolean {
  return typeof pdu.content['url'] === 'string';
}

/** The client's form of a PDU: the fields of a federated event that clients have no use for are left out. */
export function clientEventOf(eventId: string, roomId: string, pdu: ParsedPdu, redactedBy: string | null): ClientEvent {
  const redacts = pdu.redacts ?? (pdu.type === 'm.room.redaction' ? pdu.content['redacts'] : undefined);
  // From room version 11 on `redacts` is in the content, before beside it; readers of either kind are served in both places.
  const content = JSON.stringify(typeof redacts === 'string' && pdu.content['redacts'] === undefined ? { ...pdu.content, redacts } : pdu.content);
  const rest = {
    event_id: eventId,
    origin_server_ts: pdu.origin_server_ts,
    redacts: typeof redacts === 'string' ? redacts : undefined,
    sender: pdu.sender,
    state_key: pdu.state_key,
    type: pdu.type,
  };
  return {
    eventId,
    roomId,
    type: pdu.type,
    sender: pdu.sender,
    stateKey: pdu.state_key,
    originServerTs: pdu.origin_server_ts,
    membership: pdu.type === 'm.room.member' && typeof pdu.content['membership'] === 'string' ? pdu.content['membership'] : '',
    hasUrl: hasUrl(pdu),
    redactedBy,
    head: `{"content":${content},${JSON.stringify(rest).slice(1, -1)}`,
    contentLength: content.length,
  };
}

/** JSON text of the event's content. */
export function contentText(event: ClientEvent): string {
  return event.head.slice(CONTENT_AT, CONTENT_AT + event.contentLength);
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
  /** The state event that this one replaced. */
  readonly replaced?: ClientEvent;
  /** The redaction of this event. */
  readonly redactedBecause?: ClientEvent;
}

/** The full JSON text. `withRoomId`: /sync leaves it out, for it stands above. */
export function renderEvent(event: ClientEvent, unsigned: Unsigned, withRoomId: boolean): string {
  const parts = [`"age":${unsigned.nowMs - event.originServerTs}`];
  if (unsigned.membership !== undefined) parts.push(`"membership":${JSON.stringify(unsigned.membership)}`);
  if (unsigned.replaced !== undefined) {
    parts.push(`"prev_content":${contentText(unsigned.replaced)}`);
    parts.push(`"prev_sender":${JSON.stringify(unsigned.replaced.sender)},"replaces_state":${JSON.stringify(unsigned.replaced.eventId)}`);
  }
  if (unsigned.redactedBecause !== undefined) {
    const because = renderEvent(unsigned.redactedBecause, { nowMs: unsigned.nowMs }, withRoomId);
    parts.push(`"redacted_because":${because}`);
  }
  if (unsigned.transactionId !== undefined) parts.push(`"transaction_id":${JSON.stringify(unsigned.transactionId)}`);
  const roomId = withRoomId ? `,"room_id":${JSON.stringify(event.roomId)}` : '';
  return `${event.head}${roomId},"unsigned":{${parts.join(',')}}}`;
}
