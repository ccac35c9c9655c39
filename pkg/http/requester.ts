/** Who makes a client request: the holder of the access token that it carries, or whom an application service acts as. */
import type { Appservice } from '../../schemas/ports/appservices.ts';
import type { Requester, UserQuery } from '../../schemas/ports/user-query.ts';
import { accessTokenHash, accessTokenOf } from './access-token.ts';
import { MatrixError } from './matrix-error.ts';
import type { ApiRequest } from './route.ts';

export { accessTokenHash, accessTokenOf } from './access-token.ts';

type Asking = Pick<ApiRequest, 'headers' | 'query'>;

/**
 * The user and device that make the request. Throws 401 M_MISSING_TOKEN or M_UNKNOWN_TOKEN; for an application service also what `Appservices.requester` says of the query parameters
 * `user_id` and `device_id`.
 */
export async function requireRequester(request: Asking, userQuery: Pick<UserQuery, 'requesterByToken' | 'appservices'>): Promise<Requester> {
  const token = requireToken(request);
  const appservice = userQuery.appservices?.byToken(token);
  if (userQuery.appservices !== undefined && appservice !== undefined) {
    const { query } = request;
    return userQuery.appservices.requester(appservice, { userId: query.get('user_id') ?? undefined, deviceId: query.get('device_id') ?? undefined });
  }
  const requester = await userQuery.requesterByToken(accessTokenHash(token));
  if (requester === undefined) throw unknownToken();
  return requester;
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

function unknownToken(): MatrixError {
  return new MatrixError(401, 'M_UNKNOWN_TOKEN', 'The access token is not known (any more)', { fields: { soft_logout: false } });
}
