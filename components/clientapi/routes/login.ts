import { z } from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireAppservice } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { userIdFromLogin } from '../../../pkg/matrix/ids/user-id.ts';
import { APPSERVICE_LOGIN, requireOwnUser } from '../auth/appservice.ts';
import { newDeviceLogin } from '../auth/new-device.ts';
import { PASSWORD_LENGTH_MAX } from '../auth/password.ts';
import { parseBody, text, textUpTo } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';
import { wellKnown } from './wellknown.ts';

/** Of all types of login. What is not used here still has to have its type. */
const loginBody = z.object({
  type: z.string(),
  medium: z.string().optional(),
  address: z.string().optional(),
  token: z.string().optional(),
  refresh_token: z.boolean().optional(),
});

const appserviceLoginBody = z.object({
  identifier: z.object({ type: z.string(), user: text.optional() }).optional(),
  user: text.optional(),
  device_id: textUpTo(255).min(1).optional(),
  initial_device_display_name: textUpTo(255).optional(),
});

const passwordLoginBody = appserviceLoginBody.extend({ password: z.string() });

/** GET /_matrix/client/v3/login — r0 */
export async function getLoginFlows({ userQuery }: Context): Promise<ApiResponse> {
  const types = ['m.login.password', ...(userQuery.appservices?.isEmpty === false ? [APPSERVICE_LOGIN] : [])];
  return ok({ flows: types.map((type) => ({ type })) });
}

/** POST /_matrix/client/v3/login — r0 */
export async function login(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { type } = parseBody(loginBody, request.body);
  if (type === APPSERVICE_LOGIN) return loginForAppservice(context, request);
  if (type !== 'm.login.password') throw new MatrixError(400, 'M_UNKNOWN', 'Only m.login.password is supported');
  const body = parseBody(passwordLoginBody, request.body);
  const userId = userIdFromLogin(userNameOf(body), context.serverName);
  context.limits.take('login', request.remoteAddress);
  if (userId !== undefined) context.limits.take('login-account', userId);

  const checked = await checkPassword(context, userId, body.password);
  return newSession(context, request, checked, body);
}

async function newSession(context: Context, request: ApiRequest, userId: string, body: z.infer<typeof appserviceLoginBody>): Promise<ApiResponse> {
  const { accessToken, device } = newDeviceLogin(context.runtime, { deviceId: body.device_id, displayName: body.initial_device_display_name });
  await submitUserCommand(context, request, { userId, login: { device } });
  const announced = wellKnown(context);
  return ok({ user_id: userId, access_token: accessToken, home_server: context.serverName, device_id: device.deviceId, ...(announced && { well_known: announced }) });
}

/** An application service logs in as one of its users (Client-Server API, "Appservice Login"). */
async function loginForAppservice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  requireAppservice(request, context.userQuery);
  const body = parseBody(appserviceLoginBody, request.body);
  const userId = userIdFromLogin(userNameOf(body), context.serverName) ?? '';
  requireOwnUser(context, request, userId, { status: 403, limit: 'login' });
  const account = await context.userQuery.account(userId);
  if (account === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'The application service has not registered this user');
  if (account.isDeactivated) throw new MatrixError(403, 'M_USER_DEACTIVATED', 'This account is deactivated');
  return newSession(context, request, userId, body);
}

function userNameOf(body: z.infer<typeof appserviceLoginBody>): string {
  if (body.identifier !== undefined && body.identifier.type !== 'm.id.user') throw new MatrixError(400, 'M_UNKNOWN', 'Only identifiers of type m.id.user are supported');
  const name = body.identifier?.user ?? body.user;
  if (name === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'identifier.user is missing');
  return name;
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
