import * as z from 'zod';
import { accessTokenOf } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { endAccount } from '../accounts/end-account.ts';
import { requireUnlocked } from '../accounts/standing.ts';
import { BY_ANYONES_PASSWORD, BY_PASSWORD, userNamedIn } from '../auth/password-stage.ts';
import { interact } from '../auth/uia.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

const deactivateBody = z.object({ id_server: z.string().optional(), erase: z.boolean().default(false) });

/**
 * POST /_matrix/client/v3/account/deactivate — r0, changed in v1.10 (erase). Without an access token, whoever says which account it is and knows its password may end it too. Nobody here has
 * third-party identifiers that would have to be unbound.
 */
export async function deactivateAccount(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const hasToken = accessTokenOf(request) !== undefined;
  const { userId, isAppservice } = hasToken ? await limitedRequester(context, request, 'account') : { userId: '', isAppservice: false };
  if (!hasToken) context.limits.take('login', request.remoteAddress);
  const interaction = interact(context, request, userId);
  const { erase } = parseBody(deactivateBody, interaction.parameters);
  // Its users have no password; that it is the application service its token has shown.
  const challenge = isAppservice === true ? undefined : await interaction.challenge(hasToken ? BY_PASSWORD : BY_ANYONES_PASSWORD);
  if (challenge !== undefined) return challenge;
  const whose = hasToken ? userId : userNamedIn(context, request);
  await requireUnlocked(context, whose);
  await endAccount(context, request, { userId: whose, erase });
  return ok({ id_server_unbind_result: 'success' });
}

export const accountDeactivationRoutes: readonly RouteSpec[] = [{ handler: deactivateAccount, method: 'POST', path: `${CLIENT_V3}/account/deactivate`, idempotent: false }];
