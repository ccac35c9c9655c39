import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { accessTokenOf } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { requireRoomAlias, requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { resolveAlias } from '../rooms/resolve-alias.ts';
import { createDescriber } from '../spaces/describe-rooms.ts';
import { limitedRequester, ok, type RouteSpec } from './client-route.ts';

const DEADLINE_MS = 10_000;

/** GET /_matrix/client/v1/room_summary/{roomIdOrAlias} — v1.15. Also without a token; then nobody else is asked, and only what is open to all is told. */
export async function getRoomSummary(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const isKnown = accessTokenOf(request) !== undefined;
  if (!isKnown) context.limits.take('lookup', request.remoteAddress);
  const userId = isKnown ? (await limitedRequester(context, request, 'lookup')).userId : undefined;
  const { roomId, servers } = await roomOf(context, request, isKnown);
  const describer = await createDescriber(context, { userId, suggestedOnly: false, requestsMax: isKnown ? 1 : 0, deadlineMs: DEADLINE_MS, signal: request.signal });
  await describer.describe([{ roomId, via: servers }]);
  const room = describer.known(roomId);
  if (room === undefined || room === 'hidden') throw notFound();
  return ok({ ...room.summary, ...(isKnown && { membership: describer.membership(roomId) ?? 'leave' }) });
}

async function roomOf(context: Context, request: ApiRequest, mayAskOthers: boolean): Promise<{ roomId: string; servers: readonly string[] }> {
  const idOrAlias = request.params['roomIdOrAlias'] ?? '';
  const via = request.query.getAll('via').filter(isServerName);
  if (!idOrAlias.startsWith('#')) return { roomId: requireRoomId(idOrAlias), servers: via };
  const { serverName, roomQuery } = context;
  const { roomId, servers } = await resolveAlias(mayAskOthers ? context : { serverName, roomQuery }, requireRoomAlias(idOrAlias), { signal: request.signal, whenDown: 404 });
  return { roomId, servers: [...via, ...servers] };
}

function notFound(): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', 'There is no such room that you could look at');
}

export const roomSummaryRoutes: readonly RouteSpec[] = [
  { handler: getRoomSummary, method: 'GET', path: '/_matrix/client/v1/room_summary/{roomIdOrAlias}', guests: true, idempotent: true },
];
