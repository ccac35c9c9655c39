/** What one answer of /sync is about: for whom, from where to where, and which rooms in which of their sections. */
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import { passesRoom, type SyncFilter } from '../filters/filter.ts';
import { isForgotten } from '../storage/memberships.ts';
import type { MembershipRow } from '../storage/rows.ts';
import type { SyncPosition } from '../token/sync-token.ts';
import { membershipAt } from '../visibility/visibility.ts';

/**
 * The field that tells the state: as it was at the start of the timeline, or (the others) as it is at its end. A client that asks by the name from before the spec
 * took `use_state_after` in looks for its answer under that name only.
 */
export type StateField = 'state' | 'state_after' | 'org.matrix.msc4222.state_after';

export interface SyncScope {
  readonly userId: string;
  readonly deviceId: string;
  /** Of the user's own records. */
  readonly partition: number;
  readonly filter: SyncFilter;
  /** What the client has; undefined: nothing (an initial sync). */
  readonly since: SyncPosition | undefined;
  /** What the answer leads to. Nothing newer is in it, whatever commits meanwhile. */
  readonly now: SyncPosition;
  /** The parameter `full_state`. */
  readonly fullState: boolean;
  readonly stateField: StateField;
  readonly nowMs: number;
  /** Messages to the device are wanted; resolves with whether those that it has are deleted. */
  readonly acknowledged?: Promise<boolean>;
}

/**
 * A room stands in one section: where a user has left and was asked in again between two syncs it is an invite (or knock), which has no timeline. What happened up to the leave, they page back to:
 * /messages answers meanwhile, and when they join or refuse, the timeline is said to have a gap (`isReturn` in streams/timeline.ts).
 */
export type Section = 'join' | 'invite' | 'knock' | 'leave';

/** A room as this answer sees it. */
export interface RoomView {
  readonly roomId: string;
  readonly partition: number;
  readonly section: Section;
  /** All that the user ever was in the room, in order. */
  readonly intervals: readonly MembershipRow[];
  /** The interval that holds at `upper`. */
  readonly current: MembershipRow;
  /** Sequence up to which the client has the timeline; 0: it has nothing. */
  readonly lower: number;
  /** Sequence that the answer goes up to. */
  readonly upper: number;
  /** The client has the state up to this sequence; 0: none of it. undefined: it may not have any (an invite that came to nothing). */
  readonly stateAfter: number | undefined;
  /** Something to say even if nothing else happened: the room is new to its section. */
  readonly entered: boolean;
  /**
   * Of a room that was left, what ended the user's last time in it: all that they are told happened before or there, but for what they are now (a ban may have followed, or have been lifted). What else
   * they may read of the time after it comes when they enter again, as that timeline begins here too. null: they never were in it. undefined: it was not left.
   */
  readonly departure?: MembershipRow | null;
}

export const SECTIONS: Readonly<Record<string, Section>> = { join: 'join', invite: 'invite', knock: 'knock', leave: 'leave', ban: 'leave' };

/** The interval that holds at the answer's position. */
export function currentInterval(scope: SyncScope, intervals: readonly MembershipRow[]): MembershipRow | undefined {
  const now = scope.now.room[intervals[0]?.partition_number ?? 0] ?? 0;
  const current = intervals.findLast((interval) => interval.from_sequence <= now);
  return current === undefined || current.to_sequence <= now ? undefined : current;
}

/** The rooms that may appear, by the user's membership at the answer's position. `outside`: rooms of which others know better. */
export function viewRooms(scope: SyncScope, memberships: ReadonlyMap<string, readonly MembershipRow[]>, outside: ReadonlySet<string>): RoomView[] {
  const views: RoomView[] = [];
  for (const [roomId, intervals] of memberships) {
    if (outside.has(roomId) || !passesRoom(scope.filter.room, roomId)) continue;
    const partition = intervals[0]?.partition_number ?? 0;
    const current = currentInterval(scope, intervals);
    if (current === undefined) continue;
    const section = SECTIONS[current.membership];
    const view = section && viewRoom(scope, { roomId, partition, section, intervals, current });
    if (view) views.push(view);
  }
  return views;
}

type KnownRoom = Pick<RoomView, 'roomId' | 'partition' | 'section' | 'intervals' | 'current'>;

function viewRoom(scope: SyncScope, room: KnownRoom): RoomView | undefined {
  const since = scope.since?.room[room.partition] ?? 0;
  const changed = room.current.from_sequence > since;
  if (room.section === 'join') return viewJoined(scope, room, since);
  if (room.section === 'leave') {
    // Later syncs show every leave once.
    const isDue = scope.since !== undefined && changed ? true : isArchiveWanted(scope);
    return isDue ? viewLeft(scope, room, since) : undefined;
  }
  const isDue = scope.since === undefined || changed || scope.fullState;
  return isDue ? { ...room, lower: since, upper: upperOf(scope, room), stateAfter: undefined, entered: true } : undefined;
}

/** Whether rooms that were left before are shown: on demand, where all is told. */
export function isArchiveWanted({ since, fullState, filter }: SyncScope): boolean {
  return (since === undefined || fullState) && filter.room.includeLeave;
}

function viewJoined(scope: SyncScope, room: KnownRoom, since: number): RoomView {
  const isInitial = scope.since === undefined;
  const entered = isInitial || room.current.from_sequence > since;
  const returnedAfter = isInitial ? 0 : seenBefore(room.intervals, since);
  return { ...room, lower: entered ? returnedAfter : since, upper: upperOf(scope, room), stateAfter: entered || scope.fullState ? 0 : since, entered };
}

function viewLeft(scope: SyncScope, room: KnownRoom, since: number): RoomView | undefined {
  const upper = room.current.from_sequence;
  const joined = room.intervals.findLast(({ membership, from_sequence: from }) => membership === 'join' && from <= upper);
  const departure = (joined && room.intervals.find(({ from_sequence: from }) => from >= joined.to_sequence)) ?? null;
  const common = { ...room, upper, entered: true, departure };
  // Other clients of the user learn that they have left, and nothing else.
  if (isForgotten(room.current)) return upper > since && scope.since !== undefined ? { ...common, lower: upper - 1, stateAfter: undefined } : undefined;
  if (scope.since !== undefined && membershipAt(room.intervals, since) === 'join') return { ...common, lower: since, stateAfter: scope.fullState ? 0 : since };
  if (scope.since !== undefined && upper <= since) return { ...common, lower: since, stateAfter: joined ? 0 : undefined };
  if (joined === undefined || joined.to_sequence <= since) return { ...common, lower: since, stateAfter: undefined };
  return { ...common, lower: scope.since === undefined ? 0 : seenBefore(room.intervals, since), stateAfter: 0 };
}

function upperOf(scope: SyncScope, room: KnownRoom): number {
  return scope.now.room[room.partition] ?? 0;
}

/**
 * Up to where a client with `since` has the timeline of a room that it enters again: up to where it last left (of what came then it may have seen member events of its user: better
 * twice than never). A room that it was never joined to is all new.
 */
function seenBefore(intervals: readonly MembershipRow[], since: number): number {
  const joined = intervals.findLast((interval) => interval.membership === 'join' && interval.from_sequence <= since);
  return joined === undefined ? 0 : Math.min(since, joined.to_sequence);
}

/** Partition of the user's own records. */
export function userPartition(map: PartitionMap, userId: string): number {
  return partitionOf(map, userId);
}
