import { queryProfile, type RemoteProfile } from '../../../pkg/federation/query-profile.ts';
import { FederationError, isDestinationFailing } from '../../../pkg/federation/transport.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { accessTokenOf } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { byteLength } from '../../../pkg/matrix/ids/byte-length.ts';
import { requireNotSuspended } from '../accounts/standing.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, requireSelf, type RouteSpec } from './client-route.ts';

const KEY_BYTES_MAX = 255;
const DISPLAYNAME_LENGTH_MAX = 256;
const AVATAR_URL_LENGTH_MAX = 1000;
/** Common Namespaced Identifier Grammar, and the fields that the spec names. */
const KEY = /^(avatar_url|displayname|m\.tz|[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+)$/;
/** Fields that clients clear by setting them to nothing. */
const CLEARED_BY_NOTHING = new Set(['displayname', 'avatar_url']);
const REMOVED = new Uint8Array(0);

/** GET /_matrix/client/v3/profile/{userId} — r0 */
export async function getUserProfile(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return ok(await requireProfile(context, request));
}

/** GET /_matrix/client/v3/profile/{userId}/{keyName} — r0, changed in v1.16 (any key) */
export async function getProfileField(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const key = request.params['keyName']!;
  const profile = await requireProfile(context, request, key);
  if (!Object.hasOwn(profile, key)) throw new MatrixError(404, 'M_NOT_FOUND', 'The user has no such profile field');
  return ok({ [key]: profile[key] });
}

/** PUT /_matrix/client/v3/profile/{userId}/{keyName} — r0, changed in v1.16 (any key) */
export async function setProfileField(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  requireNotSuspended(requester);
  requireSelf(requester, request.params['userId']);
  const key = requireKey(request.params['keyName']!);
  const value = requireValue(key, request.body as Record<string, unknown>);
  const cleared = CLEARED_BY_NOTHING.has(key) && value === '';
  await submitField(context, request, key, cleared ? REMOVED : Buffer.from(JSON.stringify(value)));
  return EMPTY;
}

/** DELETE /_matrix/client/v3/profile/{userId}/{keyName} — v1.16 */
export async function deleteProfileField(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  requireNotSuspended(requester);
  requireSelf(requester, request.params['userId']);
  const key = requireKey(request.params['keyName']!);
  await submitField(context, request, key, REMOVED);
  return EMPTY;
}

async function submitField(context: Context, request: ApiRequest, key: string, value: Uint8Array): Promise<void> {
  const userId = request.params['userId']!;
  await submitUserCommand(context, request, { userId, setProfileField: { key, value } });
}

/** At least `field` of it; undefined: all. Throws 404 M_NOT_FOUND, for users of other servers also 403 M_FORBIDDEN. */
async function requireProfile(context: Context, request: ApiRequest, field?: string): Promise<Readonly<Record<string, unknown>>> {
  const userId = requireUserId(request.params['userId']);
  if (domainOf(userId) !== context.serverName) return remoteProfile(context, request, { userId, field });
  const profile = await context.userQuery.profile(userId);
  if (profile === undefined) throw noSuchUser();
  return profile;
}

/** Asked of the user's server. Who has no account here is counted by address. Of a server that cannot be asked there is no profile to be told: the spec lists 403 and 404 alone. */
async function remoteProfile(context: Context, request: ApiRequest, { userId, field }: { userId: string; field: string | undefined }): Promise<RemoteProfile> {
  if (accessTokenOf(request) === undefined) context.limits.take('lookup', request.remoteAddress);
  else await limitedRequester(context, request, 'reading');
  const { signedTransport } = context;
  if (signedTransport === undefined) throw noSuchUser();
  return queryProfile(signedTransport, userId, { field, signal: request.signal }).catch((error: unknown) => {
    if (isDestinationFailing(error)) throw new MatrixError(404, 'M_NOT_FOUND', `${domainOf(userId)} could not be asked for this profile`);
    if (error instanceof FederationError && error.status === 403) throw new MatrixError(403, 'M_FORBIDDEN', 'The server of this user does not tell their profile');
    throw noSuchUser();
  });
}

function noSuchUser(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such user');
}

function requireKey(key: string): string {
  if (byteLength(key) > KEY_BYTES_MAX) throw new MatrixError(400, 'M_KEY_TOO_LARGE', `A profile key has at most ${KEY_BYTES_MAX} bytes`);
  if (!KEY.test(key)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is not the name of a profile field');
  return key;
}

function requireValue(key: string, body: Record<string, unknown>): unknown {
  if (!Object.hasOwn(body, key)) throw new MatrixError(400, 'M_MISSING_PARAM', `${key} is missing`);
  const value = body[key];
  if (key === 'displayname') return requireText(key, value, DISPLAYNAME_LENGTH_MAX);
  if (key === 'm.tz') return requireText(key, value, KEY_BYTES_MAX);
  if (key !== 'avatar_url') return value;
  const url = requireText(key, value, AVATAR_URL_LENGTH_MAX);
  if (url !== '' && !url.startsWith('mxc://')) throw new MatrixError(400, 'M_INVALID_PARAM', 'avatar_url must be an mxc:// URI');
  return url;
}

function requireText(key: string, value: unknown, lengthMax: number): string {
  if (typeof value !== 'string') throw new MatrixError(400, 'M_BAD_JSON', `${key} must be a string`);
  if (value.length > lengthMax) throw new MatrixError(400, 'M_INVALID_PARAM', `${key} has at most ${lengthMax} characters`);
  return value;
}

const FIELD = `${CLIENT_V3}/profile/{userId}/{keyName}`;

/** All that guests may change of themselves. */
const isDisplayName = ({ keyName }: ApiRequest['params']): boolean => keyName === 'displayname';

export const profileRoutes: readonly RouteSpec[] = [
  { handler: getUserProfile, method: 'GET', path: `${CLIENT_V3}/profile/{userId}`, idempotent: true },
  { handler: getProfileField, method: 'GET', path: FIELD, idempotent: true },
  { handler: setProfileField, method: 'PUT', path: FIELD, guests: isDisplayName, idempotent: true },
  { handler: deleteProfileField, method: 'DELETE', path: FIELD, guests: isDisplayName, idempotent: true },
];
