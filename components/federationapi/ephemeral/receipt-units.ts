/** Public receipts of users here, for the other servers of the room (server-server, "Receipts"). */
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { ReceiptSet, RoomOutput } from '../../../schemas/log/room-output.ts';
import type { EphemeralUnit } from '../sender/ephemeral.ts';

/** The receipt that others are to see; private ones are nobody's business. */
export function publicReceipt({ receipt }: RoomOutput, serverName: string): ReceiptSet | undefined {
  return receipt?.receiptType === 'm.read' && isLocalUser(receipt.userId, serverName) ? receipt : undefined;
}

export function receiptUnits(roomId: string, { userId, receiptType, eventId, threadId, ts }: ReceiptSet, destinations: Iterable<string>): EphemeralUnit[] {
  const data = { ts, ...(typeof threadId === 'string' && threadId !== '' && { thread_id: threadId }) };
  const edu = { edu_type: 'm.receipt', content: { [roomId]: { [receiptType]: { [userId]: { event_ids: [eventId], data } } } } };
  return [...destinations].map((destination) => ({ destination, key: `receipt ${roomId} ${userId} ${threadId ?? ''}`, edu }));
}
