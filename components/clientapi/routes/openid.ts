import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { hashOf } from '../auth/new-device.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, limitedRequester, ok, requireSelf, type RouteSpec } from './client-route.ts';

const OPENID_TOKEN_MS = 3_600_000;
/** More than 250 bits. */
const OPENID_TOKEN_LENGTH = 43;

/** POST /_matrix/client/v3/user/{userId}/openid/request_token — r0. Whoever gets the token asks this server whose it is (`/_matrix/federation/v1/openid/userinfo`). */
export async function requestOpenIdToken(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'account');
  requireSelf(requester, request.params['userId']);
  const token = `myo_${context.runtime.random.token(OPENID_TOKEN_LENGTH)}`;
  const issueToken = { purpose: 'openid', tokenHash: hashOf(token), expiresMs: context.runtime.clock.now() + OPENID_TOKEN_MS };
  await submitUserCommand(context, request, { userId: requester.userId, issueToken });
  return ok({ access_token: token, token_type: 'Bearer', matrix_server_name: context.serverName, expires_in: OPENID_TOKEN_MS / 1000 });
}

export const openidRoutes: readonly RouteSpec[] = [{ handler: requestOpenIdToken, method: 'POST', path: `${CLIENT_V3}/user/{userId}/openid/request_token`, idempotent: true }];
