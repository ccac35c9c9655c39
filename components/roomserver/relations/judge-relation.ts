/** PURE. Relations that users here may not send (spec: client-server, "Avoiding duplicate annotations", "Validation of m.thread relationships"). */
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { relationOf, THREAD } from '../../../pkg/matrix/relations/relation-of.ts';
import type { EventDraft } from '../../../pkg/matrix/events/pdu.ts';
import { parseContent } from '../input/parse-content.ts';
import type { KnownEvent, Picture } from '../input/picture.ts';
import { refused } from '../input/refused.ts';
import { annotationRef } from './annotation-row.ts';

/** What the verdict on a draft's relation will look at. */
export interface RelationFacts {
  readonly annotationRef?: string | undefined;
  /** The event that the draft names as the root of its thread. */
  readonly threadRoot?: string | undefined;
}

const LOOKED_INTO = ['m.annotation', 'm.thread'].map((relType) => Buffer.from(relType));

/** The facts to be loaded; most contents are not even parsed for it. */
export function relationFacts(roomId: string, { type, sender, content }: { type: string; sender: string; content: Uint8Array }): RelationFacts {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  const parsed = LOOKED_INTO.some((relType) => bytes.includes(relType)) ? parseContent(content) : undefined;
  const relation = parsed && relationOf(parsed);
  if (relation === undefined) return {};
  return { annotationRef: annotationRef(roomId, { type, sender, content: parsed! }), ...(relation.relType === THREAD && { threadRoot: relation.eventId }) };
}

/** Why the draft is refused; undefined: it is not. What is unknown here is let pass: clients ignore relations that break the rules. */
export function relationProblem(picture: Picture, roomId: string, draft: EventDraft): RejectedOutcome | undefined {
  const relation = relationOf(draft.content);
  if (relation === undefined) return undefined;
  const ref = annotationRef(roomId, draft);
  if (ref !== undefined && picture.annotations.has(ref)) return refused(400, 'M_DUPLICATE_ANNOTATION', 'You have annotated the event with that already');
  const root = relation.relType === THREAD ? picture.events.get(relation.eventId) : undefined;
  if (root?.roomId === roomId && isRelated(root)) return refused(400, 'M_UNKNOWN', 'A thread cannot start from an event that relates to another one');
  return undefined;
}

function isRelated({ bytes }: KnownEvent): boolean {
  const { content } = JSON.parse(Buffer.from(bytes).toString()) as { content: Record<string, unknown> };
  return relationOf(content) !== undefined;
}
