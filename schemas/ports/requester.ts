/** Who makes a client request. */
export interface Requester {
  readonly userId: string;
  /** Empty: an application service that acts as the user on no device. */
  readonly deviceId: string;
  readonly isGuest: boolean;
  /** An administrator of this server. */
  readonly isAdmin: boolean;
  /** Rate limits do not count for it: an application service whose registration says so. */
  readonly isRateExempt?: boolean;
}
