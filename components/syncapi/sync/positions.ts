/** Places in the streams at the start of an answer. */
import { rememberLast } from '../token/remember-last.ts';
import type { SyncPosition } from '../token/sync-token.ts';
import type { ReadDeps } from './deps.ts';

/**
 * As far as this process knows the read model to be, and never behind the client: a token of another instance may be ahead of what this one has heard of, but what it counts is
 * in the shared tables. Typing is filled in when the rooms are known.
 */
export function positionNow(deps: Pick<ReadDeps, 'appliedPositions' | 'partitionMap'>, since: SyncPosition | undefined): SyncPosition {
  const { partitions, version } = deps.partitionMap;
  return {
    mapVersion: version,
    room: newestRoom(partitions, deps.appliedPositions.vector('room-output'), since?.room),
    user: newestUser(partitions, deps.appliedPositions.vector('user-output'), since?.user),
    typing: [],
    typingAtMs: 0,
  };
}

const [newestRoom, newestUser] = [rememberLast(newest), rememberLast(newest)];

function newest(partitions: number, known: readonly number[], seen: readonly number[] | undefined): readonly number[] {
  return Array.from({ length: partitions }, (_, partition) => Math.max(known[partition] ?? 0, seen?.[partition] ?? 0));
}

/** Whether a client at `since` has all that this process knows of, and no more: then there is nothing to look for. */
export function isAtEnd(deps: Pick<ReadDeps, 'appliedPositions' | 'typing' | 'presence'>, since: SyncPosition): boolean {
  const { appliedPositions, typing, presence } = deps;
  const isEqual = isEqualRoom(appliedPositions.vector('room-output'), since.room) && isEqualUser(appliedPositions.vector('user-output'), since.user);
  return isEqual && typing.isCurrent(since) && presence?.isCurrent(since) !== false;
}

const [isEqualRoom, isEqualUser] = [rememberLast(isEqual), rememberLast(isEqual)];

function isEqual(known: readonly number[], seen: readonly number[]): boolean {
  return Array.from({ length: Math.max(known.length, seen.length) }, (_, partition) => (known[partition] ?? 0) === (seen[partition] ?? 0)).every(Boolean);
}

/** The client's place under the present partition map. Under another map its numbers mean nothing here: then everything counts as new, and nothing is lost. */
export function placeUnder(deps: Pick<ReadDeps, 'partitionMap'>, since: SyncPosition): SyncPosition {
  const { version, partitions } = deps.partitionMap;
  if (since.mapVersion === version && since.room.length <= partitions && since.user.length <= partitions) return since;
  return { mapVersion: version, room: [], user: [], typing: [], typingAtMs: 0 };
}
