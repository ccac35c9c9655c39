/** GET /keys/changes: whose devices a client has to look at anew, between two of its syncs. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { membershipsOfUser } from '../storage/memberships.ts';
import { loadDeviceLists } from '../streams/device-lists.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { placeUnder } from '../sync/positions.ts';
import { decodeSyncToken, type SyncPosition } from '../token/sync-token.ts';
import { requesterOf } from './route-parts.ts';

/** GET /_matrix/client/v3/keys/changes — r0 */
export function keysChangesRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getKeysChanges', method: 'GET', path: '/_matrix/client/v3/keys/changes', role: 'syncapi', idempotent: true,
    async handle(request) {
      const { userId } = await requesterOf(deps, request);
      const [since, now] = [positionIn(deps, request.query, 'from'), positionIn(deps, request.query, 'to')];
      const memberships = await membershipsOfUser(deps.database, userId);
      return { status: 200, body: { ...(await loadDeviceLists(deps.database, { userId, memberships, since, now: { ...now, user: endless(deps) }, membersMoved: new Map(), signedUsers: deps.userQuery.signedUsers })) } };
    },
  };
}

/** Of changes only the last one of each user is known: it counts if it came after `from`, and one that is told too often is better than one that is missed. */
function endless({ partitionMap }: ReadDeps): number[] {
  return new Array<number>(partitionMap.partitions).fill(Number.MAX_SAFE_INTEGER);
}

function positionIn(deps: ReadDeps, query: URLSearchParams, name: string): SyncPosition {
  const token = query.get(name);
  if (token === null || token === '') throw new MatrixError(400, 'M_MISSING_PARAM', `${name} is missing`);
  return placeUnder(deps, decodeSyncToken(token));
}
