/** Access tokens as requests carry them and as they are stored. */
import { hash } from 'node:crypto';
import type { ApiRequest } from './route.ts';

/**
 * The access token of a request: `Authorization: Bearer …`, else, where that is switched on, the query parameter `access_token` (deprecated since v1.11: what stands in URLs gets
 * into logs). undefined when there is none. Client-Server API, "Using access tokens"; Application Service API, "Authorization".
 */
export function accessTokenOf(request: Pick<ApiRequest, 'headers' | 'query' | 'takesQueryToken'>): string | undefined {
  const header = request.headers['authorization'];
  if (header !== undefined) {
    const match = /^Bearer +(\S+) *$/i.exec(header);
    if (match) return match[1];
  }
  return (request.takesQueryToken === true && request.query.get('access_token')) || undefined;
}

/** SHA-256 of an access token: the only form in which tokens are stored and looked up. */
export function accessTokenHash(token: string): Uint8Array {
  return hash('sha256', token, 'buffer');
}
