/**
 * An event as servers exchange it (persistent data unit), in the format of room versions 3 and later: no event ID inside, references by event ID. In versions 1 and 2 its references are
 * pairs of an event ID and hashes (`references.ts`): read them with `authEventIds` and `prevEventIds`.
 * Wire object: snake_case, plain JSON values.
 */
export interface Pdu {
  type: string;
  sender: string;
  /** Absent only on `m.room.create` of room versions whose room ID is the hash of that event. */
  room_id?: string;
  /** Only in room versions 1 and 2; an event of another version that has it is called otherwise. */
  event_id?: string;
  /** Present exactly on state events. */
  state_key?: string;
  content: Record<string, unknown>;
  auth_events: string[];
  prev_events: string[];
  depth: number;
  /** Wall-clock ms. */
  origin_server_ts: number;
  hashes: { sha256: string };
  /** server name → key ID → unpadded base64. */
  signatures: Record<string, Record<string, string>>;
  /** The redacted event; up to room version 10 (later: `content.redacts`). */
  redacts?: string;
  unsigned?: Record<string, unknown>;
}

/** What a sender decides about an event; the owner of the room adds the rest. */
export interface EventDraft {
  readonly type: string;
  readonly sender: string;
  readonly state_key?: string;
  readonly content: Record<string, unknown>;
  /** Only for `m.room.redaction`; stands where the room version has it, whichever way it was given. */
  readonly redacts?: string;
}

/** IDs of the events that `auth_events` names, in every format. */
export function authEventIds(pdu: Pick<Pdu, 'auth_events'>): readonly string[] {
  return idsOf(pdu.auth_events);
}

/** IDs of the events that `prev_events` names, in every format. */
export function prevEventIds(pdu: Pick<Pdu, 'prev_events'>): readonly string[] {
  return idsOf(pdu.prev_events);
}

function idsOf(references: readonly (string | readonly [eventId: string, hashes: unknown])[]): readonly string[] {
  const arePairs = references.length > 0 && typeof references[0] !== 'string';
  return arePairs ? references.map((reference) => (typeof reference === 'string' ? reference : reference[0])) : (references as readonly string[]);
}

/** Whether the event is a state event. */
export function isState(pdu: { readonly state_key?: string | undefined }): boolean {
  return pdu.state_key !== undefined;
}

/** The event that a redaction redacts, wherever the room version keeps it; undefined when the event names none. */
export function redactsOf(pdu: Pick<Pdu, 'type' | 'content' | 'redacts'>, version: { readonly redactsInContent: boolean }): string | undefined {
  if (pdu.type !== 'm.room.redaction') return undefined;
  const redacts = version.redactsInContent ? pdu.content.redacts : pdu.redacts;
  return typeof redacts === 'string' ? redacts : undefined;
}
