/**
 * Checks of an event from another server (spec: server-server, "Checks performed on receipt of a PDU"). Numbers in comments are the spec's. Steps 1 to 3 need the event and the keys of
 * its signers; 4 its auth events; 5 and 6 states of the room. Who has all at hand calls `checkReceived`; who must fetch in between calls its halves.
 */
import { authorize } from '../auth/authorize.ts';
import { checkAuthEvents } from '../auth/check-auth-events.ts';
import type { AuthEvent } from '../auth/check-auth-events.ts';
import type { StateLookup } from '../auth/power-levels.ts';
import { refuse } from '../auth/verdict.ts';
import type { AuthVerdict } from '../auth/verdict.ts';
import { canonicalJson, CanonicalJsonError } from '../canonical-json/canonical-json.ts';
import { createEventIdOfRoom, roomIdOfCreateEvent } from '../ids/room-id.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { requiredSigners } from '../signing/sign-event.ts';
import { checkSize } from './check-size.ts';
import { eventIdOf, eventIdOfEssentials } from './event-id.ts';
import { eventText } from './event-text.ts';
import { isContentHash } from './hashes.ts';
import { authEventIds } from './pdu.ts';
import type { Pdu } from './pdu.ts';
import { redact } from './redact.ts';
import { receivedTexts } from './received-texts.ts';
import { validateForm } from './validate-event.ts';

/** Nothing of the event may be kept. */
export interface Dropped {
  readonly outcome: 'dropped';
  readonly reason: string;
}

/** An event that is what its sender signed. */
export interface IntactEvent {
  readonly eventId: string;
  readonly roomId: string;
  /** Without `unsigned`; the redacted event when the content hash did not match. */
  readonly pdu: Pdu;
  /** `pdu` in canonical JSON, as far as it has that form (`eventText`), as UTF-8. */
  readonly bytes: Uint8Array;
  readonly redacted: boolean;
}

export interface CheckIntegrity {
  /** Parsed JSON. */
  readonly value: unknown;
  readonly version: RoomVersion;
  /**
   * Whether the event carries a valid signature of that server, by a key that was valid at `event.origin_server_ts` where the version enforces it
   * (`keyValidityEnforced`). `essentials` is what was signed.
   */
  readonly signedBy: (serverName: string, event: Pdu, essentials: Uint8Array) => boolean;
}

export interface CheckAuthorisation {
  readonly event: Pick<IntactEvent, 'roomId' | 'pdu'>;
  readonly version: RoomVersion;
  /** Events that `auth_events` names and, in versions whose room ID is its hash, the create event; undefined for those not known yet. */
  readonly authEvents: (eventId: string) => AuthEvent | undefined;
  /** The state before the event; absent for an outlier, for which steps 5 and 6 wait. */
  readonly stateBefore?: StateLookup | undefined;
  /** The resolved state of all forward extremities; absent for history, which cannot fail softly, and where it is the state before. */
  readonly currentState?: StateLookup | undefined;
}

export type AuthorisationOutcome =
  | { readonly outcome: 'accepted' }
  /** Rejected by step 4 or 5, or softly failed by step 6; or by 7, the policy server's, which is not made here. */
  | { readonly outcome: 'rejected' | 'softFailed'; readonly step: 4 | 5 | 6 | 7; readonly reason: string }
  /** These events have to be known first. */
  | { readonly outcome: 'incomplete'; readonly missing: readonly string[] };

export type ReceivedOutcome = Dropped | (AuthorisationOutcome & { readonly event: IntactEvent });

/** Steps 1 to 6. */
export function checkReceived(input: CheckIntegrity & Omit<CheckAuthorisation, 'event'>): ReceivedOutcome {
  const event = checkIntegrity(input);
  return 'outcome' in event ? event : { ...checkAuthorisation({ ...input, event }), event };
}

/** Steps 1 to 3: whether the event is one, and its sender's. */
export function checkIntegrity(input: CheckIntegrity): IntactEvent | Dropped {
  try {
    return intactEvent(input);
  } catch (error) {
    // Up to version 5 an event need not be canonical JSON; what is not even text or is nested without end is none there either.
    if (error instanceof CanonicalJsonError) return dropped(`Malformed event: ${error.message}`);
    throw error;
  }
}

