/** Makes one answer of /sync: reads all rooms together in a bounded number of queries, then assembles the text from stored fragments. */
import { currentMembershipsOf } from './watched.ts';
import { visibleReplaced } from '../events/replaced.ts';
import { loadSyncBundles } from '../relations/sync-bundles.ts';
import { loadAccountData } from '../streams/account-data.ts';
import { loadDeviceLists, type DeviceLists } from '../streams/device-lists.ts';
import { loadKeyCounts } from '../streams/key-counts.ts';
import { loadReceipts } from '../streams/receipts.ts';
import { loadState, type StateWanted } from '../streams/state.ts';
import { loadStrippedState } from '../streams/stripped-state.ts';
import { loadSummaries } from '../streams/summary.ts';
import { readPartialRooms, type PartialRoom } from '../consumers/partial-rooms.ts';
import { movedRooms, type KnownView } from '../streams/room-facts.ts';
import { loadTimelines } from '../streams/timeline.ts';
import { loadToDevice } from '../streams/to-device.ts';
import { loadOutside } from '../streams/outside.ts';
import { outsideOfUser } from '../storage/memberships.ts';
import type { SeenPresence } from '../presence/presence-board.ts';
import type { MembershipRow, TimelineRow } from '../storage/rows.ts';
import { countUnread } from '../unread/count-unread.ts';
import { ignoredUsers, type IgnoredUsers } from '../visibility/ignored-users.ts';
import { encodeSyncToken, type SyncPosition } from '../token/sync-token.ts';
import type { ReadDeps } from './deps.ts';
import { withoutBlockedInvites, withoutIgnoredInvites } from './hidden-invites.ts';
import type { Material } from './material.ts';
import { viewOutside, type OutsideView } from './outside.ts';
import { renderAnswer } from './render.ts';
import { viewRooms, type RoomView, type SyncScope } from './scope.ts';

/** Traces of the newest events of an answer that are logged. */
const TRACES_MAX = 20;

export interface SyncAnswer {
  readonly nextBatch: string;
  readonly json: string;
  /** There is nothing in it but the token: worth waiting for more. */
  readonly empty: boolean;
  /** Rooms whose changes concern the client. */
  readonly watched: readonly string[];
}

/** The answer for `scope`. */
export async function answerSync(deps: ReadDeps, scope: SyncScope): Promise<SyncAnswer> {
  const { material, nextBatch, watched } = await readSync(deps, scope);
  const { json, empty } = await renderAnswer(deps, scope, { material, nextBatch });
  return { nextBatch, json, empty, watched };
}

/** What an answer for `scope` is made of. */
export async function readSync(deps: ReadDeps, scope: SyncScope): Promise<{ material: Material; nextBatch: string; watched: readonly string[] }> {
  const { database } = deps;
  const [memberships, said, ignored] = await Promise.all([deps.memberships.of(scope.userId), outsideOfUser(database, scope.userId), ignoredUsers(database, scope.userId)]);
  const outside = viewOutside(scope, memberships, said);
  const seen = await withoutBlockedInvites(database, scope.userId, { views: viewRooms(scope, memberships, outside.roomIds), outside: outside.views });
  const views = await withoutIgnoredInvites(database, seen.views, ignored);
  const joined = views.filter((view) => view.section === 'join');
  // The places in what is soft are taken before the changes are read; of typing with no await between.
  const typing = deps.typing.changes(joined, scope.since);
  const position: SyncPosition = { ...scope.now, ...deps.typing.advance(scope.since, joined), ...(deps.presence && { presence: deps.presence.places(scope.since) }) };
  const told = mayBeTold(scope, views, typing);
  const [toDevice, keyCounts, read] = await Promise.all([loadToDevice(deps, scope), loadKeyCounts(database, scope), readMaterial(deps, scope, { views: told, typing, outside: seen.outside, ignored, memberships })]);
  const material = { ...read, keyCounts, toDevice: toDevice.events };
  logTraces(deps, scope, material);
  return { material, nextBatch: encodeSyncToken({ ...position, ...(toDevice.place && { toDevice: toDevice.place }) }), watched: currentMembershipsOf(memberships) };
}

