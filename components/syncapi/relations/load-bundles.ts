/**
 * Bundled aggregations (Client-Server API, "Aggregations of child events"): what `unsigned` tells of the events that relate to an event, for one reader. All events of an answer
 * are looked up together: one query where nothing relates to any of them, a few where something does.
 */
import { REPLACE } from '../../../pkg/matrix/relations/relation-of.ts';
import { renderTimelineRow, type RowReader } from '../events/render-row.ts';
import { OPEN, TIMELINE_COLUMNS, type SeenRow, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { ignoredUsers, isIgnored, type IgnoredUsers } from '../visibility/ignored-users.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { isVisible, type MembershipInterval } from '../visibility/visibility.ts';
import { countOfSenders, newestChildren, readParents, type ChildRow, type ParentRow } from './children.ts';

/** By event ID: `m.relations` as JSON text, and whether it tells of a thread. */
export type Bundles = ReadonlyMap<string, { readonly text: string; readonly isThread: boolean }>;

export interface BundleReader extends Pick<RowReader, 'userId' | 'deviceId' | 'nowMs' | 'withRoomId'> {
  /** All that the user ever was in the room, in order. */
  readonly intervals: (roomId: string) => readonly MembershipInterval[];
  /** Read where it is needed, when it is absent. */
  readonly ignored?: IgnoredUsers;
  /** Sequence number up to which the answer tells of the room: what is newer comes to the client as an event, and is not told of before. Absent: all is told. */
  readonly upTo?: (roomId: string) => number;
}

export type BundleDeps = Pick<ReadDeps, 'database' | 'events' | 'roomHistoryQuery'>;

/** What is told of one event. */
interface Bundle {
  edit?: SeenRow;
  thread?: { latest: SeenRow; count: number; hasTakenPart: boolean };
  references?: readonly string[];
}

type KnownReader = BundleReader & { readonly ignored: IgnoredUsers };

interface Asked {
  readonly parent: ParentRow;
  readonly row: SeenRow;
}

/** Bundles of these events of the timeline; state events have none. */
export async function loadBundles(deps: BundleDeps, rows: readonly SeenRow[], reader: BundleReader): Promise<Bundles> {
  const candidates = new Map(rows.filter((row) => row.state_key === null).map((row) => [row.event_id, row]));
  if (candidates.size === 0) return new Map();
  const parents = await readParents(deps.database, [...candidates.keys()], reader.userId);
  if (parents.length === 0) return new Map();
  const known = { ...reader, ignored: reader.ignored ?? (await ignoredUsers(deps.database, reader.userId)) };
  const asked = parents.map((parent) => ({ parent, row: candidates.get(parent.event_id)! }));
  const bundles = await readBundles(deps, known, asked);
  return renderBundles(deps, known, bundles);
}

async function readBundles(deps: BundleDeps, reader: KnownReader, asked: readonly Asked[]): Promise<Map<string, Bundle>> {
  const bundles = new Map<string, Bundle>(asked.map(({ parent }) => [parent.event_id, {}]));
  const edited = asked.filter(({ parent }) => parent.edit_id !== null && parent.own_rel_type !== REPLACE && parent.is_redacted === null);
  const roots = asked.filter(({ parent }) => parent.latest_id !== null && parent.own_rel_type === null);
  const newest = await readRows(deps, reader, [...edited.map(({ parent }) => parent.edit_id!), ...roots.map(({ parent }) => parent.latest_id!)]);
  await Promise.all([
    bundleEdits(deps, reader, { edited, newest, bundles }),
    bundleThreads(deps, reader, { roots, newest, bundles }),
    bundleReferences(deps, reader, { parentIds: asked.filter(({ parent }) => parent.is_referenced === 1).map(({ parent }) => parent.event_id), bundles }),
  ]);
  return bundles;
}

/** Those of the events that the reader is shown. */
async function readRows(deps: BundleDeps, reader: KnownReader, eventIds: readonly string[]): Promise<Map<string, SeenRow>> {
  if (eventIds.length === 0) return new Map();
  const rows = await deps.database.queryIn<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id IN (??)`, [], eventIds);
  return new Map((await shownOf(deps, reader, rows)).map((row) => [row.event_id, row]));
}

async function shownOf<Row extends TimelineRow>(deps: BundleDeps, reader: KnownReader, rows: readonly Row[]): Promise<(Row & SeenRow)[]> {
  const seen = (await withMembershipBefore(deps.roomHistoryQuery, rows, reader.userId)) as readonly (Row & SeenRow)[];
  return seen.filter((row) => !isLate(reader, row) && !isIgnored(row, reader.ignored) && isVisible(row, reader.userId, reader.intervals(row.room_id)));
}

/** History from before is no news of anybody's. */
function isLate({ upTo }: KnownReader, row: TimelineRow): boolean {
  return upTo !== undefined && row.order_key > 0 && row.sequence > upTo(row.room_id);
}

/** The newest children of one parent: those that the reader is shown, and how many others are only not told of yet. */
interface Children {
  readonly shown: readonly (ChildRow & SeenRow)[];
  readonly late: number;
}

async function readChildren(deps: BundleDeps, reader: KnownReader, relation: { relType: 'm.thread' | 'm.replace' | 'm.reference'; parentIds: readonly string[] }): Promise<Map<string, Children>> {
  const children = await newestChildren(deps.database, relation.relType, relation.parentIds);
  const shown = new Set((await shownOf(deps, reader, [...children.values()].flat())).map((row) => row.event_id));
  return new Map([...children].map(([parentId, rows]) => {
    const late = rows.filter((row) => isLate(reader, row) && !isIgnored(row, reader.ignored)).length;
    return [parentId, { shown: rows.filter((row) => shown.has(row.event_id)), late }];
  }));
}

type Newest = ReadonlyMap<string, SeenRow>;

async function bundleEdits(deps: BundleDeps, reader: KnownReader, { edited, newest, bundles }: { edited: readonly Asked[]; newest: Newest; bundles: Map<string, Bundle> }): Promise<void> {
  for (const { parent } of edited) {
    const edit = newest.get(parent.edit_id!);
    if (edit !== undefined) bundles.get(parent.event_id)!.edit = edit;
  }
  // The newest of what this reader may see is another one.
  const hidden = edited.filter(({ parent }) => !newest.has(parent.edit_id!));
  const children = await readChildren(deps, reader, { relType: 'm.replace', parentIds: hidden.map(({ parent }) => parent.event_id) });
  for (const { parent, row } of hidden) {
    const edits = (children.get(parent.event_id)?.shown ?? []).filter((child) => child.is_edit === 1 && child.sender === row.sender && child.type === row.type);
    const [edit] = edits.toSorted((a, b) => b.sent_at - a.sent_at || (a.event_id < b.event_id ? 1 : -1));
    if (edit !== undefined) bundles.get(parent.event_id)!.edit = edit;
  }
}

async function bundleThreads(deps: BundleDeps, reader: KnownReader, { roots, newest, bundles }: { roots: readonly Asked[]; newest: Newest; bundles: Map<string, Bundle> }): Promise<void> {
  if (roots.length === 0) return;
  const whole = roots.filter((asked) => seesAll(reader, asked));
  const wholeIds = new Set(whole.map(({ parent }) => parent.event_id));
  const ignored = reader.ignored.size === 0 ? new Map<string, number>() : await countOfSenders(deps.database, [...wholeIds], [...reader.ignored]);
  const partly = roots.filter(({ parent }) => !wholeIds.has(parent.event_id) || !newest.has(parent.latest_id!));
  const children = await readChildren(deps, reader, { relType: 'm.thread', parentIds: partly.map(({ parent }) => parent.event_id) });
  for (const { parent, row } of roots) {
    const { shown, late } = children.get(parent.event_id) ?? { shown: [], late: 0 };
    const latest = newest.get(parent.latest_id!) ?? shown[0];
    // Of what a reader may see only in part, as much is counted as was read.
    const count = wholeIds.has(parent.event_id) ? parent.event_count! - (ignored.get(parent.event_id) ?? 0) - late : shown.length;
    const hasTakenPart = row.sender === reader.userId || parent.has_taken_part === 1;
    if (latest !== undefined && count > 0) bundles.get(parent.event_id)!.thread = { latest, count, hasTakenPart };
  }
}

/** Whether the reader surely may read every event of the thread: they are joined, and were when its first event was sent where that matters. */
function seesAll({ intervals }: KnownReader, { parent, row }: Asked): boolean {
  const current = intervals(row.room_id).at(-1);
  if (current?.membership !== 'join' || current.to_sequence !== OPEN) return false;
  return parent.restricted_count === 0 || current.from_sequence < parent.first_sequence!;
}

async function bundleReferences(deps: BundleDeps, reader: KnownReader, { parentIds, bundles }: { parentIds: readonly string[]; bundles: Map<string, Bundle> }): Promise<void> {
  const children = await readChildren(deps, reader, { relType: 'm.reference', parentIds });
  for (const [parentId, { shown }] of children) {
    if (shown.length > 0) bundles.get(parentId)!.references = shown.map((row) => row.event_id).toReversed();
  }
}

async function renderBundles(deps: BundleDeps, reader: KnownReader, bundles: ReadonlyMap<string, Bundle>): Promise<Bundles> {
  const latest = [...bundles.values()].flatMap(({ thread }) => thread?.latest ?? []);
  const edits = [...bundles.values()].flatMap(({ edit }) => edit ?? []);
  const [events, ofLatest] = await Promise.all([
    edits.length + latest.length === 0 ? new Map() : deps.events.load([...edits, ...latest].map((row) => row.event_id)),
    // An event of a thread is no root of another one: this ends.
    loadBundles(deps, latest, reader),
  ]);
  const render = (row: SeenRow, more: { bundles?: Bundles } = {}): string | undefined => {
    const event = events.get(row.event_id);
    return event && renderTimelineRow(row, event, { ...reader, ...more, events, intervals: reader.intervals(row.room_id) });
  };
  const texts = new Map<string, { text: string; isThread: boolean }>();
  for (const [eventId, { edit, thread, references }] of bundles) {
    const parts: string[] = [];
    const editText = edit && render(edit);
    if (editText !== undefined) parts.push(`"m.replace":${editText}`);
    const latestText = thread && render(thread.latest, { bundles: ofLatest });
    if (latestText !== undefined) parts.push(`"m.thread":{"latest_event":${latestText},"count":${thread!.count},"current_user_participated":${thread!.hasTakenPart}}`);
    if (references !== undefined) parts.push(`"m.reference":{"chunk":[${references.map((id) => `{"event_id":${JSON.stringify(id)}}`).join(',')}]}`);
    if (parts.length > 0) texts.set(eventId, { text: `{${parts.join(',')}}`, isThread: latestText !== undefined });
  }
  return texts;
}
