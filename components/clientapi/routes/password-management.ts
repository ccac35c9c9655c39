import * as z from 'zod';
import { accessTokenOf } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { requireUnlocked } from '../accounts/standing.ts';
import { requireGoodPassword } from '../auth/create-account.ts';
import { BY_ANYONES_PASSWORD, BY_PASSWORD, userNamedIn } from '../auth/password-stage.ts';
import { interact } from '../auth/uia.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

const changeBody = z.object({ new_password: z.string(), logout_devices: z.boolean().default(true) });

/** Who has no session. */
const NOBODY = { userId: '', deviceId: '' };

/**
 * POST /_matrix/client/v3/account/password — r0. Without an access token, whoever says which account it is and knows its password may change it too.
 */
export async function changePassword(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const hasToken = accessTokenOf(request) !== undefined;
  const { userId, deviceId } = hasToken ? await limitedRequester(context, request, 'account') : NOBODY;
  if (!hasToken) context.limits.take('login', request.remoteAddress);
  const interaction = interact(context, request, userId);
  const { new_password: password, logout_devices: logsOutOthers } = parseBody(changeBody, interaction.parameters);
  requireGoodPassword(password);
  const challenge = await interaction.challenge(hasToken ? BY_PASSWORD : BY_ANYONES_PASSWORD);
  if (challenge !== undefined) return challenge;
  const whose = hasToken ? userId : userNamedIn(context, request);
  await requireUnlocked(context, whose);
  const passwordHash = await context.passwords.hash(password);
  await submitUserCommand(context, request, { userId: whose, changePassword: { passwordHash, logsOutOthers, deviceId } });
  return EMPTY;
}

export const passwordManagementRoutes: readonly RouteSpec[] = [{ handler: changePassword, method: 'POST', path: `${CLIENT_V3}/account/password`, idempotent: false }];
