import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import type { RoomOutput } from '../../../schemas/log/room-output.ts';

/** A room-output record, its event parsed once. */
export interface DecodedRoomOutput {
  readonly record: RoomOutput;
  /** Of an event's record. */
  readonly pdu: Pdu | undefined;
}
