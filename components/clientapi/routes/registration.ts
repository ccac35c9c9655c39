import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { accessTokenHash, requireAppservice } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { userId as formatUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { currentVersions } from '../accounts/terms.ts';
import { APPSERVICE_LOGIN, requireNotExclusive, requireOwnUser } from '../auth/appservice.ts';
import { createAccount, requireFree, requireGoodPassword, requireUnused, requireValid, sessionFields, upgradeGuest } from '../auth/create-account.ts';
import { registrationFlows } from '../auth/registration-flows.ts';
import { underRegistrationToken } from '../auth/registration-token.ts';
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
  guest_access_token: z.string().optional(),
  ...sessionFields,
});

const guestBody = z.object({ initial_device_display_name: sessionFields.initial_device_display_name });

/** POST /_matrix/client/v3/register — r0, changed in v1.2 (registration tokens), v1.11 (terms) */
export async function register(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const kind = request.query.get('kind') ?? 'user';
  if (kind === 'guest') return registerGuest(context, request);
  if (kind !== 'user') throw new MatrixError(400, 'M_INVALID_PARAM', 'kind must be user or guest');
  const interaction = interact(context, request, NOBODY);
  const body = parseBody(registerBody, interaction.parameters);
  if (body.type === APPSERVICE_LOGIN) return registerForAppservice(context, request, body);
  requireRegistration(context);
  const guest = body.guest_access_token === undefined ? undefined : await requireGuest(context, body.guest_access_token, body.username);
  const wanted = guest ?? (body.username === undefined ? undefined : await requireFree(context, body.username));
  if (body.password !== undefined) requireGoodPassword(body.password);
  const challenge = await interaction.challenge(registrationFlows(context.settings));
  if (challenge !== undefined) return challenge;
  if (body.password === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'password is missing');

  context.limits.take('registration', request.remoteAddress);
  const userId = wanted ?? randomUser(context);
  requireNotExclusive(context, userId);
  const { terms } = context.settings;
  const passwordHash = await context.passwords.hash(body.password);
  const account = { userId, passwordHash, session: body, acceptedTerms: terms && currentVersions(terms) };
  return underRegistrationToken(context, request, userId, () => (guest === undefined ? createAccount : upgradeGuest)(context, request, account));
}

/** Of the body only the device's name counts (Client-Server API, `POST /register`): a guest has no password, and the server picks the names. */
async function registerGuest(context: Context, request: ApiRequest): Promise<ApiResponse> {
  if (context.settings.guests !== true) throw new MatrixError(403, 'M_GUEST_ACCESS_FORBIDDEN', 'This server has no guest accounts');
  const { initial_device_display_name: name } = parseBody(guestBody, request.body);
  context.limits.take('registration', request.remoteAddress);
  const userId = randomUser(context);
  requireNotExclusive(context, userId);
  return createAccount(context, request, { userId, passwordHash: '', isGuest: true, session: { initial_device_display_name: name, inhibit_login: false } });
}

function randomUser({ runtime, serverName }: Context): string {
  return formatUserId(runtime.random.token(RANDOM_LOCALPART_LENGTH).toLowerCase(), serverName);
}

/** The guest that wants to become a user (Client-Server API, "Guest Access"). Throws 403 when the token is no guest's, 400 when `username` is not the guest's own. */
async function requireGuest(context: Context, token: string, username: string | undefined): Promise<string> {
  const guest = await context.userQuery.requesterByToken(accessTokenHash(token));
  if (guest?.isGuest !== true || guest.isLocked === true) throw new MatrixError(403, 'M_FORBIDDEN', 'The guest_access_token is that of no guest');
  if (username === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'username is missing: it has to be that of the guest');
  if (formatUserId(username, context.serverName) !== guest.userId) throw new MatrixError(400, 'M_INVALID_USERNAME', 'username has to be that of the guest');
  return guest.userId;
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

function requireRegistration({ settings }: Context): void {
  if (settings.registration === 'closed') throw new MatrixError(403, 'M_FORBIDDEN', 'Registration is closed on this server');
}

export const registrationRoutes: readonly RouteSpec[] = [
  { handler: register, method: 'POST', path: `${CLIENT_V3}/register`, idempotent: false },
  { handler: checkUsernameAvailability, method: 'GET', path: `${CLIENT_V3}/register/available`, idempotent: true },
];