/** Without the rooms of which it is plain that nothing is to be said: somebody in thousands of rooms must not pay for all of them whenever something happens in one. */
function mayBeTold({ since, now, fullState, partition }: SyncScope, views: readonly RoomView[], typing: ReadonlyMap<string, unknown>): readonly RoomView[] {
  const isAccountQuiet = since !== undefined && (now.user[partition] ?? 0) <= (since.user[partition] ?? 0);
  if (!isAccountQuiet || fullState) return views;
  return views.filter((view) => view.entered || view.upper > view.lower || typing.has(view.roomId));
}

interface Known {
  readonly views: readonly RoomView[];
  readonly typing: ReadonlyMap<string, readonly string[]>;
  readonly outside: readonly OutsideView[];
  readonly ignored: IgnoredUsers;
  readonly memberships: ReadonlyMap<string, readonly MembershipRow[]>;
}

async function readMaterial(deps: ReadDeps, scope: SyncScope, known: Known): Promise<Omit<Material, 'toDevice' | 'keyCounts'>> {
  const { database, events } = deps;
  const { userId, partition } = scope;
  const joined = known.views.filter((view) => view.section === 'join');
  const gone = known.views.filter((view) => view.section === 'leave');
  const invited = known.views.filter((view) => view.section === 'invite' || view.section === 'knock');
  const told = await movedRooms(database, [...joined, ...gone]);
  const moved = told.filter((view) => view.section === 'join');
  const timelines = await loadTimelines(deps, told, { filter: scope.filter.room.timeline, userId, ignored: known.ignored });
  const summaries = await loadSummaries(deps, moved.filter((view) => view.stateAfter === 0 || timelines.get(view.roomId)?.summaryChanged === true), userId);
  const partial = await readPartialRooms(database, scope.filter.room.state.lazyLoadMembers ? told.filter((view) => view.hidden).map(({ roomId }) => roomId) : []);
  const state = await loadState(deps, wantedState(scope, told, { timelines, summaries, partial }));
  const stripped = await loadStrippedState(database, invited, userId);
  const shown = [...timelines.values()].flatMap((timeline) => timeline.shown);
  const intervals = new Map(known.views.map((view) => [view.roomId, view.intervals]));
  const replaced = await visibleReplaced(database, shown, { userId, past: deps.roomHistoryQuery, intervals: (roomId) => intervals.get(roomId) ?? [] });
  const eventIds = [...[...state.values(), ...stripped.values()].flat(), ...shown.map((row) => row.event_id), ...replaced];
  return {
    ...{ views: known.views, typing: known.typing, timelines, summaries, state, stripped },
    presence: await loadPresence(deps, scope, { ...known, shown }),
    deviceLists: await deviceListsOf(deps, scope, { ...known, told }),
    outside: (await loadOutside(database, userId, known.outside)).filter((room) => room.section !== 'invite' || !known.ignored.has(room.event.sender)),
    receipts: await loadReceipts(deps, moved, userId),
    unread: await countUnread(database, userId, moved),
    accountData: await loadAccountData(database, userId, {
      after: scope.since?.user[partition] ?? 0,
      upTo: scope.now.user[partition] ?? 0,
      rooms: [...joined.filter((view) => view.entered), ...gone].map((view) => view.roomId),
    }),
    events: eventIds.length === 0 ? new Map() : await events.load(eventIds),
    raw: scope.filter.federationFormat ? await events.loadRaw(eventIds) : undefined,
    bundles: await loadSyncBundles(deps, scope, { ...known, timelines }),
  };
}

