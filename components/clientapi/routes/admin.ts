import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { AccountDetails, Requester } from '../../../schemas/ports/user-query.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const CLIENT_V1 = '/_matrix/client/v1';
const lockBody = z.object({ locked: z.boolean() });
const suspendBody = z.object({ suspended: z.boolean() });

/** GET /_matrix/client/v3/admin/whois/{userId} — r0. Of oneself, or by an administrator. */
export async function getWhoIs(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requireRequester(request, context.userQuery);
  const userId = request.params['userId'] ?? '';
  if (!requester.isAdmin && requester.userId !== userId) throw new MatrixError(403, 'M_FORBIDDEN', 'This is for administrators of this server');
  if (await context.userQuery.account(userId) === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user here');
  const devices = await context.userQuery.devicesSeen(userId);
  return ok({ user_id: userId, devices: Object.fromEntries(devices.map(({ deviceId, seenAtMs, seenIp }) => {
    const connections = seenAtMs > 0 ? [{ last_seen: seenAtMs, ...(seenIp !== '' && { ip: seenIp }) }] : [];
    return [deviceId, { sessions: [{ connections }] }];
  })) });
}

/** GET /_matrix/client/v1/admin/lock/{userId} — v1.18 */
export async function getAdminLockUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { target } = await moderated(context, request);
  return ok({ locked: target.isLocked });
}

/** PUT /_matrix/client/v1/admin/lock/{userId} — v1.18 */
export async function setAdminLockUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { requester, target } = await moderated(context, request);
  const { locked } = parseBody(lockBody, request.body);
  await setFlag(context, request, { requester, target, flag: 'locked', isSet: locked });
  return ok({ locked });
}

/** GET /_matrix/client/v1/admin/suspend/{userId} — v1.18 */
export async function getAdminSuspendUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { target } = await moderated(context, request);
  return ok({ suspended: target.isSuspended });
}

/** PUT /_matrix/client/v1/admin/suspend/{userId} — v1.18 */
export async function setAdminSuspendUser(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { requester, target } = await moderated(context, request);
  const { suspended } = parseBody(suspendBody, request.body);
  await setFlag(context, request, { requester, target, flag: 'suspended', isSet: suspended });
  return ok({ suspended });
}

/** Who asks, an administrator, and about whom. Nobody else learns which accounts there are. Throws 403, 400 M_INVALID_PARAM and 404, in this order. */
async function moderated(context: Context, request: ApiRequest): Promise<{ requester: Requester; target: AccountDetails }> {
  const requester = await requireRequester(request, context.userQuery);
  if (!requester.isAdmin) throw new MatrixError(403, 'M_FORBIDDEN', 'This is for administrators of this server');
  const userId = request.params['userId'] ?? '';
  if (!isUserId(userId) || !isLocalUser(userId, context.serverName)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is no user of this server');
  const target = await context.userQuery.accountDetails(userId);
  if (target === undefined || target.isDeactivated) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user here');
  if (target.isAdmin && userId !== requester.userId) throw new MatrixError(403, 'M_FORBIDDEN', 'This user is an administrator too');
  return { requester, target };
}

interface FlagWish {
  readonly requester: Requester;
  readonly target: AccountDetails;
  readonly flag: 'locked' | 'suspended';
  readonly isSet: boolean;
}

async function setFlag(context: Context, request: ApiRequest, { requester, target, flag, isSet }: FlagWish): Promise<void> {
  if (target.userId === requester.userId) throw new MatrixError(403, 'M_FORBIDDEN', 'Administrators cannot do this to themselves');
  await submitUserCommand(context, request, { userId: target.userId, setAccountFlag: { flag, isSet } });
}

export const adminRoutes: readonly RouteSpec[] = [
  { handler: getWhoIs, method: 'GET', path: `${CLIENT_V3}/admin/whois/{userId}`, idempotent: true },
  { handler: getAdminLockUser, method: 'GET', path: `${CLIENT_V1}/admin/lock/{userId}`, idempotent: true },
  { handler: setAdminLockUser, method: 'PUT', path: `${CLIENT_V1}/admin/lock/{userId}`, idempotent: true },
  { handler: getAdminSuspendUser, method: 'GET', path: `${CLIENT_V1}/admin/suspend/{userId}`, idempotent: true },
  { handler: setAdminSuspendUser, method: 'PUT', path: `${CLIENT_V1}/admin/suspend/{userId}`, idempotent: true },
];
