/** GET /rooms/{roomId}/state and /rooms/{roomId}/state/{eventType}/{stateKey}: the present state, for those who left that of when they left. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import { contentText } from '../events/client-event.ts';
import { renderStateEvents } from '../history/render-page.ts';
import { OPEN, slotOf } from '../storage/rows.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { readingRights } from '../visibility/reading-rights.ts';
import { param, requesterOf } from './route-parts.ts';
import { waitForMembers } from './wait-for-members.ts';

const STATE_PARTS: Readonly<Record<StatePart, string>> = { all: '1 = 1', members: `type = 'm.room.member'`, others: `type <> 'm.room.member'` };
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
  await readingRights(deps.database, roomId, userId);
  await waitForMembers(deps, roomId);
  const { stateAt } = await readingRights(deps.database, roomId, userId);
  return { status: 200, json: `[${(await renderStateEvents(deps, await stateIdsAt(deps, roomId, stateAt))).join(',')}]` };
}

/** Which of a room's state is wanted: all, or members, or what is not members. */
type StatePart = 'all' | 'members' | 'others';

/** IDs of the state events of the room at `sequence` (`OPEN`: now). */
export async function stateIdsAt(deps: Pick<ReadDeps, 'database'>, roomId: string, sequence: number, part: StatePart = 'all'): Promise<string[]> {
  // `to_sequence` of what is current is the greatest number there is: it holds at OPEN - 1.
  const at = Math.min(sequence, OPEN - 1);
  const rows = await deps.database.query<{ event_id: string }>(
    `SELECT event_id FROM state_intervals WHERE room_id = ? AND to_sequence > ? AND from_sequence <= ? AND ${STATE_PARTS[part]} ORDER BY from_sequence, slot`,
    [roomId, at, at],
  );
  return rows.map((row) => row.event_id);
}

async function isThere({ database }: ReadDeps, slot: string): Promise<boolean> {
  return (await database.query('SELECT event_id FROM state_intervals WHERE slot = ? AND to_sequence = ?', [slot, OPEN])).length > 0;
}

async function getStateWithKey(deps: ReadDeps, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requesterOf(deps, request);
  const roomId = param(request, 'roomId');
  const format = request.query.get('format') ?? 'content';
  if (format !== 'content' && format !== 'event') throw new MatrixError(400, 'M_INVALID_PARAM', 'format must be content or event');
  await readingRights(deps.database, roomId, userId);
  const type = param(request, 'eventType');
  const slot = slotOf(roomId, type, request.params['stateKey'] ?? '');
  if (type === 'm.room.member' && !(await isThere(deps, slot))) await waitForMembers(deps, roomId);
  const { stateAt } = await readingRights(deps.database, roomId, userId);
  const at = Math.min(stateAt, OPEN - 1);
  const rows = await deps.database.query<{ event_id: string }>(
    'SELECT event_id FROM state_intervals WHERE slot = ? AND from_sequence <= ? AND to_sequence > ?',
    [slot, at, at],
  );
  const eventId = rows[0]?.event_id;
  const event = eventId === undefined ? undefined : (await deps.events.load([eventId])).get(eventId);
  if (event === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'The room has no such state');
  if (format === 'content') return { status: 200, json: contentText(event) };
  const [text] = await renderStateEvents(deps, [event.eventId]);
  return { status: 200, json: text ?? '' };
}
