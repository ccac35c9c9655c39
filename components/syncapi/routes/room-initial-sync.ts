/** GET /rooms/{roomId}/initialSync: a room as it is now, also for who is not in it where the world may read it. */
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { parseEventFilter } from '../filters/filter.ts';
import { PAGE_EVENTS_MAX, readPage } from '../history/read-page.ts';
import { renderPage, renderStateEvents } from '../history/render-page.ts';
import { accountDataText, loadAccountData } from '../streams/account-data.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { positionNow } from '../sync/positions.ts';
import { userPartition } from '../sync/scope.ts';
import { encodePageToken } from '../token/page-token.ts';
import { encodeSyncToken } from '../token/sync-token.ts';
import { ignoredUsers } from '../visibility/ignored-users.ts';
import { readingRights } from '../visibility/reading-rights.ts';
import { newestBoundary } from './messages.ts';
import { numberParam, param, requesterOf } from './route-parts.ts';
import { stateIdsAt } from './state.ts';

const LIMIT_DEFAULT = 10;

export function roomInitialSyncRoute(deps: ReadDeps): Route {
  return {
    operationId: 'roomInitialSync',
    method: 'GET',
    path: '/_matrix/client/v3/rooms/{roomId}/initialSync',
    role: 'syncapi',
    idempotent: true,
    guests: true,
    handle: (request) => roomInitialSync(deps, request),
  };
}

async function roomInitialSync(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requesterOf(deps, request);
  const { userId } = requester;
  const roomId = param(request, 'roomId');
  const limit = Math.min(numberParam(request.query, 'limit') ?? LIMIT_DEFAULT, PAGE_EVENTS_MAX);
  await deps.appliedPositions.refresh();
  // Taken before the room is read: who goes on from it with /events may see something twice, and misses nothing.
  const position = positionNow(deps, undefined);
  const rights = await readingRights(deps.database, roomId, userId);
  const { intervals } = rights;
  const page = await readPage(deps, {
    ...{ roomId, userId, intervals, limit, backwards: true, to: undefined, asksOthers: false },
    from: await newestBoundary(deps, rights),
    filter: parseEventFilter({}),
    ignored: await ignoredUsers(deps.database, userId),
  });
  const chunk = await renderPage(deps, { ...requester, intervals }, page.rows.toReversed());
  const state = await renderStateEvents(deps, await stateIdsAt(deps, roomId, rights.stateAt));
  const accountData = await loadAccountData(deps.database, userId, { after: 0, upTo: position.user[userPartition(deps.partitionMap, userId)] ?? 0, rooms: [] });
  const parts = [
    `"room_id":${JSON.stringify(roomId)}`,
    ...membershipParts(intervals.at(-1)?.membership),
    `"messages":{"start":${JSON.stringify(encodePageToken(page.at))},"end":${JSON.stringify(encodeSyncToken(position))},"chunk":[${chunk.join(',')}]}`,
    `"state":[${state.join(',')}]`,
    `"account_data":[${accountDataText(accountData.get(roomId) ?? []).join(',')}]`,
    `"visibility":${(await deps.roomQuery.isPublished(roomId)) ? '"public"' : '"private"'}`,
  ];
  return { status: 200, json: `{${parts.join(',')}}` };
}

/** The spec has no name here for who knocks. */
function membershipParts(membership: string | undefined): string[] {
  return membership === undefined || membership === 'knock' ? [] : [`"membership":${JSON.stringify(membership)}`];
}
