import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isRoomId } from '../../../pkg/matrix/ids/room-id.ts';
import { requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { limitedRequester, ok, type RouteSpec } from './client-route.ts';

const ROOMS_MAX = 100;

/** GET /_matrix/client/v1/mutual_rooms — v1.19 */
export async function getMutualRooms(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'reading');
  const { query } = request;
  const other = query.get('user_id');
  if (other === null) throw new MatrixError(400, 'M_MISSING_PARAM', 'user_id is missing');
  if (requireUserId(other) === userId) throw new MatrixError(400, 'M_INVALID_PARAM', 'user_id is you');
  const after = afterOf(query.get('from'));
  // One more tells whether there is another page.
  const { roomIds, count } = await context.syncQuery.mutualRooms([userId, other], { after, limit: ROOMS_MAX + 1 });
  const joined = roomIds.slice(0, ROOMS_MAX);
  return ok({ joined, count, ...(roomIds.length > ROOMS_MAX && { next_batch: Buffer.from(joined.at(-1)!).toString('base64url') }) });
}

/** A token is the last room of the page before. */
function afterOf(from: string | null): string {
  if (from === null) return '';
  const roomId = Buffer.from(from, 'base64url').toString();
  if (!isRoomId(roomId)) throw new MatrixError(400, 'M_INVALID_PARAM', 'from is no token of this list');
  return roomId;
}

export const mutualRoomsRoutes: readonly RouteSpec[] = [{ handler: getMutualRooms, method: 'GET', path: '/_matrix/client/v1/mutual_rooms', idempotent: true }];
