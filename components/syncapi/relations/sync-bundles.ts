import type { SyncScope, RoomView } from '../sync/scope.ts';
import type { RoomTimeline } from '../streams/timeline.ts';
import type { IgnoredUsers } from '../visibility/ignored-users.ts';
import { loadBundles, type BundleDeps, type Bundles } from './load-bundles.ts';

/**
 * Bundles of an answer of /sync: for the timelines of rooms that are new to the client, and of those with a gap. What relates to the events of others comes as events of its own.
 */
export function loadSyncBundles(deps: BundleDeps, scope: SyncScope, known: { views: readonly RoomView[]; timelines: ReadonlyMap<string, RoomTimeline>; ignored: IgnoredUsers }): Promise<Bundles> {
  const { userId, deviceId, nowMs } = scope;
  const views = scope.filter.federationFormat ? [] : known.views.filter((view) => view.entered || known.timelines.get(view.roomId)?.limited === true);
  const byRoom = new Map(views.map((view) => [view.roomId, view]));
  const rows = views.flatMap((view) => known.timelines.get(view.roomId)?.shown ?? []);
  return loadBundles(deps, rows, {
    ...{ userId, deviceId, nowMs, withRoomId: false, ignored: known.ignored },
    intervals: (roomId) => byRoom.get(roomId)?.intervals ?? [],
    upTo: (roomId) => byRoom.get(roomId)?.upper ?? 0,
  });
}
