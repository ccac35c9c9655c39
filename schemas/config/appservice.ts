/** An application service as its registration file has it (Application Service API, "Registration"). */
export interface AppserviceRegistration {
  readonly id: string;
  /** Without a slash at the end; null: nothing is sent to it. */
  readonly url: string | null;
  /** What it shows to us. */
  readonly asToken: string;
  /** What we show to it. */
  readonly hsToken: string;
  readonly senderLocalpart: string;
  readonly namespaces: Readonly<Record<'users' | 'aliases' | 'rooms', readonly AppserviceNamespace[]>>;
  /** Of the users it acts as; its sender is never limited. */
  readonly isRateLimited: boolean;
  readonly protocols: readonly string[];
  readonly receivesEphemeral: boolean;
}

export interface AppserviceNamespace {
  /** A regular expression that an ID of the namespace matches from its first character on. */
  readonly regex: string;
  /** Nobody else may make what is in it. */
  readonly isExclusive: boolean;
}