/** Rooms of which nothing is told have the members that they had. */
async function deviceListsOf({ database, userQuery }: ReadDeps, { userId, since, now }: SyncScope, { views, memberships, told }: Known & { told: readonly KnownView[] }): Promise<DeviceLists | undefined> {
  if (since === undefined) return undefined;
  const membersMoved = new Map([...views.map((view): [string, number] => [view.roomId, 0]), ...told.map((view): [string, number] => [view.roomId, view.membersSequence])]);
  return loadDeviceLists(database, { userId, memberships, since, now, membersMoved, signedUsers: userQuery.signedUsers });
}

async function loadPresence({ presence }: ReadDeps, { userId, since }: SyncScope, known: Known & { shown: readonly TimelineRow[] }): Promise<SeenPresence[]> {
  if (presence === undefined) return [];
  const news = await presence.news({
    userId, since, rooms: () => new Set(currentMembershipsOf(known.memberships)),
    entered: new Set(known.views.filter((view) => view.section === 'join' && view.entered).map(({ roomId }) => roomId)),
    newcomers: since === undefined ? [] : known.shown.flatMap((row) => (row.type === 'm.room.member' && row.state_key !== null ? [row.state_key] : [])),
  });
  return news.filter((one) => !known.ignored.has(one.userId));
}

/** The last step of an event's trace: into whose answer it went. */
function logTraces(deps: ReadDeps, scope: SyncScope, { timelines, events }: Material): void {
  const rows = [...timelines.values()].flatMap((timeline) => timeline.shown).slice(-TRACES_MAX);
  const traces = rows.flatMap((row) => events.get(row.event_id)?.traceId ?? []);
  if (traces.length > 0) deps.runtime.logger.debug({ userId: scope.userId, deviceId: scope.deviceId, traces }, 'sync answered');
}

type KnownTimelines = Pick<Material, 'timelines' | 'summaries'> & { readonly partial: ReadonlyMap<string, PartialRoom> };

function wantedState(scope: SyncScope, views: readonly KnownView[], known: KnownTimelines): StateWanted[] {
  return views.flatMap((view) => wantedStateOf(scope, view, known) ?? []);
}

function wantedStateOf(scope: SyncScope, view: KnownView, { timelines, summaries, partial }: KnownTimelines): StateWanted | undefined {
  const timeline = timelines.get(view.roomId);
  const useStateAfter = scope.stateField !== 'state';
  if (timeline?.anchor === undefined || (view.stateAfter === undefined && !useStateAfter)) return undefined;
  const { anchor, startSequence } = timeline;
  const shownIds = new Set(timeline.shown.map((row) => row.event_id));
  const place = { roomId: view.roomId, lastSequence: view.lastSequence, anchor, startSequence, upper: view.upper, departure: view.departure?.from_sequence, userId: scope.userId, shownIds, useStateAfter, partial: partial.get(view.roomId) };
  const { lazyLoadMembers: lazyMembers } = scope.filter.room.state;
  // Of a room that the user never was in, what has become of the user: that is in no other list for a client that takes no state from the timeline.
  if (view.stateAfter === undefined) return { ...place, after: undefined, members: new Set([scope.userId]), lazyMembers };
  const members = lazyMembers ? membersNeeded(scope, view, { shown: timeline.shown, heroes: summaries.get(view.roomId)?.heroes }) : new Set<string>();
  const nothingMissing = view.stateAfter > 0 && timeline.complete && !useStateAfter;
  if (nothingMissing && members.size === 0) return undefined;
  return { ...place, after: nothingMissing ? undefined : view.stateAfter, members, lazyMembers };
}

/** Members without whom the timeline cannot be shown, where the others are left out. */
function membersNeeded(scope: SyncScope, view: RoomView, known: { shown: readonly TimelineRow[]; heroes: readonly string[] | undefined }): Set<string> {
  const members = new Set(known.shown.map((row) => row.sender));
  if (view.stateAfter === 0) members.add(scope.userId);
  for (const userId of known.heroes ?? []) members.add(userId);
  // A client that asks for the state at the end takes none from the timeline.
  const changed = scope.stateField === 'state' ? [] : known.shown.filter((row) => row.type === 'm.room.member');
  for (const row of changed) if (row.state_key !== null) members.add(row.state_key);
  return members;
}
