/** The kinds of hostile servers, and what their process (`hostile-peers.ts`) is told and tells. */
export const KINDS = ['drip', 'silent', 'mute', 'refuse', 'garbage', 'huge', 'bloated', 'redirect', 'deep', 'liar', 'flood'] as const;
export type Kind = (typeof KINDS)[number];
/** What `attack` can be limited to: `stranger` asks in the names of servers that never answer. */
export type Harm = Kind | 'stranger';

export interface HostileSettings {
  readonly cert: string;
  readonly key: string;
  readonly authority: string;
  readonly target: string;
  /** Whom the flood invites. */
  readonly victim: string;
  readonly invites: number;
}

export interface AttackCounts {
  readonly invites: Record<string, number>;
  readonly lies: number;
  readonly gaps: number;
  readonly strangers: number;
}
