/** GET /rooms/{roomId}/threads: the roots of a room's threads, those with the newest events first (Client-Server API v1.4). */
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { renderTimelineRow } from '../events/render-row.ts';
import { loadBundles } from '../relations/load-bundles.ts';
import { readThreads } from '../relations/threads.ts';
import type { SeenRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { decodePageToken, encodePageToken } from '../token/page-token.ts';
import { erasedForm } from '../visibility/erased.ts';
import { ignoredUsers, isIgnored } from '../visibility/ignored-users.ts';
import { notInRoom, readingRights, type ReadingRights } from '../visibility/reading-rights.ts';
import { limitParam } from './relations.ts';
import { enumParam, limitedRequesterOf, param } from './route-parts.ts';

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

export function threadsListRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getThreadRoots',
    method: 'GET',
    path: '/_matrix/client/v1/rooms/{roomId}/threads',
    role: 'syncapi',
    idempotent: true,
    handle: (request) => getThreads(deps, request),
  };
}

async function getThreads(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { query } = request;
  const { userId, deviceId } = await limitedRequesterOf(deps, request, 'reading');
  const onlyOwn = enumParam(query, 'include', ['all', 'participated']) === 'participated';
  const limit = limitParam(query, LIMIT_DEFAULT, LIMIT_MAX);
  const from = query.get('from');
  const rights = await readingRights(deps.database, param(request, 'roomId'), userId);
  const { intervals, room } = rights;
  if (room.history_visibility !== 'world_readable' && intervals.length === 0) throw notInRoom();
  const question = { roomId: room.room_id, userId, intervals, onlyOwn, limit, from: from === null || from === '' ? Number.MAX_SAFE_INTEGER : decodePageToken(from) };
  const { rows, next } = await readThreads(deps, question);
  const parts = [`"chunk":[${(await renderRoots(deps, { userId, deviceId, rights }, rows)).join(',')}]`];
  if (next !== undefined) parts.push(`"next_batch":${JSON.stringify(encodePageToken(next))}`);
  return { status: 200, json: `{${parts.join(',')}}` };
}

/** The roots of threads of which the reader is shown something; those of ignored users as if they were redacted. */
async function renderRoots(deps: ReadDeps, { userId, deviceId, rights }: { userId: string; deviceId: string; rights: ReadingRights }, rows: readonly SeenRow[]): Promise<string[]> {
  const { intervals } = rights;
  const ignored = await ignoredUsers(deps.database, userId);
  const reader = { userId, deviceId, nowMs: deps.runtime.clock.now(), withRoomId: true };
  const bundles = await loadBundles(deps, rows, { ...reader, ignored, intervals: () => intervals });
  const events = await deps.events.load(rows.map((row) => row.event_id));
  return rows.flatMap((row) => {
    const event = events.get(row.event_id);
    // State events may be roots, and have no bundles.
    const isShown = event !== undefined && (bundles.get(row.event_id)?.isThread === true || row.state_key !== null);
    return isShown ? [renderTimelineRow(row, isIgnored(row, ignored) ? erasedForm(event) : event, { ...reader, events, intervals, bundles })] : [];
  });
}
