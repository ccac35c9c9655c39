/** Ed25519 keys of servers: made from a seed, kept in a one-line file, used to sign and to check. Spec: appendices, "Signing JSON"; server-server, "Retrieving server keys". */
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import nacl from 'tweetnacl';
import { decodeBase64, encodeBase64 } from '../canonical-json/base64.ts';

export interface SigningKey {
  /** `ed25519:<key version>`. */
  readonly keyId: `ed25519:${string}`;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 64-byte signature of `bytes`. */
  sign(bytes: Uint8Array): Uint8Array;
}

/** The text is not a signing key file; the message says what is wrong with it and never shows the seed. */
export class SigningKeyFileError extends Error {
  override readonly name = 'SigningKeyFileError';
}

export const SEED_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** Characters of a key version (spec: server-server, "Publishing Keys"). */
const KEY_VERSION = /^[a-zA-Z0-9_]+$/;

// node:crypto wants keys in their ASN.1 wrapping (RFC 8410); for ed25519 that is a constant before the 32 bytes.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** The key pair of a 32-byte seed. `keyVersion` is what follows `ed25519:` in the key ID. Throws `RangeError` on a seed of another length or a malformed version. */
export function signingKeyFromSeed(keyVersion: string, seed: Uint8Array): SigningKey {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a signing key seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  if (!KEY_VERSION.test(keyVersion)) throw new RangeError(`a key version consists of letters, digits and underscores: ${JSON.stringify(keyVersion)}`);
  const { publicKey } = nacl.sign.keyPair.fromSeed(Uint8Array.from(seed));
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  return {
    keyId: `ed25519:${keyVersion}`,
    publicKey,
    sign: (bytes) => sign(null, bytes, privateKey),
  };
}

/** The line that a signing key file holds, line feed included: `ed25519 <key version> <unpadded base64 of the seed>`. */
export function formatSigningKeyFile(keyVersion: string, seed: Uint8Array): string {
  signingKeyFromSeed(keyVersion, seed);
  return `ed25519 ${keyVersion} ${encodeBase64(seed)}\n`;
}

/** The key in such a file. Throws `SigningKeyFileError`. */
export function parseSigningKeyFile(text: string): SigningKey {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  if (lines.length !== 1) throw new SigningKeyFileError(`a signing key file holds one line, this one holds ${lines.length}`);
  const parts = (lines[0] as string).split(/\s+/);
  if (parts.length !== 3) throw new SigningKeyFileError('the line of a signing key file is "ed25519 <key version> <base64 seed>"');
  const [algorithm, keyVersion, encodedSeed] = parts as [string, string, string];
  if (algorithm !== 'ed25519') throw new SigningKeyFileError("the signing key's algorithm must be ed25519");
  if (!KEY_VERSION.test(keyVersion)) throw new SigningKeyFileError('the key version may hold only letters, digits and underscores');
  const seed = decodeBase64(encodedSeed);
  if (seed?.length !== SEED_BYTES) throw new SigningKeyFileError(`the seed must be ${SEED_BYTES} bytes in base64`);
  return signingKeyFromSeed(keyVersion, seed);
}

/** Key objects of public keys seen before: making one costs as much as half a check. */
const publicKeyObjects = new Map<string, KeyObject>();
const CACHED_PUBLIC_KEYS_MAX = 4096;

/** Whether `signature` over `bytes` was made with the private key of `publicKey`. False, never an error, for keys and signatures of a wrong form. */
export function verifySignature(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return verify(null, bytes, publicKeyObject(publicKey), signature);
}

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const name = encodeBase64(publicKey);
  const known = publicKeyObjects.get(name);
  if (known !== undefined) return known;
  const made = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  if (publicKeyObjects.size >= CACHED_PUBLIC_KEYS_MAX) publicKeyObjects.clear();
  publicKeyObjects.set(name, made);
  return made;
}
