/** Read-only questions to the userapi's tables; fulfilled by `components/userapi/query` over the shared database. */
import type { Appservices } from './appservices.ts';
import type { DehydratedDeviceQuery } from './dehydrated-device-query.ts';
import type { KeyQuery } from './key-query.ts';
import type { Requester } from './requester.ts';
import type { SessionQuery, TokenUse } from './session-query.ts';
import type { KeyBackupQuery } from './key-backup-query.ts';
import type { ToDeviceQuery } from './to-device-query.ts';

export type { Requester } from './requester.ts';

export interface Account {
  readonly isGuest: boolean;
  readonly isAdmin: boolean;
  readonly isDeactivated: boolean;
  readonly isLocked: boolean;
  readonly isSuspended: boolean;
}

/** An account as administrators see it. */
export interface AccountDetails extends Account {
  readonly userId: string;
  readonly isErased: boolean;
  /** Deactivated, and in no room any more. */
  readonly hasLeftRooms: boolean;
  readonly createdAtMs: number;
  /** JSON object: policy ID to accepted version; empty: none. */
  readonly acceptedTerms: string;
}

export interface AccountsWish {
  /** Part of the user ID; empty: all. */
  readonly search: string;
  /** Those whose IDs sort after this one; empty: from the beginning. */
  readonly after: string;
  readonly limit: number;
}

export interface RegistrationToken {
  readonly token: string;
  /** 0: any number. */
  readonly usesAllowed: number;
  readonly completed: number;
  /** Accounts that are being made by it just now. */
  readonly pending: number;
  /** Wall-clock ms; 0: never. */
  readonly expiresMs: number;
  readonly createdAtMs: number;
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

export interface UserQuery extends KeyQuery, SessionQuery, DehydratedDeviceQuery, ToDeviceQuery, KeyBackupQuery {
  /** Who holds the access token with this SHA-256; undefined when nobody does (any more). */
  requesterByToken(tokenHash: Uint8Array): Promise<Requester | undefined>;
  /** The application services that the operator has registered; absent where nobody asks. They come from the settings and not from tables. */
  readonly appservices?: Appservices;
  /** Absent where tokens do not expire. */
  readonly tokenUse?: TokenUse;
  account(userId: string): Promise<Account | undefined>;
  accountDetails(userId: string): Promise<AccountDetails | undefined>;
  /** The devices that the user has now, with when and from where each was seen last (ms; 0 and empty: not known). */
  devicesSeen(userId: string): Promise<{ readonly deviceId: string; readonly seenAtMs: number; readonly seenIp: string }[]>;
  /** In the order of their IDs. */
  listAccounts(wish: AccountsWish): Promise<AccountDetails[]>;
  /** Those of the users that had their account erased. */
  erasedAmong(userIds: readonly string[]): Promise<Set<string>>;
  /** Those of the users that have guests' accounts. */
  guestsAmong(userIds: readonly string[]): Promise<Set<string>>;
  /** Whether an account may be made by the token now, which the operator has given out (`RegistrationToken`). */
  isRegistrationTokenValid(token: string, nowMs: number): Promise<boolean>;
  /** The token of which a use is set aside for this account or session (`UseRegistrationToken.user_id`). */
  reservedRegistrationToken(userId: string): Promise<string | undefined>;
  /** All of them, by name. */
  registrationTokens(nowMs: number): Promise<RegistrationToken[]>;
  hasDevice(userId: string, deviceId: string): Promise<boolean>;
  loginSecret(userId: string): Promise<LoginSecret | undefined>;
  userExists(userId: string): Promise<boolean>;
  /** The text that the user has set beside their presence; empty: none. */
  presenceStatus(userId: string): Promise<string>;
  /** All profile fields as JSON values; undefined when there is no such user. */
  profile(userId: string): Promise<Record<string, unknown> | undefined>;
  /** Content of global (`roomId` empty) or room account data as JSON text. */
  accountData(userId: string, roomId: string, type: string): Promise<string | undefined>;
  /** The room in which the server speaks to the user; undefined: there is none yet. */
  noticeRoom(userId: string): Promise<string | undefined>;
  filter(userId: string, filterId: string): Promise<StoredFilter | undefined>;
}
