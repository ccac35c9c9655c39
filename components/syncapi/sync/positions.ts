/** Places in the streams at the start of an answer. */
import type { SyncPosition } from '../token/sync-token.ts';
import type { ReadDeps } from './deps.ts';

/**
 * As far as this process knows the read model to be, and never behind the client: a token of another instance may be ahead of what this one has heard of, but what it counts is
 * in the shared tables. Typing is filled in when the rooms are known.
 */
export function positionNow(deps: Pick<ReadDeps, 'appliedPositions' | 'partitionMap'>, since: SyncPosition | undefined): SyncPosition {
  const { partitions, version } = deps.partitionMap;
  const newest = (known: readonly number[], seen: readonly number[] | undefined): number[] =>
    Array.from({ length: partitions }, (_, partition) => Math.max(known[partition] ?? 0, seen?.[partition] ?? 0));
  return {
    mapVersion: version,
    room: newest(deps.appliedPositions.vector('room-output'), since?.room),
    user: newest(deps.appliedPositions.vector('user-output'), since?.user),
    typing: [],
    typingAtMs: 0,
  };
}

/** The client's place under the present partition map. Under another map its numbers mean nothing here: then everything counts as new, and nothing is lost. */
export function placeUnder(deps: Pick<ReadDeps, 'partitionMap'>, since: SyncPosition): SyncPosition {
  const { version, partitions } = deps.partitionMap;
  if (since.mapVersion === version && since.room.length <= partitions && since.user.length <= partitions) return since;
  return { mapVersion: version, room: [], user: [], typing: [], typingAtMs: 0 };
}
