import { z } from 'zod';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { endAccount } from '../accounts/end-account.ts';
import { BY_PASSWORD } from '../auth/password-stage.ts';
import { interact } from '../auth/uia.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const deactivateBody = z.object({ id_server: z.string().optional(), erase: z.boolean().default(false) });

/** POST /_matrix/client/v3/account/deactivate — r0, changed in v1.10 (erase). Nobody here has third-party identifiers that would have to be unbound. */
export async function deactivateAccount(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requireRequester(request, context.userQuery);
  const interaction = interact(context, request, userId);
  const { erase } = parseBody(deactivateBody, interaction.parameters);
  const challenge = await interaction.challenge(BY_PASSWORD);
  if (challenge !== undefined) return challenge;
  await endAccount(context, request, { userId, erase });
  return ok({ id_server_unbind_result: 'success' });
}

export const accountDeactivationRoutes: readonly RouteSpec[] = [{ handler: deactivateAccount, method: 'POST', path: `${CLIENT_V3}/account/deactivate`, idempotent: false }];
