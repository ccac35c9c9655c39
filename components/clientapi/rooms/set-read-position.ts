/** How far a user has read a room: receipts, which the room's owner keeps, and the fully-read marker, which is account data. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand, submitUserCommand } from '../outcome/submit.ts';
import { currentMember } from './current-member.ts';

export const FULLY_READ = 'm.fully_read';

export interface ReadPosition {
  readonly roomId: string;
  /** m.read, m.read.private or m.fully_read. */
  readonly receiptType: string;
  readonly eventId: string;
  readonly threadId?: string | undefined;
}

export async function setReadPosition(context: Context, request: ApiRequest, requester: Requester, position: ReadPosition): Promise<void> {
  if (position.receiptType === FULLY_READ) await setFullyRead(context, request, requester, position);
  else await setReceipt(context, request, requester, position);
}

async function setReceipt(context: Context, request: ApiRequest, { userId }: Requester, { roomId, receiptType, eventId, threadId }: ReadPosition): Promise<void> {
  const ts = context.runtime.clock.now();
  await submitRoomCommand(context, request, { roomId, setReceipt: { userId, receiptType, eventId, ts, ...(threadId !== undefined && { threadId }) } });
}

async function setFullyRead(context: Context, request: ApiRequest, { userId }: Requester, { roomId, eventId }: ReadPosition): Promise<void> {
  const [member, [event]] = await Promise.all([currentMember(context.roomQuery, roomId, userId), context.roomQuery.eventsById([eventId])]);
  if (member?.membership !== 'join') throw new MatrixError(403, 'M_FORBIDDEN', 'You are not in this room');
  if (event?.roomId !== roomId) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such event in this room');
  const content = Buffer.from(JSON.stringify({ event_id: eventId }));
  await submitUserCommand(context, request, { userId, setAccountData: { roomId, type: FULLY_READ, content } });
}
