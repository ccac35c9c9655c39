/** What clients are told of rooms that this server is not in. */
import { isJsonObject } from '../../../pkg/http/json.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { clientEventOf, parsePdu, strippedText, type ClientEvent } from '../events/client-event.ts';
import { rawText } from '../events/load-events.ts';
import { outsideDetails } from '../storage/memberships.ts';
import type { OutsideView } from '../sync/outside.ts';

export interface OutsideRoom extends OutsideView {
  /** The user's member event. */
  readonly event: ClientEvent;
  /** Its PDU as JSON text, with the event ID. */
  readonly raw: string;
  /** Stripped state events as JSON texts, the user's own the last. */
  readonly state: readonly string[];
}

/** Another server may tell as much as it likes. */
const STATE_EVENTS_MAX = 100;

export async function loadOutside(reader: Reader, userId: string, views: readonly OutsideView[]): Promise<OutsideRoom[]> {
  if (views.length === 0) return [];
  const sections = new Map(views.map((view) => [view.roomId, view.section]));
  return (await outsideDetails(reader, userId, [...sections.keys()])).map((row) => {
    const event = clientEventOf({ eventId: row.event_id, roomId: row.room_id, roomVersion: row.room_version, pdu: parsePdu(row.pdu), redactedBy: null });
    const raw = rawText({ pdu: row.pdu, eventId: row.event_id, roomVersion: row.room_version });
    return { roomId: row.room_id, section: sections.get(row.room_id) ?? 'leave', event, raw, state: [...strippedStates(row.stripped_state, event), strippedText(event)] };
  });
}

/** Those of the events that have the form, without what else the other server says of them (newer ones send whole events), and without the member event itself. */
function strippedStates(bytes: Uint8Array, own: ClientEvent): string[] {
  return listIn(bytes).slice(0, STATE_EVENTS_MAX).flatMap((value) => {
    if (!isJsonObject(value)) return [];
    const { content, sender, state_key: stateKey, type } = value;
    if (!isJsonObject(content) || typeof sender !== 'string' || typeof stateKey !== 'string' || typeof type !== 'string') return [];
    return type === own.type && stateKey === own.stateKey ? [] : [JSON.stringify({ content, sender, state_key: stateKey, type })];
  });
}

function listIn(bytes: Uint8Array): unknown[] {
  try {
    const list: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}
