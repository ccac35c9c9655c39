/** Keys of a user as they are kept. */

export interface OneTimeKey {
  readonly name: string;
  readonly deviceId: string;
  readonly algorithm: string;
  readonly keyId: string;
  /** JSON value. */
  readonly key: string;
  readonly position: number;
  readonly isClaimed: boolean;
}

export interface FallbackKey {
  readonly deviceId: string;
  readonly algorithm: string;
  readonly keyId: string;
  readonly key: string;
  readonly isUsed: boolean;
}

export interface KeyCounts {
  readonly counts: Readonly<Record<string, number>>;
  readonly unusedFallbacks: readonly string[];
}

export interface KeySignature {
  readonly targetUser: string;
  readonly targetKey: string;
  readonly signingKey: string;
  readonly signature: string;
}
