/** What another server tells of a room that this one cannot look into: with an invite, or after a knock (spec: server-server, `invite_room_state`, `knock_room_state`). */
import { isJsonObject } from '../../../pkg/http/json.ts';

/** The essence of a state event; newer servers send the whole event. */
export interface Described {
  readonly type: string;
  readonly state_key: string;
  readonly sender: string;
  readonly content: Record<string, unknown>;
}

/** Events that describe the room; the spec names a handful. */
const EVENTS_MAX = 100;
/** They travel in one record. */
const BYTES_MAX = 192 * 1024;

/** Those in the list that have the form, at most so many. What is no list has none. */
export function describedIn(roomState: unknown): Described[] {
  return Array.isArray(roomState) ? (roomState as unknown[]).filter(isDescribed).slice(0, EVENTS_MAX) : [];
}

/** Whether it is an event that its sender signed, and no essence of one. */
export function isWhole(entry: object): boolean {
  return 'signatures' in entry && 'hashes' in entry;
}

/** JSON list of stripped state events, as far as a record has room for them. */
export function strippedOf(entries: readonly Described[]): Uint8Array {
  const texts = entries.map(({ type, state_key, sender, content }) => JSON.stringify({ content, sender, state_key, type }));
  let bytes = 0;
  // No UTF-16 unit takes more than three bytes.
  return Buffer.from(`[${texts.filter((text) => (bytes += text.length) <= BYTES_MAX / 3).join(',')}]`);
}

function isDescribed(value: unknown): value is Described {
  if (!isJsonObject(value)) return false;
  return typeof value['type'] === 'string' && typeof value['state_key'] === 'string' && typeof value['sender'] === 'string' && isJsonObject(value['content']);
}
