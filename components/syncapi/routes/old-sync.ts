/** What clients used before /sync (deprecated): GET /initialSync, /events and /events/{eventId}. They are answered from what /sync is made of. */
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { renderEvent } from '../events/client-event.ts';
import { parseSyncFilter } from '../filters/filter.ts';
import { renderPage } from '../history/render-page.ts';
import { TIMELINE_LIMIT_MAX } from '../streams/timeline.ts';
import { readSync } from '../sync/answer.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { placeUnder, positionNow } from '../sync/positions.ts';
import { globalAccountData, renderAccountData, renderEvents, renderPresence, renderState, type Rendering } from '../sync/render.ts';
import { userPartition, type RoomView, type SyncScope } from '../sync/scope.ts';
import { untilNews, type Look } from '../sync/wait.ts';
import { encodePageToken } from '../token/page-token.ts';
import { decodeSyncToken, encodeSyncToken } from '../token/sync-token.ts';
import { noSuchEvent, visibleEvent } from './events.ts';
import { peekEvents } from './peeking-events.ts';
import { booleanParam, CLIENT_GONE, numberParam, param, requesterOf } from './route-parts.ts';

const LIMIT_DEFAULT = 10;
const TIMEOUT_MS_MAX = 60_000;

export function oldSyncRoutes(deps: ReadDeps): Route[] {
  const common = { method: 'GET', role: 'syncapi', idempotent: true } as const;
  return [
    // Guests may only look into a room.
    { ...common, operationId: 'getEvents', path: '/_matrix/client/v3/events', guests: true, mayWait: true, handle: (request) => getEvents(deps, request) },
    { ...common, operationId: 'initialSync', path: '/_matrix/client/v3/initialSync', handle: (request) => initialSync(deps, request) },
    { ...common, operationId: 'getOneEvent', path: '/_matrix/client/v3/events/{eventId}', handle: (request) => getOneEvent(deps, request) },
  ];
}

interface Stream extends Look {
  readonly chunk: readonly string[];
  readonly end: string;
}

/** GET /events: new events of all the user's rooms, or (`peekEvents`) of one that they need not be in. */
async function getEvents(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { query, departure } = request;
  const roomId = query.get('room_id');
  const requester = await requesterOf(deps, { ...request, isOpenToGuests: roomId !== null });
  const timeoutMs = Math.min(numberParam(query, 'timeout') ?? 0, TIMEOUT_MS_MAX);
  const from = query.get('from') || undefined;
  await deps.appliedPositions.refresh();
  const start = from ?? encodeSyncToken(positionNow(deps, undefined));
  const look = roomId === null ? eventsSince(deps, requester, start) : await peekEvents(deps, requester, { roomId, from: start });
  const news = await untilNews(deps, { userId: requester.userId, dueAt: deps.runtime.clock.monotonic() + timeoutMs, departure }, look);
  if (news === undefined) return CLIENT_GONE;
  const { chunk, end } = news;
  return { status: 200, json: `{"start":${JSON.stringify(start)},"end":${JSON.stringify(end)},"chunk":[${chunk.join(',')}]}` };
}

/** Looks for what happened in the user's rooms, invites among it. Of a room with more events than a /sync could show, the newest. */
function eventsSince(deps: ReadDeps, requester: Requester, from: string): () => Promise<Stream> {
  const since = placeUnder(deps, decodeSyncToken(from));
  const filter = parseSyncFilter({ room: { timeline: { limit: TIMELINE_LIMIT_MAX } } });
  return async () => {
    const scope = scopeOf(deps, requester, { filter, since, stateField: 'state' });
    const { material, nextBatch, watched } = await readSync(deps, scope);
    const rendering: Rendering = { scope, material, withRoomId: true };
    const inside = material.views.flatMap((view) => renderEvents(rendering, view, material.timelines.get(view.roomId)?.shown ?? []));
    const invites = material.views.flatMap((view) => (isInside(view) ? [] : (memberEvent(rendering, view.current.event_id) ?? [])));
    const outside = material.outside.map(({ event }) => renderEvent(event, { nowMs: scope.nowMs, membership: event.membership }, true));
    const chunk = [...inside, ...invites, ...outside, ...renderPresence(scope, material)];
    return { chunk, end: nextBatch, empty: chunk.length === 0, watched };
  };
}

