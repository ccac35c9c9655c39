import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isRegistrationToken } from '../auth/registration-token.ts';
import type { Context } from '../context.ts';
import { ok, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v1/register/m.login.registration_token/validity — v1.2 */
export async function registrationTokenValidity(context: Context, request: ApiRequest): Promise<ApiResponse> {
  context.limits.take('registration', request.remoteAddress);
  if (context.settings.registration === 'closed') throw new MatrixError(403, 'M_FORBIDDEN', 'Registration is closed on this server');
  const token = request.query.get('token');
  if (token === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'token is missing');
  return ok({ valid: await isRegistrationToken(context, token) });
}

export const registrationTokensRoutes: readonly RouteSpec[] = [
  { handler: registrationTokenValidity, method: 'GET', path: '/_matrix/client/v1/register/m.login.registration_token/validity', idempotent: true },
];
