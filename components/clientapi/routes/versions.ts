import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { ok, type RouteSpec } from './client-route.ts';

/**
 * What a client may count on. v1.1 is the oldest that clients of today accept, and already more than is here: keys, media and the directory are missing. Each later
 * version makes clients ask for what it brought (hierarchies v1.2, relations v1.3, authenticated media v1.11), so it is listed when that is there; single features are named below.
 */
const VERSIONS = ['v1.1'];

/** Under the names by which clients look for them: private receipts (v1.4), threaded receipts (v1.4), custom profile fields (v1.16). */
const UNSTABLE_FEATURES = {
  'org.matrix.msc2285.stable': true,
  'org.matrix.msc3771': true,
  'uk.tcpip.msc4133.stable': true,
};

/** GET /_matrix/client/versions — r0, changed in v1.10 */
export async function getVersions(_context: Context): Promise<ApiResponse> {
  return ok({ versions: VERSIONS, unstable_features: UNSTABLE_FEATURES });
}

export const versionsRoutes: readonly RouteSpec[] = [{ handler: getVersions, method: 'GET', path: '/_matrix/client/versions', idempotent: true }];
