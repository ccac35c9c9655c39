/** Which keys of a pending third-party invite have signed what a user shows (spec: client-server, "Third-party invites", `key_validity_url`). */
import { decodeBase64, decodeBase64Url } from '../canonical-json/base64.ts';
import { CanonicalJsonError } from '../canonical-json/canonical-json.ts';
import { signatureOf, signedText, signingKeyIdsOf } from '../signing/sign-json.ts';
import { verifySignature } from '../signing/signing-key.ts';

export interface InviteKey {
  /** As the room says it. */
  readonly publicKey: string;
  /** Where it is told whether the key is still valid; none: it is for ever. */
  readonly validityUrls: readonly string[];
}

/** More pairs of signature and key than this are not tried: real invites have one or two of each. */
const CHECKS_MAX = 64;

/** Of the keys in the content of an `m.room.third_party_invite` event those that `signed` is signed with, under whatever name. */
export function signingKeysOf(content: Readonly<Record<string, unknown>>, signed: Readonly<Record<string, unknown>>): InviteKey[] {
  const signatures = signaturesOf(signed);
  const bytes = signedBytes(signed);
  if (bytes === undefined) return [];
  let checksLeft = CHECKS_MAX;
  return keysIn(content).filter(({ publicKey: encoded }) => {
    const publicKey = decodeBase64(encoded) ?? decodeBase64Url(encoded);
    checksLeft -= signatures.length;
    return publicKey !== undefined && checksLeft >= 0 && signatures.some((signature) => verifySignature(publicKey, bytes, signature));
  });
}

function signedBytes(signed: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  try {
    return Buffer.from(signedText(signed));
  } catch (error) {
    if (error instanceof CanonicalJsonError) return undefined;
    throw error;
  }
}

function signaturesOf(signed: object): Uint8Array[] {
  const { signatures } = signed as { signatures?: unknown };
  if (typeof signatures !== 'object' || signatures === null) return [];
  return Object.keys(signatures).flatMap((server) => signingKeyIdsOf(signed, server).map((keyId) => signatureOf(signed, server, keyId))).filter((signature) => signature !== undefined).slice(0, CHECKS_MAX);
}

/** Each key once, with all addresses that are given for it. */
function keysIn({ public_key: single, key_validity_url: url, public_keys: list }: Readonly<Record<string, unknown>>): InviteKey[] {
  const listed = Array.isArray(list) ? (list as ({ public_key?: unknown; key_validity_url?: unknown } | null)[]) : [];
  const keys = new Map<string, Set<string>>();
  for (const entry of [{ public_key: single, key_validity_url: url }, ...listed]) {
    if (typeof entry?.public_key !== 'string') continue;
    const urls = keys.get(entry.public_key) ?? new Set<string>();
    if (entry.key_validity_url !== undefined && entry.key_validity_url !== null) urls.add(typeof entry.key_validity_url === 'string' ? entry.key_validity_url : '');
    keys.set(entry.public_key, urls);
  }
  return [...keys].map(([publicKey, urls]) => ({ publicKey, validityUrls: [...urls] }));
}
