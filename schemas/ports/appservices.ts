/** Questions about the application services that the operator has registered. */
import type { Requester } from './requester.ts';

export interface Appservice {
  readonly id: string;
  /** User ID made of its sender_localpart. */
  readonly sender: string;
  readonly isRateLimited: boolean;
}

export interface Appservices {
  /** Whether there are any. */
  readonly isEmpty: boolean;
  /** The one whose as_token this is. */
  byToken(token: string): Appservice | undefined;
  /** Whether the user is its sender, or in its namespace of users and not in an exclusive one of another service. */
  mayBe(appservice: Appservice, userId: string): boolean;
  /** Whether the room alias is in its namespace of aliases and not in an exclusive one of another service. */
  mayHaveAlias(appservice: Appservice, alias: string): boolean;
  /** Whether only an application service may make this room alias. */
  isExclusiveAlias(alias: string): boolean;
  /** Whether only an application service may make this user. */
  isExclusive(userId: string): boolean;
  /**
   * Whom it acts as: `userId` (undefined: its sender), on `deviceId` (undefined: on none). Rejects with 403 M_FORBIDDEN when it may not or there is no such user, 400
   * M_UNKNOWN_DEVICE when the user has no such device. Application Service API, "Identity assertion".
   */
  requester(appservice: Appservice, as: { readonly userId: string | undefined; readonly deviceId: string | undefined }): Promise<Requester>;
}
