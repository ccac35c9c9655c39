import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { accessTokenOf, requireAppservice } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { userIdFromLogin } from '../../../pkg/matrix/ids/user-id.ts';
import { requireUnlocked } from '../accounts/standing.ts';
import { APPSERVICE_LOGIN, requireOwnUser } from '../auth/appservice.ts';
import { userIdentifier, userNameOf } from '../auth/identifier.ts';
import { hashOf, newDeviceLogin, sessionSettings } from '../auth/new-device.ts';
import { PASSWORD_LENGTH_MAX } from '../auth/password.ts';
import { parseBody, textUpTo } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';
import { wellKnown } from './wellknown.ts';

const TOKEN_LOGIN = 'm.login.token';

/** Of all types of login. What is not used here still has to have its type. */
const loginBody = z.object({
  type: z.string(),
  ...userIdentifier,
  password: z.string().optional(),
  token: z.string().optional(),
  device_id: textUpTo(255).min(1).optional(),
  initial_device_display_name: textUpTo(255).optional(),
  refresh_token: z.boolean().default(false),
});

type LoginBody = z.infer<typeof loginBody>;

/** GET /_matrix/client/v3/login — r0, changed in v1.7 (get_login_token) */
export async function getLoginFlows(context: Context, request: ApiRequest): Promise<ApiResponse> {
  context.limits.take('reading', request.remoteAddress);
  return ok({ flows: [
    { type: 'm.login.password' },
    ...(sessionSettings(context).loginTokens ? [{ type: TOKEN_LOGIN, get_login_token: true }] : []),
    ...(context.userQuery.appservices?.isEmpty === false ? [{ type: APPSERVICE_LOGIN }] : []),
  ] });
}

/** POST /_matrix/client/v3/login — r0, changed in v1.3 (refresh_token) */
export async function login(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const body = parseBody(loginBody, request.body);
  switch (body.type) {
    case 'm.login.password': return loginByPassword(context, request, body);
    case TOKEN_LOGIN: if (sessionSettings(context).loginTokens) return loginByToken(context, request, body);
      break;
    case APPSERVICE_LOGIN: return loginForAppservice(context, request, body);
  }
  throw new MatrixError(400, 'M_UNKNOWN', 'There is no such type of login here; GET /login lists those that there are');
}

async function loginByPassword(context: Context, request: ApiRequest, body: LoginBody): Promise<ApiResponse> {
  if (body.password === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'password is missing');
  const userId = userIdFromLogin(userNameOf(body), context.serverName);
  context.limits.take('login', request.remoteAddress);
  if (userId !== undefined) context.limits.take('login-account', userId);
  return newSession(context, request, { userId: await checkPassword(context, userId, body.password), body });
}

/** By a token of `POST /login/get_token`, which is used up. The owner of the account says whether it is still good. */
async function loginByToken(context: Context, request: ApiRequest, body: LoginBody): Promise<ApiResponse> {
  if (body.token === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'token is missing');
  context.limits.take('login', request.remoteAddress);
  const loginTokenHash = hashOf(body.token);
  const issued = await context.userQuery.issuedToken('login', loginTokenHash);
  if (issued === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'The login token is not valid');
  return newSession(context, request, { userId: issued.userId, body, loginTokenHash });
}

/** An application service logs in as one of its users (Client-Server API, "Appservice Login"). */
async function loginForAppservice(context: Context, request: ApiRequest, body: LoginBody): Promise<ApiResponse> {
  requireTokenOfAppservice(context, request);
  const userId = userIdFromLogin(userNameOf(body), context.serverName) ?? '';
  requireOwnUser(context, request, userId, { status: 403, limit: 'login' });
  const account = await context.userQuery.account(userId);
  if (account === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'The application service has not registered this user');
  if (account.isDeactivated) throw new MatrixError(403, 'M_USER_DEACTIVATED', 'This account is deactivated');
  return newSession(context, request, { userId, body });
}

interface Session {
  readonly userId: string;
  readonly body: LoginBody;
  /** Is used up by it. */
  readonly loginTokenHash?: Uint8Array;
}

async function newSession(context: Context, request: ApiRequest, { userId, body, loginTokenHash }: Session): Promise<ApiResponse> {
  await requireUnlocked(context, userId);
  const { device, fields } = newDeviceLogin(context, request, body);
  await submitUserCommand(context, request, { userId, login: { device, ...(loginTokenHash && { loginTokenHash }) } });
  const announced = wellKnown(context);
  return ok({ user_id: userId, home_server: context.serverName, ...fields, ...(announced && { well_known: announced }) });
}

/** Unlike everywhere else, a token of nobody, or of a user, is 403 M_FORBIDDEN here. Throws 401 M_MISSING_TOKEN too. */
function requireTokenOfAppservice({ userQuery }: Context, request: ApiRequest): void {
  const token = accessTokenOf(request);
  if (token !== undefined && userQuery.appservices?.byToken(token) === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'The token is of no application service');
  requireAppservice(request, userQuery);
}

/** The user ID when the password fits. Says and takes the same whether the user does not exist or the password is wrong. */
async function checkPassword(context: Context, userId: string | undefined, password: string): Promise<string> {
  const secret = userId === undefined ? undefined : await context.userQuery.loginSecret(userId);
  const fits = await context.passwords.verify(password.slice(0, PASSWORD_LENGTH_MAX + 1), secret?.passwordHash);
  if (secret?.deactivated === true) throw new MatrixError(403, 'M_USER_DEACTIVATED', 'This account is deactivated');
  if (secret === undefined || !fits) throw new MatrixError(403, 'M_FORBIDDEN', 'Wrong user name or password');
  return secret.userId;
}

export const loginRoutes: readonly RouteSpec[] = [
  { handler: getLoginFlows, method: 'GET', path: `${CLIENT_V3}/login`, idempotent: true },
  { handler: login, method: 'POST', path: `${CLIENT_V3}/login`, idempotent: false },
];
