/**
 * Events as clients see them (spec: client-server, "Room event format"; rooms/v11 on `redacts`). What is the same for all readers is made once, as a *fragment*: the JSON text of
 * the event without its closing brace. `closeClientEvent` adds what depends on the reader.
 */
import { redactsOf } from '../events/pdu.ts';
import type { Pdu } from '../events/pdu.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';

/**
 * `{"content":…,"event_id":…,"origin_server_ts":…,["redacts":…,]"sender":…,["state_key":…,]"type":…`, to be continued with `,"key":value` pairs and `}`. A redaction names its event
 * both at the top level and in the content, for clients of either age.
 */
export function clientEventFragment(pdu: Pdu, eventId: string, version: RoomVersion): string {
  const redacts = redactsOf(pdu, version);
  const content = redacts === undefined || version.redactsInContent ? pdu.content : { ...pdu.content, redacts };
  let text = `{"content":${JSON.stringify(content)},"event_id":${JSON.stringify(eventId)},"origin_server_ts":${pdu.origin_server_ts}`;
  if (redacts !== undefined) text += `,"redacts":${JSON.stringify(redacts)}`;
  text += `,"sender":${JSON.stringify(pdu.sender)}`;
  if (pdu.state_key !== undefined) text += `,"state_key":${JSON.stringify(pdu.state_key)}`;
  return `${text},"type":${JSON.stringify(pdu.type)}`;
}

export interface ClientEventRest {
  /** Everywhere but under a room of /sync, where it is implied. */
  readonly roomId?: string | undefined;
  /** JSON text of the `unsigned` object. */
  readonly unsignedJson?: string | undefined;
}

/** The whole client event, as JSON text. */
export function closeClientEvent(fragment: string, { roomId, unsignedJson }: ClientEventRest = {}): string {
  const room = roomId === undefined ? '' : `,"room_id":${JSON.stringify(roomId)}`;
  const unsigned = unsignedJson === undefined ? '' : `,"unsigned":${unsignedJson}`;
  return `${fragment}${room}${unsigned}}`;
}

export interface StrippedStateEvent {
  readonly content: Record<string, unknown>;
  readonly sender: string;
  readonly state_key: string;
  readonly type: string;
}

/** The state event as shown to those outside the room (spec: client-server, "Stripped state"). */
export function strippedStateEvent(pdu: Pick<Pdu, 'content' | 'sender' | 'state_key' | 'type'>): StrippedStateEvent {
  return { content: pdu.content, sender: pdu.sender, state_key: pdu.state_key ?? '', type: pdu.type };
}
