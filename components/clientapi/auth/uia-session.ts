/**
 * What a session of user-interactive authentication is about, sealed in its ID: nothing is kept for clients that never return, and any instance can go on with what another has begun. The ID
 * stays the same from the first answer to the last. What is completed meanwhile is kept by the userapi, under the session's name.
 *
 * The first request's parameters are in it too, so that a client may send `auth` alone afterwards (Client-Server API, "Fallback"). They can hold a password: so all is encrypted (AES-256-GCM)
 * with a key that only the instances of this server can make.
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';

export const UIA_SESSION_MS = 15 * 60_000;
/** The ID travels in URLs: longer parameters are not kept, their client sends them again. */
const PARAMETERS_BYTES_MAX = 1500;
const SESSION_LENGTH_MAX = 6000;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const NAME_LENGTH = 24;

/** One stage after the other. */
export type Flow = readonly string[];

export interface UiaSession {
  /** Unique. */
  readonly name: string;
  /** Method and path of the request. */
  readonly operation: string;
  /** Who asks; empty: somebody without an account. */
  readonly userId: string;
  /** Wall-clock ms. */
  readonly expiresMs: number;
  readonly flows: readonly Flow[];
  /** Of the first request, without `auth`; absent when they are too long. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

export interface UiaSessions {
  /** A new session, and its ID. */
  begin(about: Pick<UiaSession, 'operation' | 'userId' | 'flows' | 'parameters'>): { readonly id: string; readonly session: UiaSession };
  /** undefined when this server did not make it, or its time is over. */
  open(id: string): UiaSession | undefined;
}

export function createUiaSessions({ clock, random }: Pick<Runtime, 'clock' | 'random'>, signingKey: SigningKey): UiaSessions {
  // Equal on all instances, and of no use to anyone who sees signatures of the server: nothing else is ever signed over this text.
  const key = createHash('sha256').update(signingKey.sign(Buffer.from('myelin user-interactive authentication sessions, version 2'))).digest();

  return {
    begin({ parameters, ...about }) {
      const kept = parameters !== undefined && Buffer.byteLength(JSON.stringify(parameters)) <= PARAMETERS_BYTES_MAX ? { parameters } : {};
      const session: UiaSession = { name: random.token(NAME_LENGTH), expiresMs: clock.now() + UIA_SESSION_MS, ...about, ...kept };
      const iv = random.bytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      const sealed = Buffer.concat([iv, cipher.update(JSON.stringify(session), 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return { id: sealed.toString('base64url'), session };
    },
    open(id) {
      const sealed = Buffer.from(id.slice(0, SESSION_LENGTH_MAX), 'base64url');
      if (sealed.length <= IV_BYTES + TAG_BYTES) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
      let text: string;
      try {
        text = decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      } catch {
        return undefined;
      }
      const session = JSON.parse(text) as UiaSession;
      return session.expiresMs > clock.now() ? session : undefined;
    },
  };
}
