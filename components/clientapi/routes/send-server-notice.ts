/** Notices of this server to one of its users: the door that Synapse's tools use. Not of the spec; the exchange is described in Synapse's documentation, "Server Notices". */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { jsonObject, parseBody, text } from '../checks/body.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireEventField } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { inputIdOf, RANDOM_INPUT_ID } from '../outcome/input-id.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { noticeRoomFor } from '../rooms/notice-room.ts';
import { ok, type RouteSpec } from './client-route.ts';

const PATH = '/_synapse/admin/v1/send_server_notice';

const noticeBody = z.object({ user_id: z.string(), content: jsonObject, type: text.default('m.room.message'), state_key: text.optional() });

/** POST /_synapse/admin/v1/send_server_notice, and PUT with a transaction ID. */
export async function sendServerNotice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requireRequester(request, context.userQuery);
  if (!requester.isAdmin) throw new MatrixError(403, 'M_FORBIDDEN', 'This is for administrators of this server');
  const { serverNotices } = context.settings;
  if (serverNotices === undefined) throw new MatrixError(400, 'M_UNKNOWN', 'Server notices are not enabled: server_notices_localpart is empty');
  const wanted = parseBody(noticeBody, request.body);
  await requireUser(context, wanted.user_id);
  const event = {
    type: requireEventField(wanted.type, 'event type'), content: contentBytes(wanted.content), ...(wanted.state_key !== undefined && { stateKey: requireEventField(wanted.state_key, 'state key') }),
  };
  const { roomId, sender } = await noticeRoomFor(context, request, serverNotices, wanted.user_id);
  const inputId = request.params['txnId'] === undefined ? RANDOM_INPUT_ID : inputIdOf(requester, request);
  return ok(await submitRoomCommand(context, request, { roomId, inputId, sendEvent: { sender, deviceId: '', txnId: '', event } }));
}

/** Throws 400 M_UNKNOWN for users of other servers, 404 M_NOT_FOUND. */
async function requireUser({ userQuery, serverName }: Context, userId: string): Promise<void> {
  if (!isLocalUser(userId, serverName)) throw new MatrixError(400, 'M_UNKNOWN', 'Server notices can only be sent to users of this server');
  const account = await userQuery.account(userId);
  if (account === undefined || account.isDeactivated) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user here');
}

export const sendServerNoticeRoutes: readonly RouteSpec[] = [
  { handler: sendServerNotice, method: 'POST', path: PATH, idempotent: false },
  { handler: sendServerNotice, method: 'PUT', path: `${PATH}/{txnId}`, idempotent: true },
];
