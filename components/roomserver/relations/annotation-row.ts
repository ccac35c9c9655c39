/** What users of this server have annotated events with (spec: client-server, "Avoiding duplicate annotations"): one row while the annotation stands. */
import { createHash } from 'node:crypto';
import { relationOf } from '../../../pkg/matrix/relations/relation-of.ts';
import type { Reader, Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput, RoomEffects } from '../input/effects.ts';

interface Annotation {
  readonly type: string;
  readonly sender: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** A name for who annotates which event with what; a hash, for keys may be long. undefined: the event is no annotation with a key. */
export function annotationRef(roomId: string, { type, sender, content }: Annotation): string | undefined {
  const relation = relationOf(content);
  if (relation?.key === undefined) return undefined;
  return createHash('sha256').update(JSON.stringify([roomId, relation.eventId, type, sender, relation.key])).digest('base64url');
}

/** The annotations that were made here by these effects, with their event IDs. */
export function annotationsOf({ roomId, events }: RoomEffects): (readonly [annotationRef: string, eventId: string])[] {
  return events.flatMap(({ kind, verdict, pdu, eventId }) => {
    const ref = kind === 'local' && verdict === 'accepted' ? annotationRef(roomId, pdu) : undefined;
    return ref === undefined ? [] : [[ref, eventId] as const];
  });
}

/** Event IDs of the annotations that stand. */
export async function readAnnotations(reader: Reader, refs: readonly string[]): Promise<Map<string, string>> {
  if (refs.length === 0) return new Map();
  const rows = await reader.queryIn<{ annotation_ref: string; event_id: string }>('SELECT annotation_ref, event_id FROM annotations WHERE annotation_ref IN (??)', [], refs);
  return new Map(rows.map((row) => [row.annotation_ref, row.event_id]));
}

/** In the order of the inputs: one that is redacted makes room for another one of the same batch. */
export async function writeAnnotations(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const issued: Promise<unknown>[] = [];
  for (const { effects } of accepted) {
    for (const { eventId } of effects.redactions) issued.push(tx.run('DELETE FROM annotations WHERE event_id = ?', [eventId]));
    const rows = annotationsOf(effects);
    if (rows.length > 0) issued.push(tx.insertMany({ into: 'annotations', columns: ['annotation_ref', 'event_id'], rows, onConflict: 'ON CONFLICT (annotation_ref) DO NOTHING' }));
  }
  await Promise.all(issued);
}
