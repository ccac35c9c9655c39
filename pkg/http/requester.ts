/** Who makes a client request: the holder of the access token that it carries, or whom an application service acts as. */
import type { Appservice } from '../../schemas/ports/appservices.ts';
import type { Requester, UserQuery } from '../../schemas/ports/user-query.ts';
import { accessTokenHash, accessTokenOf } from './access-token.ts';
import { MatrixError } from './matrix-error.ts';
import type { ApiRequest } from './route.ts';

export { accessTokenHash, accessTokenOf } from './access-token.ts';

type Asking = Pick<ApiRequest, 'headers' | 'query' | 'takesQueryToken' | 'isOpenToGuests'> & Partial<Pick<ApiRequest, 'remoteAddress'>>;

/**
 * The user and device that make the request. Throws 401 M_MISSING_TOKEN or M_UNKNOWN_TOKEN (with `soft_logout` when it has expired); 403 M_GUEST_ACCESS_FORBIDDEN for a guest whose request is not for guests; for an application service also what `Appservices.requester` says of the query parameters
 * `user_id` and `device_id`. Throws 401 M_USER_LOCKED too, unless what is asked for is allowed while the account is locked.
 */
export async function requireRequester(request: Asking, userQuery: Pick<UserQuery, 'requesterByToken' | 'appservices' | 'tokenUse'>, whileLocked: 'refused' | 'allowed' = 'refused'): Promise<Requester> {
  const token = requireToken(request);
  const appservice = userQuery.appservices?.byToken(token);
  if (userQuery.appservices !== undefined && appservice !== undefined) {
    const { query } = request;
    const requester = await userQuery.appservices.requester(appservice, { userId: query.get('user_id') ?? undefined, deviceId: query.get('device_id') ?? undefined });
    requireOpenTo(requester, request, whileLocked);
    return requester;
  }
  const tokenHash = accessTokenHash(token);
  const requester = await userQuery.requesterByToken(tokenHash);
  if (requester === undefined) throw unknownToken();
  const noted = userQuery.tokenUse?.note(requester, { tokenHash, address: request.remoteAddress });
  if (noted !== undefined) await noted;
  requireOpenTo(requester, request, whileLocked);
  return requester;
}

function requireOpenTo(requester: Requester, { isOpenToGuests }: Asking, whileLocked: 'refused' | 'allowed'): void {
  if (requester.isLocked === true && whileLocked === 'refused') throw userLocked();
  if (requester.isGuest && isOpenToGuests !== true) throw new MatrixError(403, 'M_GUEST_ACCESS_FORBIDDEN', 'Guests cannot do this; it takes an account');
}

/** The application service that makes the request by its as_token. Throws 401 M_MISSING_TOKEN or M_UNKNOWN_TOKEN. */
export function requireAppservice(request: Asking, { appservices }: Pick<UserQuery, 'appservices'>): Appservice {
  const appservice = appservices?.byToken(requireToken(request));
  if (appservice === undefined) throw unknownToken();
  return appservice;
}

function requireToken(request: Asking): string {
  const token = accessTokenOf(request);
  if (token === undefined) throw new MatrixError(401, 'M_MISSING_TOKEN', 'The request carries no access token');
  return token;
}

/** Client-Server API, "Account locking": the client keeps its session and asks again. */
export function userLocked(): MatrixError {
  return new MatrixError(401, 'M_USER_LOCKED', 'This account has been locked', { fields: { soft_logout: true } });
}

function unknownToken(): MatrixError {
  return new MatrixError(401, 'M_UNKNOWN_TOKEN', 'The access token is not known (any more)', { fields: { soft_logout: false } });
}
