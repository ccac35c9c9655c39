/** GET /_matrix/federation/v1/hierarchy/{roomId}: a space and the rooms in it, as far as the asking server may know of them (spec: server-server, "Spaces"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { isAllowedBy, isOpenToAll } from '../../../pkg/matrix/room-summary/may-know.ts';
import { SUMMARY_STATE, type RoomSummary } from '../../../pkg/matrix/room-summary/room-summary.ts';
import { isSuggested, type SpaceChild } from '../../../pkg/matrix/room-summary/space-children.ts';
import { childrenOf, summariesOf } from '../../../pkg/matrix/room-summary/summaries-of.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import type { SyncQuery } from '../../../schemas/ports/sync-query.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import { isLetIn } from '../auth/room-access.ts';

/** Children that are summarised; the asking server asks for others by themselves. */
const CHILDREN_MAX = 100;

interface Ports {
  readonly serverName: string;
  readonly roomQuery: Pick<RoomQuery, 'currentState' | 'currentStates' | 'spaceChildren' | 'roomsWith'>;
  readonly syncQuery: Pick<SyncQuery, 'joinedCounts'>;
}

export function spaceHierarchyRoute(ports: Ports, auth: AuthDeps): Route {
  return {
    operationId: 'getSpaceHierarchy',
    method: 'GET',
    path: '/_matrix/federation/v1/hierarchy/{roomId}',
    role: 'federationapi',
    idempotent: true,
    raw: true,
    handle: authenticated(auth, async ({ params, query }, origin) => {
      const roomId = params['roomId'] ?? '';
      const suggestedOnly = booleanOf(query.get('suggested_only'));
      const room = (await summaries(ports, [roomId])).get(roomId);
      const isSeen = room !== undefined && (await visibleTo(ports, origin, [room])).has(roomId) && (await isLetIn(ports, origin, roomId));
      if (!isSeen) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such room here that your server could know of');
      const children = room.room_type === 'm.space' ? (childrenOf(await ports.roomQuery.spaceChildren([roomId])).get(roomId) ?? []) : [];
      const shown = suggestedOnly ? children.filter(isSuggested) : children;
      return { status: 200, body: { room: { ...room, children_state: shown }, ...(await describe(ports, origin, shown)) } };
    }),
  };
}

/** Those of the children that are known here: summaries of what the server may know of, and the IDs of the others. */
async function describe(ports: Ports, origin: string, children: readonly SpaceChild[]): Promise<{ children: RoomSummary[]; inaccessible_children: string[] }> {
  const known = [...(await summaries(ports, children.slice(0, CHILDREN_MAX).map(({ state_key: roomId }) => roomId))).values()];
  const visible = await visibleTo(ports, origin, known);
  return {
    children: known.filter(({ room_id: roomId }) => visible.has(roomId)),
    inaccessible_children: known.map(({ room_id: roomId }) => roomId).filter((roomId) => !visible.has(roomId)),
  };
}

/** By room ID, in the order asked for, of those that this server is in. */
async function summaries({ roomQuery, syncQuery, serverName }: Ports, roomIds: readonly string[]): Promise<Map<string, RoomSummary>> {
  const here = await roomQuery.roomsWith(roomIds, serverName, ['join']);
  const [state, joined] = await Promise.all([roomQuery.currentStates([...here], SUMMARY_STATE), syncQuery.joinedCounts([...here])]);
  const found = summariesOf(state, joined);
  return new Map(roomIds.flatMap((roomId) => {
    const summary = found.get(roomId);
    return summary === undefined ? [] : [[roomId, summary] as const];
  }));
}

/** Those of the rooms that everybody may know of, that the server has somebody in, or whose members of other rooms may join. */
async function visibleTo({ roomQuery }: Ports, origin: string, rooms: readonly RoomSummary[]): Promise<Set<string>> {
  const closed = rooms.filter((room) => !isOpenToAll(room));
  const allowing = closed.flatMap(({ allowed_room_ids: allowed }) => allowed ?? []);
  const [member, isIn] = await Promise.all([
    roomQuery.roomsWith(closed.map(({ room_id: roomId }) => roomId), origin, ['join', 'invite']), roomQuery.roomsWith(allowing, origin, ['join']),
  ]);
  return new Set(rooms.filter((room) => isOpenToAll(room) || member.has(room.room_id) || isAllowedBy(room, (roomId) => isIn.has(roomId))).map(({ room_id: roomId }) => roomId));
}

function booleanOf(value: string | null): boolean {
  if (value === null || value === 'true' || value === 'false') return value === 'true';
  throw new MatrixError(400, 'M_INVALID_PARAM', 'suggested_only must be true or false');
}
