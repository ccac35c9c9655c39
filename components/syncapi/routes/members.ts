/** GET /rooms/{roomId}/members and /rooms/{roomId}/joined_members. */
import { accessTokenOf } from '../../../pkg/http/access-token.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { contentText, type ClientEvent } from '../events/client-event.ts';
import { renderStateEvents } from '../history/render-page.ts';
import { syncQuery } from '../query/sync-query.ts';
import { OPEN, TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { sequenceAtToken } from '../sync/page-place.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { notInRoom, readingRights, type ReadingRights } from '../visibility/reading-rights.ts';
import { isVisible } from '../visibility/visibility.ts';
import { enumParam, param, requesterOf } from './route-parts.ts';
import { stateIdsAt } from './state.ts';
import { waitForMembers } from './wait-for-members.ts';

const MEMBERSHIPS = ['join', 'invite', 'knock', 'leave', 'ban'];

export function memberRoutes(deps: ReadDeps): Route[] {
  const common = { method: 'GET', role: 'syncapi', idempotent: true } as const;
  return [
    { ...common, operationId: 'getMembersByRoom', path: '/_matrix/client/v3/rooms/{roomId}/members', guests: true, handle: (request) => getMembers(deps, request) },
    { ...common, operationId: 'getJoinedMembersByRoom', path: '/_matrix/client/v3/rooms/{roomId}/joined_members', handle: (request) => getJoinedMembers(deps, request) },
  ];
}

async function getMembers(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  const membership = enumParam(request.query, 'membership', MEMBERSHIPS);
  const notMembership = enumParam(request.query, 'not_membership', MEMBERSHIPS);
  await readingRights(deps.database, roomId, userId);
  await waitForMembers(deps, roomId);
  const rights = await readingRights(deps.database, roomId, userId);
  const at = request.query.get('at');
  const sequence = at === null || at === '' ? rights.stateAt : await readableAt(deps, rights, { userId, at });
  const chunk = await renderStateEvents(deps, await stateIdsAt(deps, roomId, sequence, 'members'), (event) => isWanted(event, membership, notMembership));
  return { status: 200, json: `{"chunk":[${chunk.join(',')}]}` };
}

/** The sequence of a token, for who has left no later than their leave. Rejects with 403 where the user may not see what happened last before it. */
async function readableAt(deps: ReadDeps, { room, intervals, stateAt }: ReadingRights, { userId, at }: { userId: string; at: string }): Promise<number> {
  const sequence = Math.min(stateAt, await sequenceAtToken(deps, room, at));
  const newest = await deps.database.query<TimelineRow>(
    `SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.room_id = ? AND t.sequence <= ? AND t.order_key > 0 ORDER BY t.sequence DESC LIMIT 1`,
    [room.room_id, sequence],
  );
  const [row] = await withMembershipBefore(deps.roomHistoryQuery, newest, userId);
  if (row !== undefined && !isVisible(row, userId, intervals)) throw new MatrixError(403, 'M_FORBIDDEN', 'You may not see who was in the room then');
  return sequence;
}

/** With both parameters, either is enough. */
function isWanted(event: ClientEvent, membership: string | undefined, notMembership: string | undefined): boolean {
  if (membership === undefined && notMembership === undefined) return true;
  return (membership !== undefined && event.membership === membership) || (notMembership !== undefined && event.membership !== notMembership);
}

async function getJoinedMembers(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  if (!(await mayListJoined(deps, request, { roomId, userId }))) throw notInRoom();
  await waitForMembers(deps, roomId);
  const events = await deps.events.load(await stateIdsAt(deps, roomId, OPEN, 'members'));
  const joined = [...events.values()].filter((event) => event.type === 'm.room.member' && event.membership === 'join' && event.stateKey !== undefined);
  return { status: 200, body: { joined: Object.fromEntries(joined.map((event) => [event.stateKey, profileOf(event)])) } };
}

/** Members may, and application services one of whose users is a member. */
async function mayListJoined({ database, userQuery }: ReadDeps, request: ApiRequest, { roomId, userId }: { roomId: string; userId: string }): Promise<boolean> {
  if ((await syncQuery(database).membership(roomId, userId)) === 'join') return true;
  const token = accessTokenOf(request);
  const appservice = token === undefined ? undefined : userQuery.appservices?.byToken(token);
  if (appservice === undefined) return false;
  const rows = await database.query<{ user_id: string }>(`SELECT user_id FROM memberships WHERE room_id = ? AND to_sequence = ? AND membership = 'join'`, [roomId, OPEN]);
  return rows.some((row) => userQuery.appservices?.mayBe(appservice, row.user_id) === true);
}

function profileOf(event: ClientEvent): { display_name?: string; avatar_url?: string } {
  const content = JSON.parse(contentText(event)) as Record<string, unknown>;
  const { displayname, avatar_url: avatarUrl } = content;
  return {
    ...(typeof displayname === 'string' ? { display_name: displayname } : {}),
    ...(typeof avatarUrl === 'string' ? { avatar_url: avatarUrl } : {}),
  };
}
