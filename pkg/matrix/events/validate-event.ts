/** Whether something received is an event at all (spec: server-server, "Checks performed on receipt of a PDU", check 1; rooms/, "Event format"). */
import { canonicalJson, CanonicalJsonError } from '../canonical-json/canonical-json.ts';
import { fitsIdLimit } from '../ids/byte-length.ts';
import { isEventIdOf } from '../ids/event-id.ts';
import { isRoomIdOf } from '../ids/room-id.ts';
import { isUserId } from '../ids/user-id.ts';
import { depthMaxOf, type RoomVersion } from '../room-versions/room-versions.ts';
import type { Pdu } from './pdu.ts';

export const PREV_EVENTS_MAX = 20;
export const AUTH_EVENTS_MAX = 10;

export type EventValidity = { readonly valid: true; readonly pdu: Pdu } | { readonly valid: false; readonly reason: string };

/** Checks the types, grammar and limits of the fields of an event of that version, not its size, hashes or signatures; parsed JSON in, the same object out. */
export function validateEvent(value: unknown, version: RoomVersion): EventValidity {
  return verdict(value, isObject(value) ? problemOf(value, version) ?? canonicalProblem(value, version) : 'not an object');
}

/** The same but for values that have no canonical form: who encodes all of the event finds them then. */
export function validateForm(value: unknown, version: RoomVersion): EventValidity {
  return verdict(value, isObject(value) ? problemOf(value, version) : 'not an object');
}

function verdict(value: unknown, reason: string | undefined): EventValidity {
  return reason === undefined ? { valid: true, pdu: value as Pdu } : { valid: false, reason: `Malformed event: ${reason}` };
}

function problemOf(event: Record<string, unknown>, version: RoomVersion): string | undefined {
  return fieldProblem(event, version) ?? roomIdProblem(event, version) ?? referenceProblem(event, version) ?? signatureProblem(event);
}

function fieldProblem(event: Record<string, unknown>, version: RoomVersion): string | undefined {
  const { type, sender, state_key: stateKey, content, depth, origin_server_ts: ts, redacts, unsigned } = event;
  if (!isShortString(type)) return 'type is not a string of at most 255 bytes';
  if (!isUserId(sender)) return 'sender is not a user ID';
  if (stateKey !== undefined && !isShortString(stateKey)) return 'state_key is not a string of at most 255 bytes';
  if (!isObject(content)) return 'content is not an object';
  if (!isDepth(depth, version)) return `depth is not an integer from 0 to 2^${version.strictCanonicalJson ? 53 : 63}-1`;
  if (!Number.isSafeInteger(ts)) return 'origin_server_ts is not an integer';
  if (!version.redactsInContent && redacts !== undefined && typeof redacts !== 'string') return 'redacts is not a string';
  if (unsigned !== undefined && !isObject(unsigned)) return 'unsigned is not an object';
  return undefined;
}

function isDepth(depth: unknown, version: RoomVersion): boolean {
  return typeof depth === 'number' && Number.isInteger(depth) && depth >= 0 && depth <= depthMaxOf(version);
}

function roomIdProblem(event: Record<string, unknown>, version: RoomVersion): string | undefined {
  // The authorisation rules, not the format, say that such a create event has no room ID; here it need not have one.
  if (version.roomIdFormat === 'create-hash' && event.type === 'm.room.create' && event.room_id === undefined) return undefined;
  return isRoomIdOf(version, event.room_id) ? undefined : 'room_id is not a room ID';
}

function referenceProblem(event: Record<string, unknown>, version: RoomVersion): string | undefined {
  if (version.eventFormat === 'pairs' && !isEventIdOf(version, event.event_id)) return 'event_id is not an event ID';
  for (const [key, countMax] of [['prev_events', PREV_EVENTS_MAX], ['auth_events', AUTH_EVENTS_MAX]] as const) {
    const references = event[key];
    if (!Array.isArray(references) || !references.every((reference) => isReference(reference, version))) return `${key} is not a list of event IDs`;
    if (references.length > countMax) return `${key} has more than ${countMax} entries`;
  }
  return undefined;
}

/** An event ID; in versions 1 and 2 a pair of one and hashes. */
function isReference(reference: unknown, version: RoomVersion): boolean {
  if (version.eventFormat === 'ids') return isEventIdOf(version, reference);
  return Array.isArray(reference) && reference.length === 2 && isEventIdOf(version, reference[0]) && isMapOfStrings(reference[1]);
}

function signatureProblem(event: Record<string, unknown>): string | undefined {
  const { hashes, signatures } = event;
  if (!isObject(hashes) || typeof hashes.sha256 !== 'string') return 'hashes has no sha256';
  if (!isObject(signatures) || !Object.values(signatures).every(isMapOfStrings)) return 'signatures is not an object of objects of strings';
  return undefined;
}

function canonicalProblem(event: Record<string, unknown>, version: RoomVersion): string | undefined {
  if (!version.strictCanonicalJson) return undefined;
  try {
    canonicalJson(event);
    return undefined;
  } catch (error) {
    if (error instanceof CanonicalJsonError) return error.message;
    throw error;
  }
}

function isShortString(value: unknown): boolean {
  return typeof value === 'string' && fitsIdLimit(value);
}

function isMapOfStrings(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((entry) => typeof entry === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
