/** Signatures of events (spec: server-server, "Signing Events"): over the redacted event. */
import { trimPadding } from '../canonical-json/base64.ts';
import { contentHash, essentialText } from '../events/hashes.ts';
import type { Pdu } from '../events/pdu.ts';
import { domainOf } from '../ids/domain-of.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import type { SigningKey } from './signing-key.ts';
import { verifySignature } from './signing-key.ts';
import { signatureOf } from './sign-json.ts';

/** A copy of the event with its content hash filled in and the signature of `serverName` added. For events that another server proposed; `buildEvent` does it for ours. */
export function hashAndSignEvent<T extends Partial<Pdu>>(event: T, version: RoomVersion, serverName: string, key: SigningKey): T & Pick<Pdu, 'hashes' | 'signatures'> {
  return addSignature({ ...event, hashes: { sha256: contentHash(event, version) } }, version, serverName, key);
}

/** A copy of the hashed event with the signature of `serverName` added to those it has. Throws `CanonicalJsonError`. */
export function addSignature<T extends Partial<Pdu>>(event: T, version: RoomVersion, serverName: string, key: SigningKey): T & Pick<Pdu, 'signatures'> {
  const signature = trimPadding(Buffer.from(key.sign(Buffer.from(essentialText(event, version)))).toString('base64'));
  const before = event.signatures ?? {};
  return { ...event, signatures: { ...before, [serverName]: { ...before[serverName], [key.keyId]: signature } } };
}

/** Whether the event carries a valid signature of `serverName` under `keyId`, which is the 32-byte `publicKey`. Throws `CanonicalJsonError`. */
export function verifyEvent(event: Pdu, version: RoomVersion, signer: { serverName: string; keyId: string; publicKey: Uint8Array }): boolean {
  const signature = signatureOf(event, signer.serverName, signer.keyId);
  if (signature === undefined) return false;
  return verifySignature(signer.publicKey, Buffer.from(essentialText(event, version)), signature);
}

/**
 * Servers whose valid signature an event needs on receipt: the sender's, except for an invite by third party (the spec exempts it: the sending server may be another); the
 * one that authorised a restricted join (auth rules, "join_authorised_via_users_server"); the event ID's in versions 1 and 2.
 */
export function requiredSigners(event: Pdu, version: RoomVersion): string[] {
  const servers = new Set<string>();
  if (!isThirdPartyInvite(event)) servers.add(domainOf(event.sender));
  if (version.eventIdFormat === 'opaque') servers.add(domainOf(event.event_id as string));
  const authoriser = event.content.join_authorised_via_users_server;
  if (version.restrictedJoin && event.type === 'm.room.member' && typeof authoriser === 'string') servers.add(domainOf(authoriser));
  return [...servers];
}

function isThirdPartyInvite(event: Pdu): boolean {
  return event.type === 'm.room.member' && event.content.membership === 'invite' && event.content.third_party_invite !== undefined;
}
