import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { actingRequester } from '../accounts/standing.ts';
import { parseBody } from '../checks/body.ts';
import { requireRoomAlias, requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { submitRoomCommand } from '../outcome/submit.ts';
import { askingAppservice, requireAliasAllowed } from '../rooms/alias-namespace.ts';
import { withdrawAlias } from '../rooms/canonical-alias.ts';
import { currentMember } from '../rooms/current-member.ts';
import { resolveAlias } from '../rooms/resolve-alias.ts';
import { maySetState } from '../rooms/room-power.ts';
import { CLIENT_V3, EMPTY, limitedRequester, ok, type RouteSpec } from './client-route.ts';

const aliasBody = z.object({ room_id: z.string() });

/** PUT /_matrix/client/v3/directory/room/{roomAlias} — r0. Only who is in the room may give it a name here, and application services. */
export async function setRoomAlias(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await actingRequester(context, request, 'settings');
  const alias = requireOwnAlias(context, request);
  const roomId = requireRoomId(parseBody(aliasBody, request.body).room_id);
  requireAliasAllowed(context, request, alias);
  const isMember = (await currentMember(context.roomQuery, roomId, requester.userId))?.membership === 'join';
  if (!isMember && !requester.isAdmin && askingAppservice(context, request) === undefined) throw new MatrixError(403, 'M_FORBIDDEN', 'You must be in the room to give it an alias');
  await submitRoomCommand(context, request, { roomId: alias, setAlias: { roomId, userId: requester.userId, reservedUntilMs: 0, movedFrom: '' } });
  return EMPTY;
}

/** GET /_matrix/client/v3/directory/room/{roomAlias} — r0. For everybody. */
export async function getRoomIdByAlias(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { roomId, servers } = await resolveAlias(context, requireRoomAlias(request.params['roomAlias']), { signal: request.signal, whenDown: 404 });
  return ok({ room_id: roomId, servers: [...new Set(servers)] });
}

/** DELETE /_matrix/client/v3/directory/room/{roomAlias} — r0. By who made it, who may set the room's canonical alias, administrators, and its application service. */
export async function deleteRoomAlias(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  const alias = requireOwnAlias(context, request);
  const present = await context.roomQuery.alias(alias);
  if (present === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such room alias');
  if (!(await mayDelete(context, request, requester, { ...present, alias }))) throw new MatrixError(403, 'M_FORBIDDEN', 'You may not delete this room alias');
  await submitRoomCommand(context, request, { roomId: alias, deleteAlias: { roomId: present.roomId, reservedOnly: false } });
  await withdrawAlias(context, request, requester, { roomId: present.roomId, alias });
  return EMPTY;
}

/** GET /_matrix/client/v3/rooms/{roomId}/aliases — r0. For who is in the room; for everybody where it is world-readable. */
export async function getLocalAliases(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  const roomId = requireRoomId(request.params['roomId']);
  const state = await context.roomQuery.currentState(roomId, [['m.room.member', requester.userId], ['m.room.history_visibility', '']]);
  const contents = state.map(({ pdu }) => (JSON.parse(Buffer.from(pdu).toString()) as { content: Record<string, unknown> }).content);
  const mayRead = contents.some((content) => content['membership'] === 'join' || content['history_visibility'] === 'world_readable');
  if (!mayRead) throw new MatrixError(403, 'M_FORBIDDEN', 'You are not in this room');
  return ok({ aliases: await context.roomQuery.aliasesOf(roomId) });
}

/** Throws 400 M_INVALID_PARAM for what is no alias, or one of another server. */
function requireOwnAlias({ serverName }: Context, request: ApiRequest): string {
  const alias = requireRoomAlias(request.params['roomAlias']);
  if (domainOf(alias) !== serverName) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is a room alias of another server');
  return alias;
}

async function mayDelete(context: Context, request: ApiRequest, requester: Requester, present: { alias: string; roomId: string; creator: string }): Promise<boolean> {
  const appservice = askingAppservice(context, request);
  if (appservice !== undefined) return context.userQuery.appservices?.mayHaveAlias(appservice, present.alias) === true;
  if (present.creator === requester.userId || requester.isAdmin) return true;
  return maySetState(context.roomQuery, present.roomId, { userId: requester.userId, type: 'm.room.canonical_alias' });
}

const PATH = `${CLIENT_V3}/directory/room/{roomAlias}`;

export const directoryRoutes: readonly RouteSpec[] = [
  { handler: setRoomAlias, method: 'PUT', path: PATH, idempotent: false },
  { handler: getRoomIdByAlias, method: 'GET', path: PATH, idempotent: true },
  { handler: deleteRoomAlias, method: 'DELETE', path: PATH, idempotent: false },
  { handler: getLocalAliases, method: 'GET', path: `${CLIENT_V3}/rooms/{roomId}/aliases`, idempotent: true },
];
