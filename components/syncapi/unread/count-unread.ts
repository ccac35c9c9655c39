/** How much a user has not read in rooms: two queries, whatever the number of rooms and of what is unread; two more where something came between these. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { gatherIn } from '../../../pkg/storage/gather-in.ts';
import { addTo, ALL, countAfter, MAIN, parentsAfter, type NodeRow, type Tree, type UnreadCounts } from './tree.ts';

export interface RoomUnread {
  /** By thread, `main` for what is in none; none without notices. */
  readonly threads: ReadonlyMap<string, UnreadCounts>;
  /** Newest record that may have changed what is told here. */
  readonly sequence: number;
  /** Newest record that notified anybody whom the user is counted with. */
  readonly newest: number;
}

type MarkRow = { room_id: string; kind: string; name: string; order_key: number; audience: string; sequence: number };

type UserMarkRow = MarkRow & { user_id: string };

const MARKS = 'SELECT user_id, room_id, kind, name, order_key, audience, sequence FROM unread_marks WHERE';
const NODES = { sql: 'SELECT parent, start, thread_id, level, notify, highlight, sequence FROM unread_nodes WHERE parent IN (??)', by: 'parent' };
/** Parents in one statement. */
const PARENTS_MAX = 8000;

/** Of these rooms of the user's. `upper`: sequence number that the answer goes up to. */
export async function countUnread(reader: Reader, userId: string, rooms: readonly { readonly roomId: string; readonly upper: number }[]): Promise<Map<string, RoomUnread>> {
  const counts = await countOnce(reader, userId, rooms.map(({ roomId }) => roomId));
  // What was counted is newer than what was known when the answer was begun: the user may have read it since, for example by sending it.
  const moved = rooms.filter(({ roomId, upper }) => (counts.get(roomId)?.newest ?? 0) > upper);
  if (moved.length > 0) for (const [roomId, unread] of await countOnce(reader, userId, moved.map(({ roomId }) => roomId))) counts.set(roomId, unread);
  return counts;
}

async function countOnce(reader: Reader, userId: string, roomIds: readonly string[]): Promise<Map<string, RoomUnread>> {
  const places = await readPlaces(reader, userId, roomIds);
  const parents = [...new Set([...places].flatMap(([roomId, place]) => parentsOf(roomId, place)))];
  const nodes = new Map<string, NodeRow[]>();
  for (let from = 0; from < parents.length; from += PARENTS_MAX) {
    const rows = await gatherIn<NodeRow>(reader, NODES, parents.slice(from, from + PARENTS_MAX));
    for (const row of rows) {
      const siblings = nodes.get(row.parent);
      if (siblings === undefined) nodes.set(row.parent, [row]);
      else siblings.push(row);
    }
  }
  return new Map([...places].map(([roomId, place]) => [roomId, countRoom(nodes, roomId, place)]));
}

export interface Span {
  readonly audience: string;
  readonly after: number;
  readonly upTo: number;
}

/** Where a user stands in a room. */
export interface ReadingPlace {
  /** All threads are read up to here. */
  readonly base: number;
  /** Threads that are read further. */
  readonly threads: ReadonlyMap<string, number>;
  /** The groups that the user was of, each after a place and up to another one. */
  readonly groups: readonly Span[];
  /** Audiences of what the user may not have read: of the groups, and the user. */
  readonly spans: readonly Span[];
  readonly sequence: number;
}

export async function readPlaces(reader: Reader, userId: string, roomIds: readonly string[]): Promise<Map<string, ReadingPlace>> {
  if (roomIds.length === 0) return new Map();
  const [only] = roomIds;
  // Who is told of one room is mostly one of many who are.
  const rows = roomIds.length === 1 ? await gatherIn<UserMarkRow>(reader, { sql: `${MARKS} room_id = ? AND user_id IN (??)`, params: [only!], by: 'user_id' }, [userId])
    : await reader.queryIn<UserMarkRow>(`${MARKS} user_id = ? AND room_id IN (??)`, [userId], roomIds);
  const marks = Map.groupBy(rows, (row) => row.room_id);
  return new Map(roomIds.map((roomId) => [roomId, placeOf(userId, marks.get(roomId) ?? [])]));
}