function intactEvent({ value, version, signedBy }: CheckIntegrity): IntactEvent | Dropped {
  // 1. A valid event of this room version.
  const validity = validateForm(value, version);
  if (!validity.valid) return dropped(validity.reason);
  const { unsigned, ...received } = validity.pdu;
  // It is not kept, but an event with it is none either when it has no canonical form.
  if (unsigned !== undefined && version.strictCanonicalJson) canonicalJson({ unsigned });
  const { json, hashed, essential } = receivedTexts(received, version);
  const essentials = Buffer.from(essential);
  const eventId = version.eventIdFormat === 'opaque' ? eventIdOf(received, version) : eventIdOfEssentials(essentials, version);
  if (checkSize({ pdu: received, eventId, json }) !== 'ok') return dropped('The event is too large');
  // 2. Signatures.
  const unsignedBy = requiredSigners(received, version).find((serverName) => !signedBy(serverName, received, essentials));
  if (unsignedBy !== undefined) return dropped(`The event is not signed by ${unsignedBy}`);
  // 3. The content hash.
  const roomId = received.room_id ?? roomIdOfCreateEvent(eventId);
  if (isContentHash(received.hashes, hashed)) return { eventId, roomId, pdu: received, bytes: Buffer.from(json), redacted: false };
  const pdu = redact(received, version);
  return { eventId, roomId, pdu, bytes: Buffer.from(eventText(pdu, version)), redacted: true };
}

/** Steps 4 to 6: whether the authorisation rules allow the event. */
export function checkAuthorisation(input: CheckAuthorisation): AuthorisationOutcome {
  const { event: { pdu: event, roomId }, version, stateBefore, currentState } = input;
  const byState = (state: StateLookup): AuthVerdict => authorize({ event, version, state, roomId });
  // 4. By the event's auth events.
  const needed = neededEvents(input);
  const missing = needed.filter((eventId) => input.authEvents(eventId) === undefined);
  if (missing.length > 0) return { outcome: 'incomplete', missing };
  const byAuthEvents = authorizeByAuthEvents(input, byState);
  if (!byAuthEvents.allowed) return { outcome: 'rejected', step: 4, reason: byAuthEvents.reason };
  // 5. By the state before the event.
  const before = stateBefore === undefined ? byAuthEvents : byState(stateBefore);
  if (!before.allowed) return { outcome: 'rejected', step: 5, reason: before.reason };
  // 6. By the current state.
  const now = stateBefore === undefined || currentState === undefined ? before : byState(currentState);
  return now.allowed ? { outcome: 'accepted' } : { outcome: 'softFailed', step: 6, reason: now.reason };
}

/** The auth events, and the create event that a room ID without domain stands for. */
function neededEvents({ event: { pdu, roomId }, version }: CheckAuthorisation): string[] {
  const impliesCreate = version.roomIdFormat === 'create-hash' && pdu.type !== 'm.room.create';
  return [...new Set([...authEventIds(pdu), ...(impliesCreate ? [createEventIdOfRoom(roomId)] : [])])];
}

function authorizeByAuthEvents(input: CheckAuthorisation, byState: (state: StateLookup) => AuthVerdict): AuthVerdict {
  const { event: { pdu, roomId }, version } = input;
  const known = (eventId: string): AuthEvent => input.authEvents(eventId) as AuthEvent;
  const cited = authEventIds(pdu).map(known);
  const selection = checkAuthEvents(pdu, version, cited);
  if (!selection.allowed) return selection;
  const create = version.roomIdFormat === 'create-hash' && pdu.type !== 'm.room.create' ? known(createEventIdOfRoom(roomId)) : undefined;
  if (create?.rejected === true) return refuse("The room's create event was rejected");
  const state = [...cited, ...(create === undefined ? [] : [create])].map(({ event }) => event);
  return byState((type, stateKey) => state.find((event) => event.type === type && event.state_key === stateKey));
}

function dropped(reason: string): Dropped {
  return { outcome: 'dropped', reason };
}
