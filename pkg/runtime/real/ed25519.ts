/** Checks signatures with libsodium, and where its binary does not load with Node's own crypto, which takes twice as long. */
import { createRequire } from 'node:module';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verifySignature } from '../../matrix/signing/signing-key.ts';
import type { SignatureCheck } from '../runtime.ts';

type Sodium = Pick<typeof import('sodium-native'), 'crypto_sign_verify_detached'>;

/** Loaded with the first check: most servers need none for a long time. */
let loaded: { readonly sodium: Sodium | undefined } | undefined;

/** Whether the signature is right. */
export function isSignatureRight({ publicKey, bytes, signature }: SignatureCheck): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  loaded ??= { sodium: loadSodium() };
  const { sodium } = loaded;
  return sodium === undefined ? verifySignature(publicKey, bytes, signature) : sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(bytes), asBuffer(publicKey));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function loadSodium(): Sodium | undefined {
  try {
    return createRequire(import.meta.url)('sodium-native') as Sodium;
  } catch {
    return undefined;
  }
}
