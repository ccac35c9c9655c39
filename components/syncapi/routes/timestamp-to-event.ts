/** GET /rooms/{roomId}/timestamp_to_event: the event nearest to a time, of those that the user may see. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { EventAtTime } from '../../../pkg/federation/timestamp-to-event.ts';
import type { Moment } from '../history/nearest-event.ts';
import { TIMELINE_COLUMNS, type TimelineRow } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { withMembershipBefore } from '../visibility/membership-before.ts';
import { notInRoom, readingRights, type ReadingRights } from '../visibility/reading-rights.ts';
import { isVisible } from '../visibility/visibility.ts';
import { enumParam, limitedRequesterOf, param } from './route-parts.ts';

/** Events that the user may not see are passed over, so many. */
const PASSED_OVER_MAX = 50;
/** How long, and how often, older events are fetched so that the one that another server named is here. */
const FETCH_MS_MAX = 8000;
const FETCHES_MAX = 6;

interface Asking {
  readonly userId: string;
  readonly rights: ReadingRights;
}

export function timestampToEventRoute(deps: ReadDeps): Route {
  return {
    operationId: 'getEventByTimestamp',
    method: 'GET',
    path: '/_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
    role: 'syncapi',
    idempotent: true,
    handle: (request) => getNearest(deps, request),
  };
}

async function getNearest(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequesterOf(deps, request, 'lookup');
  const moment = momentOf(request);
  const rights = await readingRights(deps.database, moment.roomId, userId);
  if (rights.room.history_visibility !== 'world_readable' && rights.intervals.length === 0) throw notInRoom();
  const asking = { userId, rights };
  const here = await nearestVisible(deps, asking, moment);
  const found = await closer(deps, asking, { moment, here }) ?? here;
  if (found === undefined) throw new MatrixError(404, 'M_NOT_FOUND', `There is no event ${moment.direction === 'f' ? 'at that time or after it' : 'at that time or before it'}`);
  return { status: 200, body: { event_id: found.eventId, origin_server_ts: found.originServerTs } };
}

function momentOf(request: ApiRequest): Moment {
  const { query } = request;
  const [ts, direction] = [query.get('ts'), enumParam(query, 'dir', ['f', 'b'] as const)];
  if (ts === null || direction === undefined) throw new MatrixError(400, 'M_MISSING_PARAM', 'ts or dir is missing');
  if (!/^-?\d{1,15}$/.test(ts)) throw new MatrixError(400, 'M_INVALID_PARAM', 'ts must be a whole number');
  return { roomId: param(request, 'roomId'), ts: Number(ts), direction };
}

async function nearestVisible(deps: ReadDeps, asking: Asking, moment: Moment): Promise<EventAtTime | undefined> {
  let { ts } = moment;
  for (let passed = 0; passed < PASSED_OVER_MAX; passed += 1) {
    const found = await deps.nearestEvent.here({ ...moment, ts });
    if (found === undefined || (await maySee(deps, asking, found.eventId))) return found;
    ts = found.originServerTs + (moment.direction === 'f' ? 1 : -1);
  }
  return undefined;
}

/** An event that is not in the read model (yet) is not shown. */
async function maySee(deps: ReadDeps, { userId, rights }: Asking, eventId: string): Promise<boolean> {
  const rows = await deps.database.query<TimelineRow>(`SELECT ${TIMELINE_COLUMNS} FROM timeline t WHERE t.event_id = ? AND t.room_id = ?`, [eventId, rights.room.room_id]);
  const [row] = await withMembershipBefore(deps.roomHistoryQuery, rows, userId);
  return row !== undefined && isVisible(row, userId, rights.intervals);
}

/** What other servers know of the time before what is here: once it is here, so that the client can read around it, it is judged like every event. */
async function closer(deps: ReadDeps, asking: Asking, { moment, here }: { moment: Moment; here: EventAtTime | undefined }): Promise<EventAtTime | undefined> {
  if (asking.rights.intervals.length === 0 || !(await deps.nearestEvent.mayLack(moment))) return undefined;
  const found = await deps.nearestEvent.elsewhere(moment);
  if (found === undefined || (here !== undefined && Math.abs(here.originServerTs - moment.ts) <= Math.abs(found.originServerTs - moment.ts))) return undefined;
  const { clock } = deps.runtime;
  const endsAt = clock.now() + FETCH_MS_MAX;
  for (let fetched = 0; fetched < FETCHES_MAX && clock.now() < endsAt; fetched += 1) {
    if ((await deps.history.more(moment.roomId, endsAt - clock.now())) !== 'more') break;
    if (await maySee(deps, asking, found.eventId)) return found;
  }
  return nearestVisible(deps, asking, moment);
}
