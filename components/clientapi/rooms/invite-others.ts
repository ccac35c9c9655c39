/** Invites of users of other servers to a room that has just been made. */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import type { StateWanted } from './plan-room.ts';

/** How long the request for the room waits for all of them together. */
const ALL_MS_MAX = 60_000;
const EACH_MS_MAX = 30_000;

/**
 * Sends the invites one after another, so that each follows the one before in the room's graph. The room is there in any case: an invite that fails, or for which there is no
 * time any more, is only logged (Client-Server API, POST /createRoom).
 */
export async function inviteOthers(context: Context, request: ApiRequest, requester: Requester, { roomId, invites }: { roomId: string; invites: readonly StateWanted[] }): Promise<void> {
  const { clock } = context.runtime;
  const endsAt = clock.monotonic() + ALL_MS_MAX;
  for (const { type, stateKey, content } of invites) {
    const deadlineMs = Math.min(EACH_MS_MAX, Math.floor(endsAt - clock.monotonic()));
    const event = { type, stateKey, content: contentBytes({ ...content }) };
    const sendEvent = { sender: requester.userId, deviceId: requester.deviceId, txnId: '', event };
    const sent = deadlineMs > 0 ? submitRoomCommand(context, request, { roomId, sendEvent }, { deadlineMs }) : Promise.reject(new Error('there was no time left'));
    await sent.catch((error: unknown) => request.logger.warn({ roomId, userId: stateKey, error }, 'a user of another server could not be invited to a new room'));
  }
}
