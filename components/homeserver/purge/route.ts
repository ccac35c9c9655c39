/** `POST /_myelin/purge-history` begins a purge of a room's history, `GET` says how far it is; for the operator's own machine only. */
import type { CommandClient } from '../../../pkg/log/commands.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Reader } from '../../../pkg/storage/database.ts';
import { readPurge } from '../../roomserver/index.ts';
import { isFromHere } from '../status/route.ts';

export const PURGE_PATH = '/_myelin/purge-history';

export interface PurgeDeps {
  /** The address listened on. */
  readonly host: string;
  readonly runtime: Runtime;
  readonly submitRoomInput: CommandClient['submitRoomInput'];
  /** Of the roomserver's tables. */
  readonly reader: Pick<Reader, 'query'>;
}

/** The body of POST: `room_id`, and `before_event` (the first event that stays) or `before_ts` (wall-clock ms). */
export function purgeRoutes(deps: PurgeDeps): Route[] {
  const common = { path: PURGE_PATH, role: 'any', idempotent: true } as const;
  return [
    {
      ...common, operationId: 'purgeHistory', method: 'POST',
      async handle(request) {
        if (!isFromHere(request, deps.host)) throw new MatrixError(404, 'M_UNRECOGNIZED', 'Unrecognized request');
        const { room_id: roomId, before_event: eventId = '', before_ts: beforeTs = 0 } = request.body as Record<string, unknown>;
        if (typeof roomId !== 'string' || typeof eventId !== 'string' || !Number.isSafeInteger(beforeTs) || (eventId === '') !== ((beforeTs as number) > 0)) {
          throw new MatrixError(400, 'M_INVALID_PARAM', 'room_id is needed, and either before_event or before_ts');
        }
        const inputId = deps.runtime.random.token(32);
        const outcome = await deps.submitRoomInput({ inputId, traceId: inputId, originServerTs: deps.runtime.clock.now(), roomId, purgeHistory: { eventId, beforeTs: beforeTs as number } });
        if (outcome.errcode !== '') throw new MatrixError(outcome.status, outcome.errcode, outcome.error);
        return { status: 200, body: JSON.parse(Buffer.from(outcome.result).toString()) as Record<string, unknown> };
      },
    },
    {
      ...common, operationId: 'getPurge', method: 'GET', body: 'none',
      async handle(request) {
        if (!isFromHere(request, deps.host)) throw new MatrixError(404, 'M_UNRECOGNIZED', 'Unrecognized request');
        const purge = await readPurge(deps.reader, request.query.get('room_id') ?? '');
        if (purge === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'Nothing was ever purged in this room');
        const { toOrderKey, orderKey, eventsGone, eventsKept, finishedAt } = purge;
        return { status: 200, body: { left: toOrderKey - orderKey, events_gone: eventsGone, events_kept: eventsKept, finished: finishedAt > 0 }, headers: { 'cache-control': 'no-store' } };
      },
    },
  ];
}
