/** GET /rooms/{roomId}/state and /rooms/{roomId}/state/{eventType}/{stateKey}: the present state, for those who left that of when they left. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { contentText, renderEvent, type ClientEvent } from '../events/client-event.ts';
import { OPEN, slotOf } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { readingRights } from '../visibility/reading-rights.ts';
import { param, requesterOf } from './route-parts.ts';

const STATE_PATH = '/_matrix/client/v3/rooms/{roomId}/state';

export function stateRoutes(deps: ReadDeps): Route[] {
  const common = { method: 'GET', role: 'syncapi', guests: true, idempotent: true } as const;
  return [
    { ...common, operationId: 'getRoomState', path: STATE_PATH, handle: (request) => getState(deps, request) },
    {
      ...common,
      operationId: 'getRoomStateWithKey',
      path: `${STATE_PATH}/{eventType}/{stateKey}`,
      trailing: true,
      handle: (request) => getStateWithKey(deps, request),
    },
  ];
}

async function getState(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  const { stateAt } = await readingRights(deps.database, roomId, userId);
  const events = await stateEventsAt(deps, roomId, stateAt);
  const nowMs = deps.runtime.clock.now();
  return { status: 200, json: `[${events.map((event) => renderEvent(event, { nowMs }, true)).join(',')}]` };
}

/** State events of the room at `sequence` (`OPEN`: now), all or of one type. */
export async function stateEventsAt(deps: Pick<ReadDeps, 'database' | 'events'>, roomId: string, sequence: number, type?: string): Promise<ClientEvent[]> {
  // `to_sequence` of what is current is the greatest number there is: it holds at OPEN - 1.
  const at = Math.min(sequence, OPEN - 1);
  const rows = await deps.database.query<{ event_id: string; type: string }>(
    `SELECT event_id, type FROM state_intervals WHERE room_id = ? AND to_sequence > ? AND from_sequence <= ? AND (? = '' OR type = ?) ORDER BY from_sequence, slot`,
    [roomId, at, at, type ?? '', type ?? ''],
  );
  const events = await deps.events.load(rows.map((row) => row.event_id));
  return rows.flatMap((row) => events.get(row.event_id) ?? []);
}

async function getStateWithKey(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  const format = request.query.get('format') ?? 'content';
  if (format !== 'content' && format !== 'event') throw new MatrixError(400, 'M_INVALID_PARAM', 'format must be content or event');
  const { stateAt } = await readingRights(deps.database, roomId, userId);
  const at = Math.min(stateAt, OPEN - 1);
  const slot = slotOf(roomId, param(request, 'eventType'), request.params['stateKey'] ?? '');
  const rows = await deps.database.query<{ event_id: string }>(
    'SELECT event_id FROM state_intervals WHERE slot = ? AND from_sequence <= ? AND to_sequence > ?',
    [slot, at, at],
  );
  const eventId = rows[0]?.event_id;
  const event = eventId === undefined ? undefined : (await deps.events.load([eventId])).get(eventId);
  if (event === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'The room has no such state');
  if (format === 'content') return { status: 200, json: contentText(event) };
  return { status: 200, json: renderEvent(event, { nowMs: deps.runtime.clock.now() }, true) };
}
