/** Names of inputs: a repeated request makes the same input, and the owner does it once. */
import { createHash } from 'node:crypto';
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';

/**
 * Input ID of a request with a transaction ID in its path: a hash of user, device, method and full path, so that the same transaction ID in another room, under another
 * event type or from another device is another input, whatever the body says (Client-Server API, "Transaction identifiers"). Segments are compared
 * decoded, and `r0` is the same as `v3`.
 */
export function inputIdOf(requester: Pick<Requester, 'userId' | 'deviceId'>, request: Pick<ApiRequest, 'method' | 'path'>): string {
  const segments = request.path.split('/').map(decodeURIComponent);
  if (segments[3] === 'r0') segments[3] = 'v3';
  return createHash('sha256').update(JSON.stringify([requester.userId, requester.deviceId, request.method, ...segments])).digest('base64url');
}

/** Left to the command client, which takes a random one: for requests without a transaction ID. */
export const RANDOM_INPUT_ID = '';
