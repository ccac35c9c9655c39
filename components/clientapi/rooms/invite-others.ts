/** Invites of users of other servers to a room that has just been made. */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { contentBytes } from '../checks/event-content.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import type { StateWanted } from './plan-room.ts';

/** How long the request for the room waits for each of them, and for all together. */
const EACH_MS_MAX = 15_000;
const ALL_MS_MAX = 60_000;

export interface Invites {
  readonly roomId: string;
  /** The member events. */
  readonly invites: readonly StateWanted[];
}

/**
 * Sends the invites one after another, so that each follows the one before in the room's graph; when that has taken too long, the rest at once without waiting. The room is
 * there in any case: what fails is only logged (Client-Server API, POST /createRoom).
 */
export async function inviteOthers(context: Context, request: ApiRequest, requester: Requester, { roomId, invites }: Invites): Promise<void> {
  const { clock } = context.runtime;
  const endsAt = clock.monotonic() + ALL_MS_MAX;
  for (const { type, stateKey, content } of invites) {
    const event = { type, stateKey, content: contentBytes({ ...content }) };
    const sendEvent = { sender: requester.userId, deviceId: requester.deviceId, txnId: '', event };
    const sent = submitRoomCommand(context, request, { roomId, sendEvent }, { deadlineMs: EACH_MS_MAX }).then(
      () => undefined,
      (error: unknown) => request.logger.warn({ roomId, userId: stateKey, error }, 'a user of another server was not invited to a new room in time'),
    );
    if (clock.monotonic() < endsAt) await sent;
  }
}
