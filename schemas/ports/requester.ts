/** Who makes a client request. */
export interface Requester {
  readonly userId: string;
  /** Empty: an application service that acts as the user on no device. */
  readonly deviceId: string;
  readonly isGuest: boolean;
  /** An administrator of this server. */
  readonly isAdmin: boolean;
  /** May do nothing but log out. */
  readonly isLocked?: boolean;
  /** May read, and little else. */
  readonly isSuspended?: boolean;
  /** JSON object: policy ID to the version that the user has accepted; empty: none. undefined: an application service, which no terms bind. */
  readonly acceptedTerms?: string;
  /** Of an access token that expires: when (wall-clock ms), and whether it came of a refresh and this is its first use. */
  readonly token?: { readonly expiresMs: number; readonly isNew: boolean };
  /** An application service that acts as the user. */
  readonly isAppservice?: boolean;
  /** Rate limits do not count for it: an application service whose registration says so. */
  readonly isRateExempt?: boolean;
}