function scopeOf(deps: ReadDeps, { userId, deviceId }: Requester, more: Pick<SyncScope, 'filter' | 'since' | 'stateField'>): SyncScope {
  return { ...more, userId, deviceId, partition: userPartition(deps.partitionMap, userId), now: positionNow(deps, more.since), fullState: false, nowMs: deps.runtime.clock.now() };
}

function isInside({ section }: RoomView): boolean {
  return section === 'join' || section === 'leave';
}

/** The text of the user's own member event. */
function memberEvent({ scope, material }: Rendering, eventId: string): string | undefined {
  const event = material.events.get(eventId);
  return event && renderEvent(event, { nowMs: scope.nowMs, membership: event.membership }, true);
}

/** GET /initialSync */
async function initialSync(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { query } = request;
  const requester = await requesterOf(deps, request);
  const limit = numberParam(query, 'limit') ?? LIMIT_DEFAULT;
  const filter = parseSyncFilter({ room: { include_leave: booleanParam(query, 'archived'), timeline: { limit } } });
  await deps.appliedPositions.refresh();
  const scope = scopeOf(deps, requester, { filter, since: undefined, stateField: 'state_after' });
  const { material, nextBatch } = await readSync(deps, scope);
  const rendering: Rendering = { scope, material, withRoomId: true };
  const rooms = [...material.views.flatMap((view) => roomInfo(rendering, view) ?? []), ...outsideRooms(rendering)];
  const accountData = await globalAccountData(deps, scope, material);
  return { status: 200, json: `{"end":${JSON.stringify(nextBatch)},"presence":[${renderPresence(scope, material).join(',')}],"account_data":[${accountData.join(',')}],"rooms":[${rooms.join(',')}]}` };
}

/** undefined: the spec has no form for a room that the user knocks on. */
function roomInfo(rendering: Rendering, view: RoomView): string | undefined {
  const { material } = rendering;
  if (view.section === 'knock') return undefined;
  const head = `"room_id":${JSON.stringify(view.roomId)},"membership":${JSON.stringify(view.current.membership)}`;
  if (view.section === 'invite') return `{${head},"invite":${memberEvent(rendering, view.current.event_id) ?? '{}'}}`;
  const timeline = material.timelines.get(view.roomId);
  const { shown, prevBatch } = timeline ?? { shown: [], prevBatch: 0 };
  const messages = [
    `"start":${JSON.stringify(encodePageToken(prevBatch))}`,
    `"end":${JSON.stringify(encodePageToken(shown.at(-1)?.order_key ?? prevBatch))}`,
    `"chunk":[${renderEvents(rendering, view, shown).join(',')}]`,
  ];
  return `{${head},"messages":{${messages.join(',')}},"state":[${renderState(rendering, view).join(',')}],"account_data":[${renderAccountData(rendering, view).join(',')}]}`;
}

/** Invites to rooms that this server is not in, and what became of them. */
function outsideRooms({ scope, material }: Rendering): string[] {
  return material.outside.filter(({ section }) => section !== 'knock').map(({ roomId, section, event }) => {
    const text = renderEvent(event, { nowMs: scope.nowMs, membership: event.membership }, true);
    return `{"room_id":${JSON.stringify(roomId)},"membership":${JSON.stringify(event.membership)}${section === 'invite' ? `,"invite":${text}` : ''}}`;
  });
}

/** GET /events/{eventId} */
async function getOneEvent(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requesterOf(deps, request);
  const { row, intervals } = await visibleEvent(deps, requester.userId, { eventId: param(request, 'eventId') });
  const [text] = row === undefined ? [] : await renderPage(deps, { ...requester, intervals }, [row]);
  if (text === undefined) throw noSuchEvent();
  return { status: 200, json: text };
}
