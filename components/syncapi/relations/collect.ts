/** Pages out of a source of timeline rows in order, of what their reader may see. */
import type { SeenRow, TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { isIgnored, type IgnoredUsers } from '../visibility/ignored-users.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible, type MembershipInterval } from '../visibility/visibility.ts';

export interface CollectQuestion {
  readonly userId: string;
  /** All that the user ever was in the room, in order. */
  readonly intervals: readonly MembershipInterval[];
  readonly ignored: IgnoredUsers;
  readonly backwards: boolean;
  /** Page boundary to go from. */
  readonly from: number;
  /** Boundary to stop at. */
  readonly to: number | undefined;
  readonly limit: number;
}

/** Some of the rows that lie beyond a boundary, the nearest first, and up to where these are all; `upTo` undefined: there are no others. */
export type Source = (boundary: number) => Promise<{ rows: readonly TimelineRow[]; upTo: number | undefined }>;

/** How often one page asks its source, at most, when little may be shown. */
const READS_MAX = 10;

/** `next`: boundary to go on from; undefined: nothing lies beyond. */
export async function collect(deps: Pick<ReadDeps, 'roomHistoryQuery'>, question: CollectQuestion, source: Source): Promise<{ rows: SeenRow[]; next: number | undefined }> {
  const rows: SeenRow[] = [];
  let at = question.from;
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    const found = await source(at);
    for (const row of await withMembershipBefore(deps.roomHistoryQuery, found.rows, question.userId)) {
      if (isPast(question, row.order_key)) return { rows, next: undefined };
      if (rows.length >= question.limit) return { rows, next: at };
      at = boundaryBehind(question, row.order_key);
      if (!isIgnored(row, question.ignored) && isVisible(row, question.userId, question.intervals)) rows.push(row);
    }
    if (found.upTo === undefined) return { rows, next: undefined };
    at = found.upTo;
  }
  return { rows, next: at };
}

/** The boundary from which what follows the event with this order key is read. */
export function boundaryBehind({ backwards }: Pick<CollectQuestion, 'backwards'>, orderKey: number): number {
  return backwards ? orderKey - 1 : orderKey;
}

function isPast({ backwards, to }: CollectQuestion, orderKey: number): boolean {
  if (to === undefined) return false;
  return backwards ? orderKey <= to : orderKey > to;
}
