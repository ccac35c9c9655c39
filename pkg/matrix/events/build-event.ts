/**
 * Makes a complete event of what a sender wants: hashed, signed, with its ID. The canonical text is put together from parts, each encoded once: the content hash,
 * the signature, the ID and the stored JSON all come from them.
 */
import { trimPadding } from '../canonical-json/base64.ts';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { depthMaxOf, type RoomVersion } from '../room-versions/room-versions.ts';
import type { SigningKey } from '../signing/signing-key.ts';
import { eventText } from './event-text.ts';
import { eventIdOfEssentials, opaqueEventId } from './event-id.ts';
import { sha256Base64 } from './hashes.ts';
import type { EventDraft, Pdu } from './pdu.ts';
import { redactContent } from './redact.ts';
import type { EventReference } from './references.ts';

export interface BuildEvent {
  readonly version: RoomVersion;
  readonly draft: EventDraft;
  /** Left out for the create event of a version whose room ID is that event's hash. */
  readonly roomId?: string | undefined;
  /** In the form of the version: `referenceTo`. */
  readonly prevEvents: readonly EventReference[];
  readonly authEvents: readonly EventReference[];
  readonly depth: number;
  /** Wall-clock ms. */
  readonly originServerTs: number;
  readonly serverName: string;
  readonly signingKey: SigningKey;
}

export interface BuiltEvent {
  readonly eventId: string;
  /** Shares `content` with the draft. */
  readonly pdu: Pdu;
  /** `pdu` in canonical JSON. */
  readonly json: string;
}

/** Builds, hashes and signs the event. Neither sizes nor authorisation are checked. Throws `CanonicalJsonError` when the content has no canonical form. */
export function buildEvent(input: BuildEvent): BuiltEvent {
  const { version, signingKey, serverName } = input;
  const pdu = unsignedPdu(input);
  const parts = textParts(pdu, version);
  const content = canonicalJson(pdu.content);
  if (version.eventIdFormat === 'opaque') parts.depth += eventIdPart(pdu, `${parts.authEvents}${content}${parts.depth}${parts.middle}${parts.redacts}${parts.sender}${parts.end}`, serverName);

  const sha256 = sha256Base64(`${parts.authEvents}${content}${parts.depth}${parts.middle}${parts.redacts}${parts.sender}${parts.end}`);
  pdu.hashes.sha256 = sha256;
  const hashes = `,"hashes":{"sha256":"${sha256}"}`;

  // `essentialText` of hashes.ts, from the parts: every version's redaction keeps all of them but `redacts`.
  const kept = redactContent(pdu.type, pdu.content, version.redaction);
  const essentialContent = kept === pdu.content ? content : canonicalJson(kept);
  const essentials = `${parts.authEvents}${essentialContent}${parts.depth}${hashes}${parts.middle}${parts.sender}${parts.end}`;
  const essentialBytes = Buffer.from(essentials);
  const signature = trimPadding(Buffer.from(signingKey.sign(essentialBytes)).toString('base64'));
  pdu.signatures = { [serverName]: { [signingKey.keyId]: signature } };
  const signatures = `,"signatures":${canonicalJson(pdu.signatures)}`;

  const json = `${parts.authEvents}${content}${parts.depth}${hashes}${parts.middle}${parts.redacts}${parts.sender}${signatures}${parts.end}`;
  return { eventId: pdu.event_id ?? eventIdOfEssentials(essentialBytes, version), pdu, json };
}

/** Names the event, which has none of its own yet; the part of the canonical text that says so. */
function eventIdPart(pdu: Pdu, text: string, serverName: string): string {
  pdu.event_id = opaqueEventId(text, serverName);
  return `,"event_id":${canonicalJson(pdu.event_id)}`;
}

function unsignedPdu({ version, draft, roomId, prevEvents, authEvents, depth, originServerTs }: BuildEvent): Pdu {
  const pdu: Pdu = {
    auth_events: [...authEvents] as string[],
    content: draft.content,
    depth: depthIn(version, depth),
    hashes: { sha256: '' },
    origin_server_ts: originServerTs,
    prev_events: [...prevEvents] as string[],
    sender: draft.sender,
    signatures: {},
    type: draft.type,
  };
  if (roomId !== undefined) pdu.room_id = roomId;
  if (draft.state_key !== undefined) pdu.state_key = draft.state_key;
  if (draft.type === 'm.room.redaction' && draft.redacts !== undefined) {
    if (version.redactsInContent) pdu.content = { ...draft.content, redacts: draft.redacts };
    else pdu.redacts = draft.redacts;
  }
  return pdu;
}

/** Other servers claim what depth they like; what follows the deepest that there can be is as deep. */
function depthIn(version: RoomVersion, depth: number): number {
  return depth >= Number.MAX_SAFE_INTEGER ? depthMaxOf(version) : depth;
}

/** The canonical text around `content`, `hashes` and `signatures`, in its order. */
function textParts(pdu: Pdu, version: RoomVersion): Record<'authEvents' | 'depth' | 'middle' | 'redacts' | 'sender' | 'end', string> {
  const roomId = pdu.room_id === undefined ? '' : `,"room_id":${canonicalJson(pdu.room_id)}`;
  const stateKey = pdu.state_key === undefined ? '' : `,"state_key":${canonicalJson(pdu.state_key)}`;
  return {
    authEvents: `{"auth_events":${canonicalJson(pdu.auth_events)},"content":`,
    depth: `,"depth":${eventText(pdu.depth, version)}`,
    middle: `,"origin_server_ts":${canonicalJson(pdu.origin_server_ts)},"prev_events":${canonicalJson(pdu.prev_events)}`,
    redacts: pdu.redacts === undefined ? '' : `,"redacts":${canonicalJson(pdu.redacts)}`,
    sender: `${roomId},"sender":${canonicalJson(pdu.sender)}`,
    end: `${stateKey},"type":${canonicalJson(pdu.type)}}`,
  };
}