function placeOf(userId: string, marks: readonly MarkRow[]): ReadingPlace {
  const reads = marks.filter((mark) => mark.kind === 'read');
  const base = reads.find((mark) => mark.name === '')?.order_key ?? 0;
  const changes = marks.filter((mark) => mark.kind === 'rules').sort((one, other) => one.order_key - other.order_key);
  const starts = [{ audience: ALL, after: 0 }, ...changes.map((mark) => ({ audience: mark.audience, after: mark.order_key }))];
  const groups = starts.map((span, index) => ({ ...span, upTo: starts[index + 1]?.after ?? Infinity }));
  return {
    base,
    threads: new Map(reads.filter((mark) => mark.name !== '' && mark.order_key > base).map((mark) => [mark.name, mark.order_key])),
    groups,
    spans: [...groups.filter(({ after, upTo }) => upTo > Math.max(after, base)), { audience: userId, after: 0, upTo: Infinity }],
    sequence: reads.reduce((newest, mark) => Math.max(newest, mark.sequence), 0),
  };
}

/** Places from which on an audience is counted: the count of a span is the one after its beginning less the one after its end. */
function cutsOf(place: ReadingPlace, from: number): { audience: string; orderKey: number; sign: number }[] {
  return place.spans.flatMap(({ audience, after, upTo }) => {
    if (upTo <= from) return [];
    const beginning = { audience, orderKey: Math.max(after, from), sign: 1 };
    return upTo === Infinity ? [beginning] : [beginning, { audience, orderKey: upTo, sign: -1 }];
  });
}

function parentsOf(roomId: string, place: ReadingPlace): string[] {
  return [place.base, ...place.threads.values()].flatMap((from) => cutsOf(place, from).flatMap(({ audience, orderKey }) => parentsAfter({ roomId, audience }, orderKey)));
}

function countRoom(nodes: ReadonlyMap<string, readonly NodeRow[]>, roomId: string, place: ReadingPlace): RoomUnread {
  const threads = countFrom(nodes, { roomId, place }, place.base);
  for (const [thread, from] of place.threads) {
    const counts = threads.has(thread) ? countFrom(nodes, { roomId, place }, from).get(thread) : undefined;
    if (counts === undefined) threads.delete(thread);
    else threads.set(thread, counts);
  }
  for (const [thread, counts] of threads) {
    if (counts.notify <= 0) threads.delete(thread);
    else if (counts.highlight < 0) counts.highlight = 0;
  }
  // Where nothing is unread, what came last was told to others only, or has been read.
  const newest = newestOf(nodes, roomId, place);
  return { threads, newest, sequence: threads.size === 0 ? place.sequence : Math.max(place.sequence, newest) };
}

function countFrom(nodes: ReadonlyMap<string, readonly NodeRow[]>, { roomId, place }: { roomId: string; place: ReadingPlace }, from: number): Map<string, UnreadCounts> {
  const counts = new Map<string, UnreadCounts>();
  for (const { audience, orderKey, sign } of cutsOf(place, from)) {
    const tree: Tree = { roomId, audience };
    for (const [thread, more] of countAfter(nodes, tree, orderKey)) addTo(counts, thread, more, sign);
  }
  return counts;
}

/** The topmost nodes are of the whole tree. */
function newestOf(nodes: ReadonlyMap<string, readonly NodeRow[]>, roomId: string, place: ReadingPlace): number {
  let newest = 0;
  for (const { audience } of place.spans) {
    for (const node of nodes.get(parentsAfter({ roomId, audience }, 0).at(-1)!) ?? []) newest = Math.max(newest, node.sequence);
  }
  return newest;
}

/** What /sync tells: without `byThread` all threads are one. JSON text. */
export function unreadText({ threads }: RoomUnread, byThread: boolean): string {
  const total = { notify: 0, highlight: 0 };
  const others: string[] = [];
  for (const [thread, counts] of threads) {
    if (byThread && thread !== MAIN) {
      others.push(`${JSON.stringify(thread)}:${countsText(counts)}`);
      continue;
    }
    total.notify += counts.notify;
    total.highlight += counts.highlight;
  }
  const ofThreads = others.length === 0 ? '' : `,"unread_thread_notifications":{${others.join(',')}}`;
  return `"unread_notifications":${countsText(total)}${ofThreads}`;
}

function countsText({ notify, highlight }: UnreadCounts): string {
  return `{"highlight_count":${highlight},"notification_count":${notify}}`;
}
