import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { hashOf, sessionSettings } from '../auth/new-device.ts';
import { BY_PASSWORD } from '../auth/password-stage.ts';
import { interact } from '../auth/uia.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { limitedRequester, ok, type RouteSpec } from './client-route.ts';

export const LOGIN_TOKEN_MS = 120_000;
/** More than 250 bits. */
const LOGIN_TOKEN_LENGTH = 43;

/** POST /_matrix/client/v1/login/get_token — v1.7 */
export async function generateLoginToken(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'account');
  if (!(await mayHaveLoginTokens(context, userId))) throw new MatrixError(400, 'M_UNKNOWN', 'There are no login tokens for this user');
  const challenge = await interact(context, request, userId).challenge(BY_PASSWORD);
  if (challenge !== undefined) return challenge;
  const loginToken = `myt_${context.runtime.random.token(LOGIN_TOKEN_LENGTH)}`;
  await submitUserCommand(context, request, { userId, issueToken: { purpose: 'login', tokenHash: hashOf(loginToken), expiresMs: context.runtime.clock.now() + LOGIN_TOKEN_MS } });
  return ok({ login_token: loginToken, expires_in_ms: LOGIN_TOKEN_MS });
}

/** Who has no password cannot confirm that they want one. */
async function mayHaveLoginTokens(context: Pick<Context, 'settings' | 'userQuery'>, userId: string): Promise<boolean> {
  const secret = await context.userQuery.loginSecret(userId);
  return sessionSettings(context).loginTokens && secret !== undefined && secret.passwordHash !== '';
}

export const loginTokenRoutes: readonly RouteSpec[] = [{ handler: generateLoginToken, method: 'POST', path: '/_matrix/client/v1/login/get_token', idempotent: false }];
