/** GET /rooms/{roomId}/members and /rooms/{roomId}/joined_members. */
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { contentText, renderEvent, type ClientEvent } from '../events/client-event.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { sequenceAtToken } from '../sync/page-place.ts';
import { notInRoom, readingRights } from '../visibility/reading-rights.ts';
import { enumParam, param, requesterOf } from './route-parts.ts';
import { stateEventsAt } from './state.ts';

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
  const rights = await readingRights(deps.database, roomId, userId);
  const at = request.query.get('at');
  const sequence = at === null || at === '' ? rights.stateAt : Math.min(rights.stateAt, await sequenceAtToken(deps, rights.room, at));
  const members = await stateEventsAt(deps, roomId, sequence, 'm.room.member');
  const wanted = members.filter((event) => isWanted(event, membership, notMembership));
  const nowMs = deps.runtime.clock.now();
  return { status: 200, json: `{"chunk":[${wanted.map((event) => renderEvent(event, { nowMs }, true)).join(',')}]}` };
}

/** With both parameters, either is enough. */
function isWanted(event: ClientEvent, membership: string | undefined, notMembership: string | undefined): boolean {
  if (membership === undefined && notMembership === undefined) return true;
  return (membership !== undefined && event.membership === membership) || (notMembership !== undefined && event.membership !== notMembership);
}

async function getJoinedMembers(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  const rights = await readingRights(deps.database, roomId, userId);
  if (!rights.isJoined) throw notInRoom();
  const members = await stateEventsAt(deps, roomId, rights.stateAt, 'm.room.member');
  const joined = members.filter((event) => event.membership === 'join' && event.stateKey !== undefined);
  return { status: 200, body: { joined: Object.fromEntries(joined.map((event) => [event.stateKey, profileOf(event)])) } };
}

function profileOf(event: ClientEvent): { display_name?: string; avatar_url?: string } {
  const content = JSON.parse(contentText(event)) as Record<string, unknown>;
  const { displayname, avatar_url: avatarUrl } = content;
  return {
    ...(typeof displayname === 'string' ? { display_name: displayname } : {}),
    ...(typeof avatarUrl === 'string' ? { avatar_url: avatarUrl } : {}),
  };
}
