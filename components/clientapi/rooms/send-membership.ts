/** Changes of membership: each is a member event whose state key is the user concerned. */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';

export interface MembershipChange {
  readonly roomId: string;
  readonly userId: string;
  /** Servers to ask when this one is not in the room. */
  readonly via?: readonly string[];
  /** How long that may take; 30 s without. */
  readonly deadlineMs?: number | undefined;
  /** What the user must be in the room; anything without. */
  readonly onlyFrom?: readonly string[];
  readonly content: { membership: 'join' | 'invite' | 'leave' | 'ban' | 'knock'; reason?: string | undefined; [key: string]: unknown };
}

/** Sends the member event. Throws `MatrixError` when the room's owner refuses it. */
export async function sendMembership(context: Context, request: ApiRequest, requester: Requester, change: MembershipChange): Promise<void> {
  const event = { type: 'm.room.member', stateKey: change.userId, content: contentBytes(change.content) };
  const sendEvent = {
    sender: requester.userId, deviceId: requester.deviceId, txnId: '', event, via: [...(change.via ?? [])], ...(requester.isGuest && { isGuest: true }),
    ...(change.onlyFrom && { onlyFrom: [...change.onlyFrom] }),
  };
  await submitRoomCommand(context, request, { roomId: change.roomId, sendEvent }, { deadlineMs: change.deadlineMs });
}
