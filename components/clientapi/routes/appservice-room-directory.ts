import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireAppservice } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomId, requireShort } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, type RouteSpec } from './client-route.ts';

const visibilityBody = z.object({ visibility: z.enum(['public', 'private']) });

/** PUT /_matrix/client/v3/directory/list/appservice/{networkId}/{roomId} — Application Service API, r0. The list is that of the network, whichever application service bridges to it. */
export async function updateAppserviceRoomDirectoryVisibility(context: Context, request: ApiRequest): Promise<ApiResponse> {
  requireAppservice(request, context.userQuery);
  const network = requireShort(request.params['networkId'], 'a network ID');
  // The empty name is that of this server's own list.
  if (network === '') throw new MatrixError(400, 'M_INVALID_PARAM', 'networkId is empty');
  const { visibility } = parseBody(visibilityBody, request.body);
  await submitRoomCommand(context, request, { roomId: requireRoomId(request.params['roomId']), setRoomVisibility: { isPublic: visibility === 'public', network } });
  return EMPTY;
}

export const appserviceRoomDirectoryRoutes: readonly RouteSpec[] = [
  { handler: updateAppserviceRoomDirectoryVisibility, method: 'PUT', path: `${CLIENT_V3}/directory/list/appservice/{networkId}/{roomId}`, idempotent: true },
];
