import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { Context } from '../context.ts';
import { ok, type RouteSpec } from './client-route.ts';

/** Newest version of the spec 1.x whose operations are served. */
const NEWEST = 19;

/** The last ones before v1.1, whose paths are served too (`pkg/http/older-paths.ts`). */
const OLDER = ['r0.5.0', 'r0.6.0', 'r0.6.1'];

const VERSIONS = [...OLDER, ...Array.from({ length: NEWEST }, (_, index) => `v1.${index + 1}`)];

/** Under the names by which clients look for them: private receipts (v1.4), threaded receipts (v1.4), custom profile fields (v1.16); and dehydrated devices (MSC3814). They are the same for everybody. */
const UNSTABLE_FEATURES = {
  'org.matrix.msc2285.stable': true,
  'org.matrix.msc3771': true,
  'org.matrix.msc3814': true,
  'uk.tcpip.msc4133.stable': true,
};

/** GET /_matrix/client/versions — r0, changed in v1.10 */
export async function getVersions(_context: Context): Promise<ApiResponse> {
  return ok({ versions: VERSIONS, unstable_features: UNSTABLE_FEATURES });
}

export const versionsRoutes: readonly RouteSpec[] = [{ handler: getVersions, method: 'GET', path: '/_matrix/client/versions', idempotent: true }];
