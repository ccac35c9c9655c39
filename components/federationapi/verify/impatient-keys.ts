/** For those who would rather go on without a key than wait for a server that may be away. */
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { KeyRing } from '../fetch/key-ring.ts';
import { within } from '../needs/within.ts';

class NoLonger extends Error {
  override readonly name = 'NoLonger';
}

/** The key ring, but after `waitMs` it gives what it has. What it has asked for goes on, and whoever asks later finds it. */
export function impatientKeys(keyRing: Pick<KeyRing, 'keys' | 'known'>, clock: Clock, waitMs: number): Pick<KeyRing, 'keys'> {
  const never = new AbortController().signal;
  const late = () => new NoLonger('the keys take too long');
  return {
    async keys(wanted, how) {
      try {
        return await within(clock, { ms: waitMs, signal: never, late, cancelled: late }, keyRing.keys(wanted, how));
      } catch (error) {
        if (!(error instanceof NoLonger)) throw error;
        return keyRing.known(wanted.map(({ serverName }) => serverName));
      }
    },
  };
}
