/** Invites that follow from a third-party invite: rule 4.4.1 of room versions 10 and 11, rule 5.4.1 of version 12. Numbers in comments are those below it. */
import { decodeBase64, decodeBase64Url } from '../canonical-json/base64.ts';
import type { Pdu } from '../events/pdu.ts';
import { signatureOf, signedText, signingKeyIdsOf } from '../signing/sign-json.ts';
import { verifySignature } from '../signing/signing-key.ts';
import type { MemberContext } from './auth-context.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { AuthVerdict } from './verdict.ts';

/** More pairs of signature and key than this are not tried (each costs 0.1 ms): real invites have one or two of each. */
const SIGNATURE_CHECKS_MAX = 256;

export function authorizeThirdPartyInvite(member: MemberContext): AuthVerdict {
  // 1.
  if (member.targetBefore === 'ban') return refuse(`${member.target} is banned from the room`);
  // 2.
  const signed = (member.event.content.third_party_invite as { signed?: unknown } | null)?.signed;
  if (typeof signed !== 'object' || signed === null) return refuse('The third-party invite is not signed');
  // 3.
  const { mxid, token } = signed as { mxid?: unknown; token?: unknown };
  if (typeof mxid !== 'string' || typeof token !== 'string') return refuse('The third-party invite names no user or no token');
  // 4.
  if (mxid !== member.target) return refuse('The third-party invite is for another user');
  // 5.
  const invite = member.state('m.room.third_party_invite', token);
  if (invite === undefined) return refuse('The room has no such third-party invite');
  // 6.
  if (invite.sender !== member.event.sender) return refuse('The third-party invite is from another sender');
  // 7, 8.
  return isSignedByAny(signed, publicKeysOf(invite)) ? ALLOWED : refuse('The third-party invite is not signed with one of its keys');
}

/** The keys of an `m.room.third_party_invite` event: `public_key` (7.1) and those in `public_keys` (7.2), standard or URL-safe base64. */
function publicKeysOf(invite: Pdu): Uint8Array[] {
  const { public_key: single, public_keys: list } = invite.content;
  const encoded = [single, ...(Array.isArray(list) ? list.map((entry: { public_key?: unknown } | null) => entry?.public_key) : [])];
  const distinct = new Set(encoded.filter((key) => typeof key === 'string'));
  return [...distinct].map((key) => decodeBase64(key) ?? decodeBase64Url(key)).filter((key) => key !== undefined);
}

/** Whether any signature in `signed` was made with any of the keys, whoever's name it stands under. */
function isSignedByAny(signed: object, publicKeys: readonly Uint8Array[]): boolean {
  const { signatures } = signed as { signatures?: unknown };
  if (typeof signatures !== 'object' || signatures === null) return false;
  const bytes = Buffer.from(signedText(signed as Record<string, unknown>));
  let checksLeft = SIGNATURE_CHECKS_MAX;
  for (const serverName of Object.keys(signatures)) {
    for (const keyId of signingKeyIdsOf(signed, serverName)) {
      const signature = signatureOf(signed, serverName, keyId);
      if (signature === undefined) continue;
      checksLeft -= publicKeys.length;
      if (checksLeft < 0) return false;
      if (publicKeys.some((publicKey) => verifySignature(publicKey, bytes, signature))) return true;
    }
  }
  return false;
}
