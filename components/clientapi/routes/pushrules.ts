import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { mergedRules, requireRule, RuleRefusal } from '../../../pkg/matrix/push-rules/change-rules.ts';
import { PUSH_RULE_KINDS, type PushRule, type PushRuleKind, type PushRuleset } from '../../../pkg/matrix/push-rules/default-rules.ts';
import { jsonObject, parseBody, text, textUpTo } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** Longest ID of a rule, and longest pattern, in characters. */
const RULE_ID_LENGTH_MAX = 512;
const PATTERN_LENGTH_MAX = 1024;

const pattern = textUpTo(PATTERN_LENGTH_MAX);
const actions = z.array(z.union([text, jsonObject.refine(({ set_tweak: tweak }) => typeof tweak === 'string', 'set_tweak must be there')]));
const condition = z.looseObject({ kind: text, key: text.optional(), pattern: pattern.optional(), is: text.optional(), value: z.union([text, z.int(), z.boolean(), z.null()]).optional() });
const ruleBody = z.object({ actions, conditions: z.array(condition).optional(), pattern: pattern.optional() });
const contentRuleBody = z.object({ actions, conditions: z.array(condition).optional(), pattern });
const enabledBody = z.object({ enabled: z.boolean() });
const actionsBody = z.object({ actions });

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
  return ok({ ...(await ruleNamed(context, request)) });
}

/** PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId} — r0 */
export async function setPushRule(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'settings');
  const kind = requireKind(request);
  const ruleId = requireOwnRuleId(request.params['ruleId'], 'The ID of a rule');
  const [before, after] = [besideOf(request, 'before'), besideOf(request, 'after')];
  const given = parseBody<z.infer<typeof ruleBody>>(kind === 'content' ? contentRuleBody : ruleBody, request.body);
  const conditions = kind === 'override' || kind === 'underride' ? { conditions: given.conditions ?? [] } : {};
  const rule = { actions: given.actions, ...conditions, ...(kind === 'content' && { pattern: given.pattern }) };
  await submitUserCommand(context, request, { userId, putPushRule: { kind, ruleId, rule: jsonBytes(rule), before, after } });
  return EMPTY;
}

/** DELETE /_matrix/client/v3/pushrules/global/{kind}/{ruleId} — r0 */
export async function deletePushRule(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'settings');
  await submitUserCommand(context, request, { userId, deletePushRule: { kind: requireKind(request), ruleId: requireRuleId(request.params['ruleId']) } });
  return EMPTY;
}

/** GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled — r0 */
export async function isPushRuleEnabled(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ enabled: (await ruleNamed(context, request)).enabled });
}

/** PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled — r0 */
export async function setPushRuleEnabled(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return change(context, request, { property: 'enabled', value: () => parseBody(enabledBody, request.body).enabled });
}

/** GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions — r0 */
export async function getPushRuleActions(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok({ actions: (await ruleNamed(context, request)).actions });
}

/** PUT /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions — r0 */
export async function setPushRuleActions(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return change(context, request, { property: 'actions', value: () => parseBody(actionsBody, request.body).actions });
}

async function change(context: Context, request: ApiRequest, { property, value }: { property: string; value: () => unknown }): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'settings');
  const place = { kind: requireKind(request), ruleId: requireRuleId(request.params['ruleId']) };
  await submitUserCommand(context, request, { userId, changePushRule: { ...place, property, value: jsonBytes(value()) } });
  return EMPTY;
}

async function rulesOf(context: Context, request: ApiRequest): Promise<PushRuleset> {
  const { userId } = await requireRequester(request, context.userQuery);
  const stored = await context.userQuery.accountData(userId, '', 'm.push_rules');
  return mergedRules(userId, stored === undefined ? undefined : JSON.parse(stored));
}

async function ruleNamed(context: Context, request: ApiRequest): Promise<PushRule> {
  const rules = await rulesOf(context, request);
  try {
    return requireRule(rules, requireKind(request), request.params['ruleId']!);
  } catch (error) {
    if (error instanceof RuleRefusal) throw new MatrixError(error.status, error.errcode, error.message);
    throw error;
  }
}

function requireKind(request: ApiRequest): PushRuleKind {
  const kind = PUSH_RULE_KINDS.find((one) => one === request.params['kind']);
  if (kind === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', 'There is no such kind of push rule');
  return kind;
}

function requireRuleId(ruleId: string | undefined): string {
  if (ruleId === undefined || ruleId.includes('\0')) throw new MatrixError(400, 'M_INVALID_PARAM', 'The ID of a rule has no NUL in it');
  return ruleId;
}

/** The ID of a rule that users can make. */
function requireOwnRuleId(ruleId: string | undefined, name: string): string {
  const id = requireRuleId(ruleId);
  if (id.startsWith('.')) throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must not begin with a dot: those are the server’s`);
  if (/[/\\]/.test(id) || id.length > RULE_ID_LENGTH_MAX || id === '') throw new MatrixError(400, 'M_INVALID_PARAM', `${name} has no slashes in it, and 1 to ${RULE_ID_LENGTH_MAX} characters`);
  return id;
}

/** Empty: none. */
function besideOf(request: ApiRequest, name: string): string {
  const ruleId = request.query.get(name);
  return ruleId === null || ruleId === '' ? '' : requireOwnRuleId(ruleId, name);
}

function jsonBytes(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

const ALL = `${CLIENT_V3}/pushrules/`;
const RULE = `${ALL}global/{kind}/{ruleId}`;

export const pushrulesRoutes: readonly RouteSpec[] = [
  { handler: getPushRules, method: 'GET', path: ALL, idempotent: true },
  { handler: getPushRulesGlobal, method: 'GET', path: `${ALL}global/`, idempotent: true },
  { handler: getPushRule, method: 'GET', path: RULE, idempotent: true },
  { handler: setPushRule, method: 'PUT', path: RULE, idempotent: true },
  { handler: deletePushRule, method: 'DELETE', path: RULE, idempotent: false },
  { handler: isPushRuleEnabled, method: 'GET', path: `${RULE}/enabled`, idempotent: true },
  { handler: setPushRuleEnabled, method: 'PUT', path: `${RULE}/enabled`, idempotent: true },
  { handler: getPushRuleActions, method: 'GET', path: `${RULE}/actions`, idempotent: true },
  { handler: setPushRuleActions, method: 'PUT', path: `${RULE}/actions`, idempotent: true },
];
