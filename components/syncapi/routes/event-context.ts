/** GET /rooms/{roomId}/context/{eventId}: an event and what lies around it. */
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { passes } from '../filters/filter.ts';
import { PAGE_EVENTS_MAX, readPage, type PageQuestion } from '../history/read-page.ts';
import { memberIdsOf, renderPage, renderStateEvents, stateSequenceOf } from '../history/render-page.ts';
import type { SeenRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { encodePageToken } from '../token/page-token.ts';
import { ignoredUsers } from '../visibility/ignored-users.ts';
import { readingRights } from '../visibility/reading-rights.ts';
import { noSuchEvent, visibleEvent } from './events.ts';
import { eventFilterOf } from './messages.ts';
import { numberParam, param, requesterOf } from './route-parts.ts';
import { stateIdsAt } from './state.ts';

const LIMIT_DEFAULT = 10;

export function eventContextRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getEventContext',
    method: 'GET',
    path: '/_matrix/client/v3/rooms/{roomId}/context/{eventId}',
    role: 'syncapi',
    idempotent: true,
    guests: true,
    handle: (request) => getEventContext(deps, request),
  };
}

async function getEventContext(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requesterOf(deps, request);
  const { userId } = requester;
  const roomId = param(request, 'roomId');
  const limit = Math.min(numberParam(request.query, 'limit') ?? LIMIT_DEFAULT, PAGE_EVENTS_MAX);
  const filter = eventFilterOf(request.query);
  const { row, intervals } = await visibleEvent(deps, userId, { eventId: param(request, 'eventId'), roomId });
  if (row === undefined) {
    // Who has no business in the room is told that.
    await readingRights(deps.database, roomId, userId);
    throw noSuchEvent();
  }
  const ignored = await ignoredUsers(deps.database, userId);
  const question = { roomId, userId, intervals, ignored, filter, to: undefined, asksOthers: false };
  const limitBefore = Math.floor(limit / 2);
  const before = await readPage(deps, { ...question, backwards: true, from: row.order_key - 1, limit: limitBefore });
  const after = await readPage(deps, { ...question, backwards: false, from: row.order_key, limit: limit - limitBefore });
  const rows = [...before.rows, row, ...after.rows];
  const texts = await renderPage(deps, { ...requester, intervals }, rows);
  const state = await stateOf(deps, question, { rows, last: after.rows.at(-1) ?? row });
  const parts = [
    `"start":${JSON.stringify(encodePageToken(before.at))}`,
    `"end":${JSON.stringify(encodePageToken(after.at))}`,
    `"events_before":[${texts.slice(0, before.rows.length).join(',')}]`,
    `"event":${texts[before.rows.length]}`,
    `"events_after":[${texts.slice(before.rows.length + 1).join(',')}]`,
    `"state":[${state.join(',')}]`,
  ];
  return { status: 200, json: `{${parts.join(',')}}` };
}

/** The state at the last event; where members are loaded lazily, of them only the senders of what is shown. */
async function stateOf(deps: ReadDeps, { roomId, filter }: Pick<PageQuestion, 'roomId' | 'filter'>, shown: { rows: readonly SeenRow[]; last: SeenRow }): Promise<string[]> {
  const sequence = stateSequenceOf(shown.last);
  const isLazy = filter.lazyLoadMembers;
  const stateIds = await stateIdsAt(deps, roomId, sequence, isLazy ? 'others' : 'all');
  const memberIds = isLazy ? await memberIdsOf(deps, shown.rows, sequence) : [];
  return renderStateEvents(deps, [...stateIds, ...memberIds], (event) => passes(filter, event, roomId));
}
