/**
 * Nonces of the shared-secret registration, without state that instances would have to share: a nonce carries its end and a signature, so any instance can take what another
 * gave out. What was used is remembered here, for as long as it would be good; a second use on another instance asks for the same account again, which is then taken.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';

export const NONCE_MS = 60_000;
/** Only who knows the secret uses any; the oldest is forgotten first. */
export const USED_NONCES_MAX = 10_000;
const NONCE = /^(\d{1,15})\.([A-Za-z0-9]{16})\.([A-Za-z0-9_-]{43})$/;

export interface Nonces {
  fresh(): string;
  /** Whether it was given out by this server, is not too old and, as far as is known, was not used. */
  isGood(nonce: string): boolean;
  /** From now on it is not good any more. */
  use(nonce: string): void;
}

export function createNonces({ clock, random }: Pick<Runtime, 'clock' | 'random'>, signingKey: SigningKey): Nonces {
  // Equal on all instances, and of no use for anything else.
  const secret = signingKey.sign(Buffer.from('myelin nonces of the shared-secret registration, version 1'));
  const macOf = (payload: string) => createHmac('sha256', secret).update(payload).digest();
  /** In the order of use. */
  const used = new Set<string>();

  return {
    fresh() {
      const payload = `${clock.now() + NONCE_MS}.${random.token(16)}`;
      return `${payload}.${macOf(payload).toString('base64url')}`;
    },
    isGood(nonce) {
      const [, expiresMs = '', token = '', mac = ''] = NONCE.exec(nonce) ?? [];
      if (mac === '' || Number(expiresMs) <= clock.now() || used.has(nonce)) return false;
      const given = Buffer.from(mac, 'base64url');
      const expected = macOf(`${expiresMs}.${token}`);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
    use(nonce) {
      used.add(nonce);
      for (const old of used) {
        const isOver = Number(old.split('.')[0]) <= clock.now();
        if (!isOver && used.size <= USED_NONCES_MAX) break;
        used.delete(old);
      }
    },
  };
}
