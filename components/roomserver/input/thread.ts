/** PURE. Which thread an event is in (spec: client-server, "Threaded read receipts"), as far as the event itself tells. */
import type { KnownEvent } from './picture.ts';

const MAIN_THREAD = 'main';

/**
 * Whether the event surely is not in the thread (a root's event ID, `main`, or empty for none). An event that is in a thread only by what it relates to, and one whose
 * relation was redacted, are believed to be in any; a root counts to its own thread too.
 */
export function isOutsideThread(event: KnownEvent, threadId: string): boolean {
  if (threadId === '' || event.redacted) return false;
  const relation = relationOf(event);
  if (relation === undefined) return threadId !== MAIN_THREAD && threadId !== event.eventId;
  return relation['rel_type'] === 'm.thread' && relation['event_id'] !== threadId;
}

function relationOf(event: KnownEvent): Record<string, unknown> | undefined {
  const { content } = JSON.parse(Buffer.from(event.bytes).toString()) as { content: Record<string, unknown> };
  const relation = content['m.relates_to'];
  return typeof relation === 'object' && relation !== null ? (relation as Record<string, unknown>) : undefined;
}
