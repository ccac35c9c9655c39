import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { defaultPushRules, PUSH_RULE_KINDS, type PushRule, type PushRuleset } from '../../../pkg/matrix/push-rules/default-rules.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/pushrules/ — r0 */
export async function getPushRules(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ global: await rulesOf(context, request) });
}

/** GET /_matrix/client/v3/pushrules/global/ — r0 */
export async function getPushRulesGlobal(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ ...(await rulesOf(context, request)) });
}

/** GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId} — r0 */
export async function getPushRule(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ ...(await requireRule(context, request)) });
}

/** GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled — r0 */
export async function isPushRuleEnabled(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ enabled: (await requireRule(context, request)).enabled });
}

/** GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions — r0 */
export async function getPushRuleActions(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ actions: (await requireRule(context, request)).actions });
}

/** Everybody has the default rules: they cannot be changed yet. */
async function rulesOf(context: Context, request: ApiRequest): Promise<PushRuleset> {
  const { userId } = await requireRequester(request, context.userQuery);
  return defaultPushRules(userId);
}

async function requireRule(context: Context, request: ApiRequest): Promise<PushRule> {
  const rules = await rulesOf(context, request);
  const kind = PUSH_RULE_KINDS.find((one) => one === request.params['kind']);
  if (kind === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', 'There is no such kind of push rule');
  const rule = rules[kind].find((one) => one.rule_id === request.params['ruleId']);
  if (rule === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such push rule');
  return rule;
}

const RULE = `${CLIENT_V3}/pushrules/global/{kind}/{ruleId}`;

export const pushrulesRoutes: readonly RouteSpec[] = [
  { handler: getPushRules, method: 'GET', path: `${CLIENT_V3}/pushrules/`, idempotent: true },
  { handler: getPushRulesGlobal, method: 'GET', path: `${CLIENT_V3}/pushrules/global/`, idempotent: true },
  { handler: getPushRule, method: 'GET', path: RULE, idempotent: true },
  { handler: isPushRuleEnabled, method: 'GET', path: `${RULE}/enabled`, idempotent: true },
  { handler: getPushRuleActions, method: 'GET', path: `${RULE}/actions`, idempotent: true },
];
