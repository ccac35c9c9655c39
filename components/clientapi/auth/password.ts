/** Passwords as scrypt hashes in PHC strings: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`. They are computed off the event loop. */
import { timingSafeEqual } from 'node:crypto';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';

export const PASSWORD_LENGTH_MIN = 8;
/** Characters; bounds the work and the body. */
export const PASSWORD_LENGTH_MAX = 512;

/** About 50 ms and 32 MiB each on the machines that this was measured on. */
const COST = { ln: 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;

export interface Passwords {
  /** PHC string with a fresh salt. Rejects with `Overloaded` when too many wait. */
  hash(password: string): Promise<string>;
  /** Whether the password fits. With `stored` undefined (no such user) always false, after the same work. Rejects like `hash`. */
  verify(password: string, stored: string | undefined): Promise<boolean>;
}

interface Parsed {
  readonly cost: { ln: number; r: number; p: number };
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

export function createPasswords(runtime: Pick<Runtime, 'offload' | 'random'>): Passwords {
  const derive = (password: string, { cost, salt, keyLength }: { cost: Parsed['cost']; salt: Uint8Array; keyLength: number }) =>
    runtime.offload.scrypt(password.normalize('NFKC'), salt, { n: 2 ** cost.ln, r: cost.r, p: cost.p, keyLength });

  return {
    async hash(password) {
      const salt = runtime.random.bytes(SALT_BYTES);
      const key = await derive(password, { cost: COST, salt, keyLength: KEY_BYTES });
      return formatPhc({ cost: COST, salt, key });
    },
    async verify(password, stored) {
      const parsed = stored === undefined ? undefined : parsePhc(stored);
      const { cost, salt, key } = parsed ?? { cost: COST, salt: new Uint8Array(SALT_BYTES), key: new Uint8Array(KEY_BYTES) };
      const derived = await derive(password, { cost, salt, keyLength: key.length });
      return timingSafeEqual(derived, key) && parsed !== undefined;
    },
  };
}

/** Why a new password is refused, as one sentence; undefined when it is good enough. */
export function passwordProblem(password: string): string | undefined {
  if (password.length < PASSWORD_LENGTH_MIN) return `A password needs at least ${PASSWORD_LENGTH_MIN} characters`;
  if (password.length > PASSWORD_LENGTH_MAX) return `A password has at most ${PASSWORD_LENGTH_MAX} characters`;
  return undefined;
}

export function formatPhc({ cost, salt, key }: Parsed): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(key)}`;
}

const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,128})\$([A-Za-z0-9+/]{22,128})$/;

/** undefined for what is no scrypt PHC string, or asks for more than 2^20 rounds. */
export function parsePhc(stored: string): Parsed | undefined {
  const match = PHC.exec(stored);
  if (match === null || Number(match[1]) > 20) return undefined;
  const cost = { ln: Number(match[1]), r: Number(match[2]), p: Number(match[3]) };
  return { cost, salt: Buffer.from(match[4]!, 'base64'), key: Buffer.from(match[5]!, 'base64') };
}
