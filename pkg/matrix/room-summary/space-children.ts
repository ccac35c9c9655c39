/** PURE. The rooms of a space: which `m.space.child` events count, and in which order (Client-Server API, "Spaces"). */
import { isRoomId } from '../ids/room-id.ts';
import { isServerName } from '../ids/server-name.ts';
import { isObject } from './read-summary.ts';

/** Wire object: a stripped state event with its time. */
export interface SpaceChild {
  readonly type: 'm.space.child';
  readonly state_key: string;
  readonly sender: string;
  /** Wall-clock ms. */
  readonly origin_server_ts: number;
  readonly content: Readonly<Record<string, unknown>>;
}

const ORDER = /^[\x20-\x7e]{1,50}$/;
const VIA_MAX = 20;

/** The child that a state event of a space names, whether it is one of this server's or as another server sends it; undefined: it names none (any more). */
export function readChild(event: unknown): SpaceChild | undefined {
  if (!isObject(event) || event['type'] !== 'm.space.child' || !isRoomId(event['state_key']) || !isObject(event['content'])) return undefined;
  const { state_key: roomId, sender, origin_server_ts: ts, content } = event;
  if (!Array.isArray(content['via']) || typeof sender !== 'string' || !Number.isSafeInteger(ts)) return undefined;
  return { type: 'm.space.child', state_key: roomId, content, sender, origin_server_ts: ts as number };
}

/** Of a list of events as another server sends it. */
export function readChildren(events: unknown): SpaceChild[] {
  return Array.isArray(events) ? sortedChildren(events.flatMap((event) => readChild(event) ?? [])) : [];
}

export function isSuggested({ content }: SpaceChild): boolean {
  return content['suggested'] === true;
}

/** Servers that the event names. */
export function viaOf({ content }: SpaceChild): string[] {
  const via = Array.isArray(content['via']) ? (content['via'] as unknown[]) : [];
  return [...new Set(via.filter((name): name is string => typeof name === 'string' && isServerName(name)))].slice(0, VIA_MAX);
}

/** What a child is sorted by: its order (null: it has none), time and room ID. */
export type ChildPlace = readonly [order: string | null, ts: number, roomId: string];

export function placeOf({ content, origin_server_ts: ts, state_key: roomId }: SpaceChild): ChildPlace {
  const order = content['order'];
  return [typeof order === 'string' && ORDER.test(order) ? order : null, ts, roomId];
}

/** Those with an order first, by it; then by time; then by room ID, by code points each. */
export function comparePlaces(left: ChildPlace, right: ChildPlace): number {
  if ((left[0] === null) !== (right[0] === null)) return left[0] === null ? 1 : -1;
  return compare(left[0] ?? '', right[0] ?? '') || left[1] - right[1] || compare(left[2], right[2]);
}

export function sortedChildren(children: readonly SpaceChild[]): SpaceChild[] {
  return [...children].sort((left, right) => comparePlaces(placeOf(left), placeOf(right)));
}

/** Room IDs and orders are ASCII but for what old rooms may hold: UTF-8 orders by code point. */
function compare(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}
