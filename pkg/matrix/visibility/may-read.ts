/** History visibility (spec: client-server, "Room History Visibility"): whether a user may read an event. */

export type HistoryVisibility = 'world_readable' | 'shared' | 'invited' | 'joined';

export interface ReadQuestion {
  /** `history_visibility` of the room before the event; unknown and missing values mean `shared`. */
  readonly historyVisibility: string | undefined;
  /** The user's membership before the event; undefined: never in the room. */
  readonly membershipAtEvent: string | undefined;
  /** The user's membership now. Optional; `join` says as much as `joinedSince`. */
  readonly membershipNow?: string | undefined;
  /** Whether the user joined at any point after the event, also when they have left again. */
  readonly joinedSince?: boolean;
  /** Only for `m.room.history_visibility` events: the value that the event sets. */
  readonly historyVisibilityAfter?: string | undefined;
  /** Only for the user's own `m.room.member` events: the membership that the event sets. */
  readonly membershipAfter?: string | undefined;
}

/** Whether the user may read the event. Independent of it: users may read what they could before they left, and nothing that was sent after they left. */
export function mayRead(question: ReadQuestion): boolean {
  const { historyVisibility, membershipAtEvent } = question;
  const joinedSince = question.joinedSince === true || question.membershipNow === 'join';
  const visibilities = 'historyVisibilityAfter' in question ? [historyVisibility, question.historyVisibilityAfter] : [historyVisibility];
  const memberships = 'membershipAfter' in question ? [membershipAtEvent, question.membershipAfter] : [membershipAtEvent];
  return visibilities.some((visibility) => memberships.some((membership) => allows(knownVisibility(visibility), membership, joinedSince)));
}

/** The visibility that a value of `history_visibility` means. */
export function knownVisibility(value: unknown): HistoryVisibility {
  return value === 'world_readable' || value === 'invited' || value === 'joined' ? value : 'shared';
}

/** The spec's five rules. */
function allows(visibility: HistoryVisibility, membership: string | undefined, joinedSince: boolean): boolean {
  if (visibility === 'world_readable') return true; // 1.
  if (membership === 'join') return true; // 2.
  if (visibility === 'shared' && joinedSince) return true; // 3.
  if (membership === 'invite' && visibility === 'invited') return true; // 4.
  return false; // 5.
}
