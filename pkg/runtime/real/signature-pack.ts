/** Checks of signatures as one piece of memory, which threads hand to each other without copying: for each the key, the signature, the length of what is signed, and that. */
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../../matrix/signing/signing-key.ts';
import type { SignatureCheck } from '../runtime.ts';

const LENGTH_BYTES = 4;
const HEAD_BYTES = PUBLIC_KEY_BYTES + SIGNATURE_BYTES + LENGTH_BYTES;

/** Keys and signatures must have their right lengths. */
export function packChecks(checks: readonly SignatureCheck[]): ArrayBuffer {
  const packed = new Uint8Array(checks.reduce((sum, { bytes }) => sum + HEAD_BYTES + bytes.byteLength, 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const { publicKey, signature, bytes } of checks) {
    packed.set(publicKey, at);
    packed.set(signature, at + PUBLIC_KEY_BYTES);
    view.setUint32(at + PUBLIC_KEY_BYTES + SIGNATURE_BYTES, bytes.byteLength);
    packed.set(bytes, at + HEAD_BYTES);
    at += HEAD_BYTES + bytes.byteLength;
  }
  return packed.buffer;
}

export function unpackChecks(packed: ArrayBuffer): SignatureCheck[] {
  const view = new DataView(packed);
  const checks: SignatureCheck[] = [];
  for (let at = 0; at < packed.byteLength; ) {
    const length = view.getUint32(at + PUBLIC_KEY_BYTES + SIGNATURE_BYTES);
    checks.push({
      publicKey: new Uint8Array(packed, at, PUBLIC_KEY_BYTES), signature: new Uint8Array(packed, at + PUBLIC_KEY_BYTES, SIGNATURE_BYTES),
      bytes: new Uint8Array(packed, at + HEAD_BYTES, length),
    });
    at += HEAD_BYTES + length;
  }
  return checks;
}
