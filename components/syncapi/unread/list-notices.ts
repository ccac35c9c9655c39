/** What a user was notified of, newest first: of each room what lies among its last events. */
import type { Reader } from '../../../pkg/storage/database.ts';
import { TIMELINE_COLUMNS, type MembershipRow, type TimelineRow } from '../storage/rows.ts';
import { membershipAt } from '../visibility/visibility.ts';
import { readPlaces, type ReadingPlace } from './count-unread.ts';

/** Of a room, the newest places that are looked through. */
const PLACES_MAX = 1000;
/** Rows of one query. */
const ROWS_MAX = 1000;
/** Queries of one request, whatever it finds. */
const QUERIES_MAX = 20;

/** A place in the list: what comes after it is older. */
export interface NoticeCursor {
  readonly sentAt: number;
  readonly roomId: string;
  readonly orderKey: number;
}

export interface Notice {
  readonly row: TimelineRow;
  readonly sentAt: number;
  /** JSON text. */
  readonly actions: string;
  readonly isRead: boolean;
}

type LeafRow = TimelineRow & { audience: string; thread_id: string; notify: number; highlight: number; actions: string; sent_at: number };

const LEAVES = `SELECT ${TIMELINE_COLUMNS}, n.audience, n.thread_id, n.notify, n.highlight, n.actions, n.sent_at
  FROM unread_nodes n JOIN rooms r ON r.room_id = n.room_id JOIN timeline t ON t.room_id = n.room_id AND t.order_key = n.start
  WHERE n.level = 0 AND n.start > r.last_order_key - ${PLACES_MAX} AND (n.audience = ? OR n.audience LIKE '#%') AND t.sender <> ?
    AND (n.sent_at < ? OR (n.sent_at = ? AND (n.room_id < ? OR (n.room_id = ? AND n.start < ?))))
    AND n.room_id IN (??) ORDER BY n.sent_at DESC, n.room_id DESC, n.start DESC LIMIT ${ROWS_MAX}`;

export interface NoticeWish {
  readonly userId: string;
  /** By room, all that the user ever was there. */
  readonly memberships: ReadonlyMap<string, readonly MembershipRow[]>;
  readonly after: NoticeCursor | undefined;
  readonly limit: number;
  readonly highlightOnly: boolean;
}

/** Up to `limit` notices; `next` is absent at the end. */
export async function listNotices(reader: Reader, wish: NoticeWish): Promise<{ notices: Notice[]; next: NoticeCursor | undefined }> {
  const roomIds = [...wish.memberships].flatMap(([roomId, intervals]) => (['join', 'invite'].includes(intervals.at(-1)?.membership ?? '') ? [roomId] : []));
  if (roomIds.length === 0) return { notices: [], next: undefined };
  const places = await readPlaces(reader, wish.userId, roomIds);
  const notices: Notice[] = [];
  let cursor = wish.after;
  for (let queries = 0; queries < QUERIES_MAX; queries += 1) {
    const { sentAt, roomId, orderKey } = cursor ?? { sentAt: Number.MAX_SAFE_INTEGER, roomId: '', orderKey: 0 };
    const rows = await reader.queryIn<LeafRow>(LEAVES, [wish.userId, wish.userId, sentAt, sentAt, roomId, roomId, orderKey], roomIds);
    const events = [...Map.groupBy(rows, (row) => row.event_id).values()];
    // The last event of a full page may have more leaves.
    if (rows.length === ROWS_MAX && events.length > 1) events.pop();
    for (const leaves of events) {
      const notice = noticeOf(wish, leaves, places.get(leaves[0]!.room_id)!);
      if (notice !== undefined && notices.length === wish.limit) return { notices, next: cursor };
      if (notice !== undefined) notices.push(notice);
      cursor = cursorOf(leaves[0]!);
    }
    if (rows.length < ROWS_MAX) return { notices, next: undefined };
  }
  return { notices, next: cursor };
}

function cursorOf(row: LeafRow): NoticeCursor {
  return { sentAt: row.sent_at, roomId: row.room_id, orderKey: row.order_key };
}

/** What the user is told by their group and beside it; undefined: nothing. */
function noticeOf({ userId, memberships, highlightOnly }: NoticeWish, leaves: readonly LeafRow[], place: ReadingPlace): Notice | undefined {
  const [row] = leaves as [LeafRow];
  const membership = membershipAt(memberships.get(row.room_id) ?? [], row.sequence);
  if (membership !== 'join' && membership !== 'invite') return undefined;
  const group = place.groups.find(({ after, upTo }) => row.order_key > after && row.order_key <= upTo)?.audience;
  const heard = leaves.filter(({ audience }) => audience === userId || (membership === 'join' && audience === group));
  const sum = (column: 'notify' | 'highlight'): number => heard.reduce((total, leaf) => total + leaf[column], 0);
  if (sum('notify') <= 0 || (highlightOnly && sum('highlight') <= 0)) return undefined;
  const told = heard.find(({ audience }) => audience === userId) ?? heard[0]!;
  const readUpTo = Math.max(place.base, place.threads.get(row.thread_id) ?? 0);
  return { row, sentAt: row.sent_at, actions: told.actions === '' ? '["notify"]' : told.actions, isRead: row.order_key <= readUpTo };
}
