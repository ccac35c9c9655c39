/** GET /presence/{userId}/status: what a user is, for themself and for those who share a room with them. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { presenceContent } from '../presence/presence-content.ts';
import { OPEN } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { limitedRequesterOf, param } from './route-parts.ts';

export function presenceRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getPresence', method: 'GET', path: '/_matrix/client/v3/presence/{userId}/status', role: 'syncapi', idempotent: true,
    handle: (request) => getPresence(deps, request),
  };
}

async function getPresence(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequesterOf(deps, request, 'reading');
  const userId = param(request, 'userId');
  await requireVisible(deps, requester.userId, userId);
  const nowMs = deps.runtime.clock.now();
  const seen = deps.presence?.get(userId);
  if (seen !== undefined) return { status: 200, body: presenceContent(seen, nowMs) };
  const isHere = deps.presence !== undefined && isLocalUser(userId, deps.serverName);
  const statusMsg = isHere ? await deps.userQuery.presenceStatus(userId) : '';
  return { status: 200, body: presenceContent({ kind: 'offline', lastActiveMs: 0, isActive: false, statusMsg }, nowMs) };
}

/** Throws `MatrixError` 404 for who is not there, 403 for who shares no room with the reader. */
async function requireVisible({ database, serverName, userQuery }: ReadDeps, reader: string, userId: string): Promise<void> {
  if (reader === userId) return;
  const [shared] = await database.query(
    `SELECT a.room_id FROM memberships a JOIN memberships b ON b.user_id = ? AND b.room_id = a.room_id AND b.to_sequence = a.to_sequence AND b.membership = 'join'
     WHERE a.user_id = ? AND a.to_sequence = ? AND a.membership = 'join' LIMIT 1`, [userId, reader, OPEN]);
  if (shared !== undefined) return;
  if (isLocalUser(userId, serverName) && !(await userQuery.userExists(userId))) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user');
  throw new MatrixError(403, 'M_FORBIDDEN', 'You share no room with the user');
}
