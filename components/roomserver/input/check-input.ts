/** What no input may hold, whatever it asks for. */
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { refused } from './refused.ts';

/** Throws `PoisonRecord` when the bytes are no input, or one of a kind that this version does not know. */
export function decodeInput(record: Uint8Array): RoomInput {
  const input = roomInputCodec.decode(record);
  if (input.roomId === '') throw new PoisonRecord('a room input without a room');
  if (!input.createRoom && !input.sendEvent && !input.setReceipt && !input.setTyping) throw new PoisonRecord('a room input of an unknown kind');
  if ((input.sendEvent && !input.sendEvent.event) || input.originServerTs < 0) throw new PoisonRecord('a room input without its body');
  return input;
}

/**
 * Identifiers that no database column and no canonical JSON can hold: with NUL or half a surrogate pair. They come from URLs of clients.
 */
export function textProblem(input: RoomInput): RejectedOutcome | undefined {
  for (const text of textsOf(input)) {
    if (text !== null && text !== undefined && (text.includes('\0') || !text.isWellFormed())) {
      return refused(400, 'M_INVALID_PARAM', 'An identifier of the request holds a character that is not allowed');
    }
  }
  return undefined;
}

function textsOf(input: RoomInput): (string | null | undefined)[] {
  const { sendEvent, setReceipt, setTyping, createRoom } = input;
  if (sendEvent) return [input.roomId, sendEvent.sender, sendEvent.deviceId, sendEvent.txnId, sendEvent.event.type, sendEvent.event.stateKey, sendEvent.event.redacts];
  if (setReceipt) return [input.roomId, setReceipt.userId, setReceipt.receiptType, setReceipt.eventId, setReceipt.threadId];
  if (createRoom) return [input.roomId, createRoom.sender, createRoom.roomVersion, ...createRoom.events.flatMap((draft) => [draft.type, draft.stateKey, draft.redacts])];
  return [input.roomId, setTyping?.userId];
}
