import { scrypt, verify } from 'node:crypto';
import { createSemaphore } from '../../assert/semaphore.ts';
import { PUBLIC_KEY_BYTES, publicKeyObject, SIGNATURE_BYTES } from '../../matrix/signing/signing-key.ts';
import type { Offload, SignatureCheck } from '../runtime.ts';

/** Half of the thread pool's four threads: the rest stays free for files and names. */
const AT_ONCE = 2;
/** A hash of the usual cost takes about 50 ms, so the last in line waits some 12 s. */
const WAITING_MAX = 500;

/** CPU work on the thread pool. Rejects with `Overloaded` when hundreds are waiting. */
export function createOffload(): Offload {
  const hashing = createSemaphore({ name: 'password hashing', permits: AT_ONCE, waitingMax: WAITING_MAX });
  return {
    verifySignatures: (checks) => Promise.all(checks.map(verifySignature)),
    scrypt: (password, salt, cost) => hashing.run(() => new Promise((resolve, reject) => {
      // scrypt needs 128 * n * r bytes and a little more; Node refuses above `maxmem`.
      const maxmem = 128 * cost.n * cost.r + 128 * cost.r * cost.p + 1024 * 1024;
      scrypt(password, salt, cost.keyLength, { N: cost.n, r: cost.r, p: cost.p, maxmem }, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    })),
  };
}

function verifySignature({ publicKey, bytes, signature }: SignatureCheck): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    verify(null, bytes, publicKeyObject(publicKey), signature, (error, isRight) => {
      if (error === null) resolve(isRight);
      else reject(error);
    });
  });
}
