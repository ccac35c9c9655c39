/** What all objects of end-to-end encryption have in common (Client-Server API, "End-to-End Encryption"): keys by `<algorithm>:<name>`, and signatures of users. */
import { decodeBase64 } from '../canonical-json/base64.ts';
import { PUBLIC_KEY_BYTES } from '../signing/signing-key.ts';
import { verifyJson } from '../signing/sign-json.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export const KEY_NAME_LENGTH_MAX = 255;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key ID taken apart; undefined when it has not the form `<algorithm>:<name>`. */
export function splitKeyId(keyId: string): { readonly algorithm: string; readonly name: string } | undefined {
  const colon = keyId.indexOf(':');
  if (colon <= 0 || colon === keyId.length - 1 || keyId.length > KEY_NAME_LENGTH_MAX || keyId.includes('\0')) return undefined;
  return { algorithm: keyId.slice(0, colon), name: keyId.slice(colon + 1) };
}

/** User ID to key ID to signature. */
export function isSignatures(value: unknown): value is Readonly<Record<string, Readonly<Record<string, string>>>> {
  return isObject(value) && Object.values(value).every((ofUser) => isObject(ofUser) && Object.values(ofUser).every((signature) => typeof signature === 'string'));
}

/** The 32 bytes of an ed25519 key in base64; undefined for what is none. */
export function publicKeyOf(text: unknown): Uint8Array | undefined {
  const bytes = typeof text === 'string' ? decodeBase64(text) : undefined;
  return bytes?.length === PUBLIC_KEY_BYTES ? bytes : undefined;
}

/** Whether `object` is signed by the user under `ed25519:<name>`, the key being `publicKey` in base64. */
export function isSignedBy(object: object, signer: { readonly userId: string; readonly name: string; readonly publicKey: unknown }): boolean {
  const key = publicKeyOf(signer.publicKey);
  return key !== undefined && verifyJson(object, signer.userId, `ed25519:${signer.name}`, key);
}

/** Without what others add to it: the part that is signed. */
export function signedPart(object: JsonObject): JsonObject {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object;
  return rest;
}

/** With the signatures added to those that it has. */
export function withSignatures(object: JsonObject, added: readonly { readonly signer: string; readonly keyId: string; readonly signature: string }[]): JsonObject {
  if (added.length === 0) return object;
  const signatures: Record<string, Record<string, unknown>> = {};
  if (isObject(object['signatures'])) for (const [userId, ofUser] of Object.entries(object['signatures'])) signatures[userId] = { ...(ofUser as Record<string, unknown>) };
  for (const { signer, keyId, signature } of added) signatures[signer] = { ...signatures[signer], [keyId]: signature };
  return { ...object, signatures };
}
