/**
 * Events of users who had their account erased (Client-Server API, "POST /account/deactivate", `erase`): who joined the room after that is shown them redacted. Those who were in it before go on
 * seeing them. Where the rooms stood when the erasure was asked for is in its record, so that a read model that is rebuilt tells the same.
 */
import { redact, redactContent } from '../../../pkg/matrix/events/redact.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { contentText, withContent, type ClientEvent } from '../events/client-event.ts';
import type { TimelineRow } from '../storage/rows.ts';
import type { MembershipInterval } from './visibility.ts';

/** Whether the reader is shown what redaction leaves of the event. `intervals`: all that the reader ever was in the room. */
export function isErasedFor(row: Pick<TimelineRow, 'sender' | 'partition_number' | 'erased_at'>, userId: string, intervals: readonly MembershipInterval[]): boolean {
  if (typeof row.erased_at !== 'string' || row.sender === userId) return false;
  const sequences = JSON.parse(row.erased_at) as number[];
  const until = sequences[row.partition_number] ?? 0;
  return !intervals.some(({ membership, from_sequence: from }) => membership === 'join' && from <= until);
}

/** IDs of those rows of one room that the reader is shown redacted; undefined: of none, as nearly always. */
export function erasedAmong(rows: readonly (Parameters<typeof isErasedFor>[0] & Pick<TimelineRow, 'event_id'>)[], userId: string, intervals: readonly MembershipInterval[]): Set<string> | undefined {
  const erased = rows.filter((row) => isErasedFor(row, userId, intervals));
  return erased.length === 0 ? undefined : new Set(erased.map((row) => row.event_id));
}

/** What redaction leaves of the event, as clients see it. Nothing says that it was redacted: nobody has. */
export function erasedForm(event: ClientEvent): ClientEvent {
  const rules = versionOf(event).redaction;
  const content = redactContent(event.type, JSON.parse(contentText(event)) as Record<string, unknown>, rules);
  return withContent(event, JSON.stringify(content));
}

/** The same of the PDU as federation carries it. */
export function erasedRaw(event: ClientEvent, raw: string): string {
  return JSON.stringify(redact(JSON.parse(raw) as Pdu, versionOf(event)));
}

function versionOf({ roomVersion: id }: ClientEvent): NonNullable<ReturnType<typeof roomVersion>> {
  const version = roomVersion(id);
  // It was known when the event was rendered.
  if (version === undefined) throw new Error(`room version ${id} is not known`);
  return version;
}
