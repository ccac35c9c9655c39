/** What processes tell each other of presence, by signals (`pkg/log/presence-signals.ts`): soft, may be lost, never stored. */

export type PresenceKind = 'online' | 'unavailable' | 'offline';

/** What others see of a user. */
export interface PresenceState {
  readonly kind: PresenceKind;
  /** Wall-clock ms; 0: not known. */
  readonly lastActiveMs: number;
  /** Readers need no further news of `lastActiveMs` as long as this stands. */
  readonly isActive: boolean;
  /** Empty: none. */
  readonly statusMsg: string;
}

/** The owner of a partition of users tells what has changed, with the places of the changes: (epoch of its lease, counter). */
export interface PresenceTold {
  readonly partition: number;
  readonly epoch: number;
  /** Place of the newest change of the partition. */
  readonly counter: number;
  /** Where the partition was before; -1: these are not all changes since some place. */
  readonly after: number;
  readonly users: readonly (PresenceState & { readonly userId: string; readonly counter: number })[];
  /** Part of a list of all who are not offline. `last`: everybody of the partition who was in none of its parts, `users` in all, is offline. */
  readonly list?: { readonly id: string; readonly users: number; readonly last: boolean };
}

/** What the owners hear: of users who are here, from the processes that see them, and of users of other servers. */
export interface PresenceSeen {
  /** Names the process. What it says of a user replaces what it said before. */
  readonly from: string;
  /** `offline`: it no longer sees them. `lastActiveMs`: when the owner may have forgotten it. */
  readonly users?: readonly { readonly userId: string; readonly kind: PresenceKind; readonly lastActiveMs?: number }[];
  /** They have just done something. */
  readonly active?: readonly string[];
  readonly remote?: readonly (PresenceState & { readonly userId: string })[];
}
