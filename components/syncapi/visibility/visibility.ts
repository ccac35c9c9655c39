/** Who may see an event, asked of rows (Client-Server API, "Room History Visibility"; the rules are in pkg/matrix/visibility). */
import { mayRead } from '../../../pkg/matrix/visibility/may-read.ts';

export interface MembershipInterval {
  readonly membership: string;
  readonly from_sequence: number;
  readonly to_sequence: number;
}

export interface VisibilityFacts {
  readonly type: string;
  readonly state_key: string | null;
  readonly order_key: number;
  readonly sequence: number;
  readonly history_visibility: string;
  readonly visibility_before: string;
  /** Of history: see `TimelineRow`. */
  readonly history_at?: number;
  /** What the reader was just before it, where the intervals do not tell: the event was sent into another state than theirs. */
  readonly membership_before?: string;
}

/** What the user was at `sequence`, undefined: never anything. `intervals` are in order. */
export function membershipAt(intervals: readonly MembershipInterval[], sequence: number): string | undefined {
  for (let index = intervals.length - 1; index >= 0; index--) {
    const interval = intervals[index];
    if (interval !== undefined && interval.from_sequence <= sequence) return sequence < interval.to_sequence ? interval.membership : undefined;
  }
  return undefined;
}

/** What the reader was in the room when the event was sent: before it, and for the reader's own member events after it. */
export function membershipAtEvent(event: VisibilityFacts, userId: string, intervals: readonly MembershipInterval[]): string | undefined {
  if (isOwnMembership(event, userId)) return membershipAt(intervals, event.sequence);
  return event.membership_before ?? membershipAt(intervals, sequenceBefore(event));
}

/** Whether the user may see the event. `intervals`: all that the user ever was in the room, in order. */
export function isVisible(event: VisibilityFacts, userId: string, intervals: readonly MembershipInterval[]): boolean {
  // A user always learns what became of their own membership: also a ban of somebody who was not in the room.
  if (isOwnMembership(event, userId)) return true;
  const before = sequenceBefore(event);
  // Who was not in the room at an event that came late, but was when it came, has joined since.
  const isElsewhere = event.membership_before !== undefined;
  return mayRead({
    historyVisibility: event.history_visibility,
    membershipAtEvent: event.membership_before ?? membershipAt(intervals, before),
    joinedSince: intervals.some((interval) => interval.membership === 'join' && (isElsewhere ? interval.to_sequence : interval.from_sequence) > before),
    ...(event.visibility_before === '' ? {} : { historyVisibilityAfter: event.visibility_before }),
  });
}

export function isOwnMembership(event: Pick<VisibilityFacts, 'type' | 'state_key'>, userId: string): boolean {
  return event.type === 'm.room.member' && event.state_key === userId;
}

/** History from before the server took part comes late in the log, but lies before the event that it was found under. */
function sequenceBefore(event: VisibilityFacts): number {
  return event.order_key > 0 ? event.sequence - 1 : Math.max(0, (event.history_at ?? 0) - 1);
}
