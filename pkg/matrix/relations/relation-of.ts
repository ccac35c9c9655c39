/** PURE. How an event relates to another one (Client-Server API, "Forming relationships between events"). */
import { byteLength } from '../ids/byte-length.ts';

/** Relation types that the server looks into. */
export const THREAD = 'm.thread';
export const REPLACE = 'm.replace';
export const REFERENCE = 'm.reference';
export const ANNOTATION = 'm.annotation';

export interface Relation {
  readonly relType: string;
  /** The parent; nothing says that it is there, or in the same room. */
  readonly eventId: string;
  /** What an annotation says; undefined: it is none, or says nothing. */
  readonly key: string | undefined;
}

/** Longest relation type (Common Namespaced Identifier Grammar) and event ID. */
const BYTES_MAX = 255;

/**
 * The relation that the content of an event forms; undefined: none, or a malformed one, which counts as none. A reply alone (`m.in_reply_to`) is none. Of an encrypted event it is
 * the cleartext content. Whether the relation breaks rules of its type is not looked at.
 */
export function relationOf(content: Readonly<Record<string, unknown>>): Relation | undefined {
  const relatesTo = content['m.relates_to'];
  if (typeof relatesTo !== 'object' || relatesTo === null) return undefined;
  const { rel_type: relType, event_id: eventId, key } = relatesTo as Readonly<Record<string, unknown>>;
  if (!isShort(relType) || !isShort(eventId) || !eventId.startsWith('$')) return undefined;
  return { relType, eventId, key: relType === ANNOTATION && typeof key === 'string' ? key : undefined };
}

/** The root of the thread that the event is in by its own relation; undefined: in none, or by way of another event. */
export function threadRootOf(content: Readonly<Record<string, unknown>>): string | undefined {
  const relation = relationOf(content);
  return relation?.relType === THREAD ? relation.eventId : undefined;
}

function isShort(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && byteLength(value) <= BYTES_MAX;
}
