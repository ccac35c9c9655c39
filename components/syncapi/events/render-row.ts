/** Timeline events as their readers see them. */
import type { SeenRow } from '../storage/rows.ts';
import { erasedForm, isErasedFor } from '../visibility/erased.ts';
import { isOwnMembership, membershipAtEvent, type MembershipInterval } from '../visibility/visibility.ts';
import { renderEvent, type ClientEvent } from './client-event.ts';

export interface RowReader {
  readonly events: ReadonlyMap<string, ClientEvent>;
  readonly userId: string;
  readonly deviceId: string;
  readonly intervals: readonly MembershipInterval[];
  readonly nowMs: number;
  /** /sync leaves it out. */
  readonly withRoomId: boolean;
  /** Those of the events beside it that the reader is shown as redacted (`erasedAmong`): none of them is shown as what stood there before. */
  readonly erased?: ReadonlySet<string> | undefined;
  /** By event ID: what is told of the events that relate to it, as JSON text. */
  readonly bundles?: ReadonlyMap<string, { readonly text: string }>;
}

/** JSON text of a timeline event for one reader. `events` holds what redacted it, and what it replaced where the reader may see that (`visibleReplaced`). */
export function renderTimelineRow(row: SeenRow, event: ClientEvent, reader: RowReader): string {
  const isOwnSend = row.txn_id !== '' && row.sender === reader.userId && row.device_id === reader.deviceId;
  const unsigned = {
    nowMs: reader.nowMs,
    transactionId: isOwnSend ? row.txn_id : undefined,
    membership: isOwnMembership(row, reader.userId) ? event.membership : (membershipAtEvent(row, reader.userId, reader.intervals) ?? 'leave'),
    replaces: row.replaces === '' ? undefined : row.replaces,
    replaced: reader.erased?.has(row.replaces) === true ? undefined : reader.events.get(row.replaces),
    redactedBecause: event.redactedBy === null ? undefined : reader.events.get(event.redactedBy),
    relations: reader.bundles?.get(row.event_id)?.text,
  };
  const shown = isErasedFor(row, reader.userId, reader.intervals) ? erasedForm(event) : event;
  return renderEvent(shown, unsigned, reader.withRoomId);
}
