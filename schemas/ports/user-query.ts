/** Read-only questions to the userapi's tables; fulfilled by `components/userapi/query` over the shared database. */
import type { Appservices } from './appservices.ts';
import type { Requester } from './requester.ts';

export type { Requester } from './requester.ts';

export interface Account {
  readonly isGuest: boolean;
  readonly isAdmin: boolean;
  readonly isDeactivated: boolean;
}

export interface LoginSecret {
  readonly userId: string;
  /** scrypt as a PHC string. */
  readonly passwordHash: string;
  readonly deactivated: boolean;
}

export interface StoredFilter {
  readonly filterId: string;
  /** JSON object. */
  readonly definition: Uint8Array;
}

export interface UserQuery {
  /** Who holds the access token with this SHA-256; undefined when nobody does (any more). */
  requesterByToken(tokenHash: Uint8Array): Promise<Requester | undefined>;
  /** The application services that the operator has registered; absent where nobody asks. They come from the settings and not from tables. */
  readonly appservices?: Appservices;
  account(userId: string): Promise<Account | undefined>;
  hasDevice(userId: string, deviceId: string): Promise<boolean>;
  loginSecret(userId: string): Promise<LoginSecret | undefined>;
  userExists(userId: string): Promise<boolean>;
  /** All profile fields as JSON values; undefined when there is no such user. */
  profile(userId: string): Promise<Record<string, unknown> | undefined>;
  /** Content of global (`roomId` empty) or room account data as JSON text. */
  accountData(userId: string, roomId: string, type: string): Promise<string | undefined>;
  filter(userId: string, filterId: string): Promise<StoredFilter | undefined>;
}
