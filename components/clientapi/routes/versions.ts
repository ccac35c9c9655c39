import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { ok, type RouteSpec } from './client-route.ts';

/** What a client may count on. Later spec versions are listed when what they brought is there; single features of them are named below. */
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
