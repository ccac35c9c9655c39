/** Signatures in JSON objects (spec: appendices, "Signing Details" and "Checking for a Signature"). */
import { decodeBase64, encodeBase64 } from '../canonical-json/base64.ts';
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import { verifySignature } from './signing-key.ts';
import type { SigningKey } from './signing-key.ts';

/** server name → key ID → unpadded base64. */
export type Signatures = Record<string, Record<string, string>>;

/** What a signature of `object` covers: canonical JSON of everything but `signatures` and `unsigned`. Throws `CanonicalJsonError`. */
export function signedText(object: Readonly<Record<string, unknown>>): string {
  const { signatures: _signatures, unsigned: _unsigned, ...signed } = object;
  return canonicalJson(signed);
}

/**
 * A copy of `object` with the signature of `serverName` by `key` added to those it has; `unsigned` stays as it is. Throws `CanonicalJsonError`.
 */
export function signJson<T extends object>(object: T, serverName: string, key: SigningKey): T & { signatures: Signatures } {
  const signature = encodeBase64(key.sign(Buffer.from(signedText(object as Record<string, unknown>))));
  const before = (object as { signatures?: Signatures }).signatures ?? {};
  return { ...object, signatures: { ...before, [serverName]: { ...before[serverName], [key.keyId]: signature } } };
}

/** Whether `object` carries a valid signature of `serverName` under `keyId`, which is the 32-byte `publicKey`. Never throws. */
export function verifyJson(object: object, serverName: string, keyId: string, publicKey: Uint8Array): boolean {
  const signature = signatureOf(object, serverName, keyId);
  if (signature === undefined) return false;
  let text: string;
  try {
    text = signedText(object as Record<string, unknown>);
  } catch {
    return false;
  }
  return verifySignature(publicKey, Buffer.from(text), signature);
}

/** The decoded signature of `serverName` under `keyId`; undefined when there is none or when it is not base64. */
export function signatureOf(object: object, serverName: string, keyId: string): Uint8Array | undefined {
  const signatures = ownValue((object as { signatures?: unknown }).signatures, serverName);
  const encoded = ownValue(signatures, keyId);
  return typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
}

/** Key IDs of the algorithms this server understands under which `serverName` has signed `object`; the signatures are not checked. */
export function signingKeyIdsOf(object: object, serverName: string): string[] {
  const signatures = ownValue((object as { signatures?: unknown }).signatures, serverName);
  if (typeof signatures !== 'object' || signatures === null) return [];
  return Object.keys(signatures).filter((keyId) => keyId.startsWith('ed25519:'));
}

function ownValue(object: unknown, key: string): unknown {
  if (typeof object !== 'object' || object === null || !Object.hasOwn(object, key)) return undefined;
  return (object as Record<string, unknown>)[key];
}
