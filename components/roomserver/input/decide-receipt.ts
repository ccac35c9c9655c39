import type { SetReceipt } from '../../../schemas/log/room-input.ts';
import { receiptRef } from '../storage/refs.ts';
import { headerOf, NO_EFFECTS, rejected, type Deciding, type RoomDecision } from './decision.ts';
import type { ReceiptRow } from './effects.ts';
import { encodeReceipt } from './outputs.ts';
import { forbidden, refused } from './refused.ts';
import { membershipOf, type RoomHead } from './room-head.ts';
import { isOutsideThread } from './thread.ts';

/** Longest thread ID that can be one: an event ID, or `main`. */
const THREAD_ID_LENGTH_MAX = 255;

/**
 * PURE. Receipts only go forward: one for an event at or before that of the present receipt of the same (user, type, thread) changes nothing (spec: client-server, "Receipts").
 */
export function decideReceipt({ input, picture, place }: Deciding, head: RoomHead, set: SetReceipt): RoomDecision {
  const threadId = set.threadId ?? '';
  if (set.threadId === '' || threadId.length > THREAD_ID_LENGTH_MAX) return rejected(refused(400, 'M_INVALID_PARAM', 'thread_id is neither "main" nor an event ID'));
  if (membershipOf(head, set.userId) !== 'join') return rejected(forbidden(`${set.userId} is not joined to the room`));
  const event = picture.events.get(set.eventId);
  if (event === undefined || event.roomId !== head.roomId) return rejected(refused(404, 'M_NOT_FOUND', 'The event of the receipt is not in this room'));
  if (isOutsideThread(event, threadId)) return rejected(refused(400, 'M_INVALID_PARAM', 'The event of the receipt is not in the thread of thread_id'));
  const present = picture.receipts.get(receiptRef(head.roomId, set.userId, set.receiptType, threadId));
  if (present !== undefined && present >= event.orderKey) return { kind: 'accepted', effects: NO_EFFECTS, outputs: [], result: {} };
  const receipt: ReceiptRow = {
    roomId: head.roomId, userId: set.userId, receiptType: set.receiptType, threadId, eventId: set.eventId, orderKey: event.orderKey, ts: set.ts, sequence: place.nextSequence,
  };
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, events: [], redactions: [], receipt },
    outputs: [encodeReceipt(headerOf(input, head.version.id), receipt)],
    result: {},
  };
}
