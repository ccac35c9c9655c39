import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { requireUnlocked } from '../accounts/standing.ts';
import { familyOf, hashOf, newTokens } from '../auth/new-device.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const refreshBody = z.object({ refresh_token: z.string() });

/** POST /_matrix/client/v3/refresh — v1.3 */
export async function refresh(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { refresh_token: refreshToken } = parseBody(refreshBody, request.body);
  context.limits.take('refresh', request.remoteAddress);
  const family = familyOf(refreshToken);
  const session = family === undefined ? undefined : await context.userQuery.sessionOfFamily(hashOf(family));
  if (family === undefined || session === undefined) throw new MatrixError(401, 'M_UNKNOWN_TOKEN', 'The refresh token is not known (any more)', { fields: { soft_logout: false } });
  await requireUnlocked(context, session.userId);
  const { tokenHash, refreshHash, familyHash, expiresMs, refreshExpiresMs, fields } = newTokens(context, family);
  await submitUserCommand(context, request, {
    userId: session.userId,
    refreshTokens: { deviceId: session.deviceId, refreshHash: hashOf(refreshToken), familyHash, newTokenHash: tokenHash, expiresMs, newRefreshHash: refreshHash, refreshExpiresMs },
  });
  return ok({ ...fields });
}

export const refreshRoutes: readonly RouteSpec[] = [{ handler: refresh, method: 'POST', path: `${CLIENT_V3}/refresh`, idempotent: true }];
