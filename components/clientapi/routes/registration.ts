import { z } from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireAppservice } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { userId as formatUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { APPSERVICE_LOGIN, requireNotExclusive, requireOwnUser } from '../auth/appservice.ts';
import { createAccount, requireFree, requireGoodPassword, requireUnused, requireValid, sessionFields } from '../auth/create-account.ts';
import { registrationFlows } from '../auth/registration-flows.ts';
import { interact } from '../auth/uia.ts';
import { parseBody, text } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

const RANDOM_LOCALPART_LENGTH = 12;
/** Who registers is nobody yet. */
const NOBODY = '';

const registerBody = z.object({
  type: z.string().optional(),
  username: text.optional(),
  password: z.string().optional(),
  ...sessionFields,
});

/** POST /_matrix/client/v3/register — r0, changed in v1.2 (registration tokens) */
export async function register(context: Context, request: ApiRequest): Promise<ApiResponse> {
  requireUserKind(request.query.get('kind') ?? 'user');
  const interaction = interact(context, request, NOBODY);
  const body = parseBody(registerBody, interaction.parameters);
  if (body.type === APPSERVICE_LOGIN) return registerForAppservice(context, request, body);
  requireRegistration(context);
  const wanted = body.username === undefined ? undefined : await requireFree(context, body.username);
  if (body.password !== undefined) requireGoodPassword(body.password);
  const challenge = await interaction.challenge(registrationFlows(context.settings));
  if (challenge !== undefined) return challenge;
  if (body.password === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'password is missing');

  context.limits.take('registration', request.remoteAddress);
  const userId = wanted ?? formatUserId(context.runtime.random.token(RANDOM_LOCALPART_LENGTH).toLowerCase(), context.serverName);
  requireNotExclusive(context, userId);
  const passwordHash = await context.passwords.hash(body.password);
  return createAccount(context, request, { userId, passwordHash, session: body });
}

/** An account without a password, which is the application service's own; whether registration is open is for people. Names are taken as they are. */
async function registerForAppservice(context: Context, request: ApiRequest, body: z.infer<typeof registerBody>): Promise<ApiResponse> {
  requireAppservice(request, context.userQuery);
  if (body.username === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'username is missing');
  const userId = requireValid(context, body.username);
  requireOwnUser(context, request, userId, { status: 400, limit: 'registration' });
  await requireUnused(context, userId);
  return createAccount(context, request, { userId, passwordHash: '', session: body });
}

/** GET /_matrix/client/v3/register/available — r0 */
export async function checkUsernameAvailability(context: Context, request: ApiRequest): Promise<ApiResponse> {
  requireRegistration(context);
  context.limits.take('registration', request.remoteAddress);
  const username = request.query.get('username');
  if (username === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'username is missing');
  await requireFree(context, username);
  return ok({ available: true });
}

function requireUserKind(kind: string): void {
  if (kind === 'guest') throw new MatrixError(403, 'M_GUEST_ACCESS_FORBIDDEN', 'This server has no guest accounts');
  if (kind !== 'user') throw new MatrixError(400, 'M_INVALID_PARAM', 'kind must be user or guest');
}

function requireRegistration({ settings }: Context): void {
  if (settings.registration === 'closed') throw new MatrixError(403, 'M_FORBIDDEN', 'Registration is closed on this server');
}

export const registrationRoutes: readonly RouteSpec[] = [
  { handler: register, method: 'POST', path: `${CLIENT_V3}/register`, idempotent: false },
  { handler: checkUsernameAvailability, method: 'GET', path: `${CLIENT_V3}/register/available`, idempotent: true },
];
