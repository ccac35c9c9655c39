/**
 * Redactions that arrive before what they redact (spec: rooms/v3, "Handling redactions": applied when both are there). One that was accepted is kept beside its event until its target
 * finds its place; then the target is stored, told and judged by as what the redaction leaves of it.
 */
import { mayRedact } from '../../../pkg/matrix/auth/may-redact.ts';
import { roomPower } from '../../../pkg/matrix/auth/power-levels.ts';
import { eventText } from '../../../pkg/matrix/events/event-text.ts';
import { redactsOf, type Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { redact } from '../../../pkg/matrix/events/redact.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { Reader, Transaction } from '../../../pkg/storage/database.ts';
import type { AcceptedInput, NewEvent, Redaction } from '../input/effects.ts';
import { lookupAt, type GraphAt, type Overlay } from './overlay.ts';
import { lookForEvent, type EarlyRedaction, type RoomGraph } from './room-graph.ts';

/** Nobody's: whether the sender's power alone is enough. */
const NOBODY = { sender: '' };

/** What an accepted redaction waits for: an event that is not known, or only as part of a state. undefined: nothing; lacking shows in the graph. */
export function waitsFor(at: GraphAt, pdu: Pdu, before: Overlay): NewEvent['waitsFor'] {
  const { head: { version, roomId }, graph } = at;
  const redacts = redactsOf(pdu, version);
  if (redacts === undefined) return undefined;
  const target = lookForEvent(graph, redacts);
  if (target !== null && (target === undefined || target.stateId !== null || target.roomId !== roomId)) return undefined;
  return { eventId: redacts, byPower: mayRedact(pdu, NOBODY, { power: roomPower(lookupAt(at, before), version), version }) };
}

/** What the first of the redactions that may redact the event leaves of it. */
export function redactedEarly({ head, graph }: GraphAt, eventId: string, pdu: Pdu): { readonly pdu: Pdu; readonly redaction: Redaction } | undefined {
  if (pdu.type === 'm.room.create') return undefined;
  const by = graph.early.get(eventId)?.find(({ sender, byPower }) => byPower || domainOf(sender) === domainOf(pdu.sender));
  if (by === undefined) return undefined;
  const left = redact(pdu, head.version);
  return { pdu: left, redaction: { eventId, redactedBy: by.eventId, bytes: Buffer.from(eventText(left, head.version)), isEarly: true } };
}

/** Redactions that wait for these events, into the graphs of their rooms. */
export async function loadEarly(reader: Reader, graphs: ReadonlyMap<string, RoomGraph>, eventIds: readonly string[]): Promise<void> {
  if (eventIds.length === 0) return;
  const rows = await reader.queryIn<{ target_id: string; event_id: string; room_id: string; sender: string; by_power: number }>(
    'SELECT target_id, event_id, room_id, sender, by_power FROM pending_redactions WHERE target_id IN (??)', [], eventIds);
  for (const row of rows) noteEarly(graphs.get(row.room_id), row.target_id, { eventId: row.event_id, sender: row.sender, byPower: row.by_power === 1 });
}

function noteEarly(graph: RoomGraph | undefined, targetId: string, redaction: EarlyRedaction): void {
  graph?.early.set(targetId, [...(graph.early.get(targetId) ?? []), redaction]);
}

/** Redactions of the batch that wait, and those whose wait is over. */
export async function writeEarly(tx: Transaction, accepted: readonly AcceptedInput[]): Promise<void> {
  const rows = accepted.flatMap(({ effects: { roomId, events } }) =>
    events.flatMap(({ eventId, pdu, waitsFor: target }) => (target === undefined ? [] : [[target.eventId, eventId, roomId, pdu.sender, target.byPower ? 1 : 0]])));
  if (rows.length > 0) {
    await tx.insertMany({
      into: 'pending_redactions', columns: ['target_id', 'event_id', 'room_id', 'sender', 'by_power'], rows, onConflict: 'ON CONFLICT (target_id, event_id) DO NOTHING',
    });
  }
  for (const { effects } of accepted) {
    for (const { eventId, redactedBy, isEarly } of effects.redactions) {
      if (isEarly !== true) continue;
      await tx.run('DELETE FROM pending_redactions WHERE target_id = ?', [eventId]);
      await tx.run('UPDATE events SET redacts = ? WHERE event_id = ?', [eventId, redactedBy]);
    }
  }
}
