import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { SequencedRecord } from '../../../pkg/log/applier.ts';
import type { RoomOutput, StateChange } from '../../../schemas/log/room-output.ts';
import { parsePdu } from '../events/client-event.ts';

/** A room-output record, its event parsed once. */
export interface DecodedRoomOutput {
  readonly record: RoomOutput;
  /** Of an event's record. */
  readonly pdu: Pdu | undefined;
}

export type Records = readonly SequencedRecord<DecodedRoomOutput>[];

/** What the record changes in the room's current state. */
export function changesOf({ record }: DecodedRoomOutput): readonly StateChange[] {
  return record.event?.stateDelta ?? record.stateSlice?.changes ?? [];
}

/** Whether the change is made by the record's own event. */
export function isOwnChange({ record }: DecodedRoomOutput, change: StateChange): boolean {
  return change.eventId !== '' && change.eventId === record.event?.eventId;
}

/** The event of a change, where the record has it. */
export function pduOf(output: DecodedRoomOutput, change: StateChange): Pdu | undefined {
  if (isOwnChange(output, change)) return output.pdu;
  const slice = output.record.stateSlice;
  const bytes = slice?.pdus[slice.changes.indexOf(change)];
  return bytes === undefined ? undefined : parsePdu(bytes);
}
