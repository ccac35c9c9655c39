/** Content and reference hashes of events (spec: server-server, "Signing Events"). */
import { hash } from 'node:crypto';
import { decodeBase64, trimPadding } from '../canonical-json/base64.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { eventText } from './event-text.ts';
import type { Pdu } from './pdu.ts';
import { redact } from './redact.ts';

/** SHA-256 of the UTF-8 of `text` in unpadded base64. */
export function sha256Base64(text: string): string {
  return trimPadding(hash('sha256', text, 'base64'));
}

/** The content hash, unpadded base64: over the whole event but `unsigned`, `signatures` and `hashes`. Throws `CanonicalJsonError`. */
export function contentHash(pdu: Partial<Pdu>, version: RoomVersion): string {
  return sha256Base64(hashedText(pdu, version));
}

function hashedText(pdu: Partial<Pdu>, version: RoomVersion): string {
  const { unsigned: _unsigned, signatures: _signatures, hashes: _hashes, ...hashed } = pdu;
  return eventText(hashed, version);
}

/** Whether `hashes.sha256` is the content hash; if not, the receiver goes on with the redacted event. Throws `CanonicalJsonError`. */
export function contentHashMatches(pdu: Pdu, version: RoomVersion): boolean {
  return isContentHash(pdu.hashes, hashedText(pdu, version));
}

/** The same, of the text that the hash covers. */
export function isContentHash(hashes: Pdu['hashes'] | undefined, hashedText: string): boolean {
  if (typeof hashes?.sha256 !== 'string') return false;
  const actual = sha256Base64(hashedText);
  if (hashes.sha256 === actual) return true;
  // Other servers may write the same bytes otherwise.
  const claimed = decodeBase64(hashes.sha256);
  return claimed !== undefined && Buffer.compare(claimed, decodeBase64(actual)!) === 0;
}

/**
 * What both the signatures and the reference hash of an event cover: canonical JSON of the redacted event without `signatures` and `unsigned`. Compute it once where
 * both are needed. Throws `CanonicalJsonError`.
 */
export function essentialText(pdu: Partial<Pdu>, version: RoomVersion): string {
  const { signatures: _signatures, unsigned: _unsigned, ...essential } = redact(pdu, version);
  return eventText(essential, version);
}
