import { NO_DEVICE } from '../../../pkg/http/appservices.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

const ALL_DEVICES = '';

/** POST /_matrix/client/v3/logout — r0 */
export async function logout(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, deviceId } = await requireRequester(request, context.userQuery, 'allowed');
  // As an input it would mean all devices.
  if (deviceId === NO_DEVICE) throw new MatrixError(403, 'M_FORBIDDEN', 'An application service that acts on no device has nothing to log out of');
  await submitUserCommand(context, request, { userId, logout: { deviceId } });
  return EMPTY;
}

/** POST /_matrix/client/v3/logout/all — r0 */
export async function logout_all(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requireRequester(request, context.userQuery, 'allowed');
  await submitUserCommand(context, request, { userId, logout: { deviceId: ALL_DEVICES } });
  return EMPTY;
}

export const logoutRoutes: readonly RouteSpec[] = [
  { handler: logout, method: 'POST', path: `${CLIENT_V3}/logout`, body: 'none', idempotent: false },
  { handler: logout_all, method: 'POST', path: `${CLIENT_V3}/logout/all`, body: 'none', idempotent: false },
];
