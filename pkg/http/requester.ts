/** Who makes a client request: the holder of the access token that it carries. */
import { createHash } from 'node:crypto';
import type { Requester, UserQuery } from '../../schemas/ports/user-query.ts';
import { MatrixError } from './matrix-error.ts';
import type { ApiRequest } from './route.ts';

/**
 * The access token of a request: `Authorization: Bearer …`, else the query parameter `access_token` (deprecated, but clients use it).
 * undefined when there is none. Client-Server API, "Using access tokens".
 */
export function accessTokenOf(request: Pick<ApiRequest, 'headers' | 'query'>): string | undefined {
  const header = request.headers['authorization'];
  if (header !== undefined) {
    const match = /^Bearer +(\S+) *$/i.exec(header);
    if (match) return match[1];
  }
  return request.query.get('access_token') || undefined;
}

/** SHA-256 of an access token: the only form in which tokens are stored and looked up. */
export function accessTokenHash(token: string): Uint8Array {
  return createHash('sha256').update(token, 'utf8').digest();
}

/** The user and device that make the request. Throws 401 M_MISSING_TOKEN or M_UNKNOWN_TOKEN. */
export async function requireRequester(request: Pick<ApiRequest, 'headers' | 'query'>, userQuery: Pick<UserQuery, 'requesterByToken'>): Promise<Requester> {
  const token = accessTokenOf(request);
  if (token === undefined) throw new MatrixError(401, 'M_MISSING_TOKEN', 'The request carries no access token');
  const requester = await userQuery.requesterByToken(accessTokenHash(token));
  if (requester === undefined) {
    throw new MatrixError(401, 'M_UNKNOWN_TOKEN', 'The access token is not known (any more)', { fields: { soft_logout: false } });
  }
  return requester;
}
