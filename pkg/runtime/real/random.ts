import { randomFillSync } from 'node:crypto';
import type { Random } from '../runtime.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** The biggest multiple of 62 in a byte: bytes from here on are thrown away, so that every letter is equally likely. */
const FAIR_BYTES = 248;
const POOL_BYTES = 4096;

/** Randomness of the operating system, fetched in pools because a call costs more than the bytes. */
export function createRandom(): Random {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;

  function bytes(length: number): Uint8Array {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
    if (used + length > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const taken = pool.slice(used, used + length);
    // What was handed out may be a secret: it does not stay here.
    pool.fill(0, used, used + length);
    used += length;
    return taken;
  }

  return {
    bytes,
    float() {
      const seven = bytes(7);
      let value = (seven[0] ?? 0) & 0x1f;
      for (let i = 1; i < 7; i += 1) value = value * 256 + (seven[i] ?? 0);
      return value / 2 ** 53;
    },
    token(length) {
      let text = '';
      while (text.length < length) {
        for (const byte of bytes(Math.min(length - text.length + 8, 256))) {
          if (byte < FAIR_BYTES && text.length < length) text += ALPHABET[byte % ALPHABET.length];
        }
      }
      return text;
    },
  };
}
