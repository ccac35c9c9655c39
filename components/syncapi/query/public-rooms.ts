/** Pages of the room directory, the biggest rooms first; in equal ones by their IDs; those that everybody has left are not shown (spec: client-server, GET and POST /publicRooms). */
import type { PublishedRoom } from '../../../pkg/matrix/room-summary/room-summary.ts';
import type { Reader, SqlValue } from '../../../pkg/storage/database.ts';
import type { PublicRoomsPage, PublicRoomsWish } from '../../../schemas/ports/sync-query.ts';

interface Row extends Record<string, SqlValue> {
  room_id: string;
  summary: string;
  joined_count: number;
}

/** Where a page begins: after this room, or (`back`) before it. */
interface Place {
  readonly back: boolean;
  readonly joined: number;
  readonly roomId: string;
}

interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

const ROOM_TYPES_MAX = 50;

/** Costs what the list has rooms, not what they weigh: their texts are in the read model. */
export async function publicRooms(reader: Reader, wish: PublicRoomsWish): Promise<PublicRoomsPage> {
  const place = wish.since === undefined ? undefined : parseToken(wish.since);
  const inList = listCondition(wish.list);
  const conditions = [inList, ...searchConditions(wish), ...(place === undefined ? [] : [placeCondition(place)])];
  const [descending, ascending] = place?.back === true ? ['ASC', 'DESC'] : ['DESC', 'ASC'];
  const found = await reader.query<Row>(
    `SELECT p.room_id, p.summary, r.joined_count FROM public_rooms p JOIN rooms r ON r.room_id = p.room_id WHERE r.joined_count > 0 AND ${conditions.map(({ sql }) => sql).join(' AND ')}
     ORDER BY r.joined_count ${descending}, p.room_id ${ascending} LIMIT ?`, [...conditions.flatMap(({ values }) => values), wish.limit + 1]);
  const [total] = await reader.query<{ count: number }>(`SELECT COUNT(*) AS count FROM public_rooms p WHERE ${inList.sql}`, [...inList.values]);
  return { ...pageOf(found, wish.limit, place), total_room_count_estimate: total?.count ?? 0 };
}

/** `found` has one more than `limit` when there is another page in its direction. */
function pageOf(found: readonly Row[], limit: number, place: Place | undefined): PublicRoomsPage {
  const hasMore = found.length > limit;
  const isBack = place?.back === true;
  const rows = isBack ? found.slice(0, limit).reverse() : found.slice(0, limit);
  const [first, last] = [rows[0], rows.at(-1)];
  const chunk = rows.map(chunkOf);
  if (first === undefined || last === undefined) return { chunk };
  return {
    chunk,
    ...((isBack || hasMore) && { next_batch: tokenOf(last, false) }),
    ...((isBack ? hasMore : place !== undefined) && { prev_batch: tokenOf(first, true) }),
  };
}

function chunkOf(row: Row): PublishedRoom {
  return { ...(JSON.parse(row.summary) as PublishedRoom), num_joined_members: row.joined_count };
}

function listCondition(list: PublicRoomsWish['list']): Condition {
  if (list === 'all') return { sql: '1 = 1', values: [] };
  if (list === undefined) return { sql: 'p.is_listed = 1', values: [] };
  return { sql: `p.networks LIKE ? ESCAPE '!'`, values: [contains(JSON.stringify(list.network))] };
}

function searchConditions({ search, roomTypes }: PublicRoomsWish): Condition[] {
  const conditions: Condition[] = [];
  if (search !== undefined && search !== '') conditions.push({ sql: `p.search_text LIKE ? ESCAPE '!'`, values: [contains(searchable(search))] });
  if (roomTypes !== undefined) {
    const types = [...new Set(roomTypes.map((type) => type ?? ''))].slice(0, ROOM_TYPES_MAX);
    conditions.push({ sql: types.length === 0 ? '1 = 0' : `p.room_type IN (${types.map(() => '?').join(', ')})`, values: types });
  }
  return conditions;
}

function placeCondition({ back, joined, roomId }: Place): Condition {
  const [more, beyond] = back ? ['>', '<'] : ['<', '>'];
  return { sql: `(r.joined_count ${more} ? OR (r.joined_count = ? AND p.room_id ${beyond} ?))`, values: [joined, joined, roomId] };
}

function contains(text: string): string {
  return `%${text.replaceAll(/[!%_]/g, '!$&')}%`;
}

/** Texts are compared in this form. */
export function searchable(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

function tokenOf({ joined_count: joined, room_id: roomId }: Row, back: boolean): string {
  return Buffer.from(JSON.stringify([back ? 1 : 0, joined, roomId])).toString('base64url');
}

function parseToken(token: string): Place {
  try {
    const [back, joined, roomId] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if ((back === 0 || back === 1) && Number.isSafeInteger(joined) && typeof roomId === 'string' && !roomId.includes('\0')) return { back: back === 1, joined: joined as number, roomId };
  } catch {
    // It is none of ours.
  }
  throw new RangeError('not a token of the room directory');
}
