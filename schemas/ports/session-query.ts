/** Read-only questions about sessions to the userapi's tables, and what the use of an access token brings about. */
import type { Requester } from './requester.ts';

export interface StoredDevice {
  readonly deviceId: string;
  /** Empty: none. */
  readonly displayName: string;
  /** Wall-clock ms, some minutes late; 0: not known. */
  readonly seenMs: number;
  /** Empty: not known. */
  readonly seenIp: string;
}

export interface SessionQuery {
  /** All devices of the user that are there, by ID. */
  devices(userId: string): Promise<StoredDevice[]>;
  device(userId: string, deviceId: string): Promise<StoredDevice | undefined>;
  /** Whose session the refresh tokens with this in common are of; undefined when there is none (any more). */
  sessionOfFamily(familyHash: Uint8Array): Promise<{ readonly userId: string; readonly deviceId: string } | undefined>;
  /** Whom a token was issued to that is good for a short while; purpose: `login` or `openid`. Those whose time is over may be among them; none of deactivated accounts. */
  issuedToken(purpose: string, tokenHash: Uint8Array): Promise<{ readonly userId: string; readonly expiresMs: number } | undefined>;
  /** What is done of a session of user-interactive authentication; undefined: nothing yet. */
  uiaSession(session: string): Promise<{ readonly stages: readonly string[]; readonly isUsedUp: boolean } | undefined>;
}

/** Told of each use of an access token. */
export interface TokenUse {
  /** Resolves when whoever has to know does; undefined when nobody has to. Throws 401 M_UNKNOWN_TOKEN with `soft_logout` for a token that has expired. */
  note(requester: Requester, use: { readonly tokenHash: Uint8Array; readonly address: string | undefined }): Promise<void> | undefined;
}
