/** GET /sync: what happened since the client's token, or all that it must know; waits when nothing did. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { PresenceKind } from '../../../schemas/log/presence.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import type { SyncFilter } from '../filters/filter.ts';
import { createParsedFilters } from '../filters/parsed-filters.ts';
import { answerSync, type SyncAnswer } from '../sync/answer.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { placeUnder, positionNow } from '../sync/positions.ts';
import type { StateField } from '../sync/scope.ts';
import { acknowledge } from '../streams/to-device.ts';
import { createSameMoment } from '../sync/same-moment.ts';
import { untilNews } from '../sync/wait.ts';
import { decodeSyncToken, type SyncPosition } from '../token/sync-token.ts';
import { booleanParam, enumParam, jsonParam, numberParam, requesterOf } from './route-parts.ts';

const PRESENCES: readonly PresenceKind[] = ['offline', 'online', 'unavailable'];

/** Longest wait, whatever the client asks for. */
const TIMEOUT_MS_MAX = 60_000;

interface SyncQuestion {
  readonly requester: Requester;
  readonly filter: SyncFilter;
  readonly since: SyncPosition | undefined;
  readonly fullState: boolean;
  readonly stateField: StateField;
  /** Time of `runtime.clock.monotonic()` at which the answer is due at the latest. */
  readonly dueAt: number;
  readonly acknowledged: Promise<boolean>;
}

interface SyncDeps extends ReadDeps {
  readonly nextTurn: () => Promise<void>;
  readonly parsedFilter: ReturnType<typeof createParsedFilters>;
}

export function syncRoute(readDeps: ReadDeps): Route {
  const deps = { ...readDeps, nextTurn: createSameMoment(readDeps.runtime.clock), parsedFilter: createParsedFilters() };
  return {
    operationId: 'sync',
    method: 'GET',
    path: '/_matrix/client/v3/sync',
    role: 'syncapi',
    idempotent: true,
    guests: true,
    handle: (request) => handleSync(deps, request),
  };
}

async function handleSync(deps: SyncDeps, request: ApiRequest): Promise<ApiResponse> {
  const { query } = request;
  await deps.nextTurn();
  const requester = await requesterOf(deps, request);
  const token = query.get('since');
  const since = token === null || token === '' ? undefined : placeUnder(deps, decodeSyncToken(token));
  const presence = enumParam(query, 'set_presence', PRESENCES) ?? 'online';
  const timeoutMs = Math.min(numberParam(query, 'timeout') ?? 0, TIMEOUT_MS_MAX);
  const question: SyncQuestion = {
    requester,
    filter: await filterOf(deps, requester.userId, query.get('filter')),
    since,
    fullState: booleanParam(query, 'full_state'),
    stateField: stateFieldOf(query),
    dueAt: deps.runtime.clock.monotonic() + timeoutMs,
    acknowledged: acknowledge(deps, requester, since),
  };
  // The user may just have been told of something by a process that knows more than this one.
  await deps.appliedPositions.refresh();
  const leave = deps.presence?.enter(requester, presence);
  try {
    const answer = await answerInTime(deps, question, request.signal);
    return { status: 200, json: answer.json };
  } finally {
    leave?.();
  }
}

function answerInTime(deps: ReadDeps, question: SyncQuestion, signal: AbortSignal): Promise<SyncAnswer> {
  const isPatient = question.since !== undefined && !question.fullState;
  return untilNews(deps, { userId: question.requester.userId, dueAt: isPatient ? question.dueAt : 0, signal }, () => look(deps, question));
}

function look(deps: ReadDeps, question: SyncQuestion): Promise<SyncAnswer> {
  const { requester, filter, since, fullState, stateField, acknowledged } = question;
  const now = positionNow(deps, since);
  const nowMs = deps.runtime.clock.now();
  return answerSync(deps, { userId: requester.userId, deviceId: requester.deviceId, filter, since, now, fullState, stateField, nowMs, acknowledged });
}

function stateFieldOf(query: URLSearchParams): StateField {
  if (booleanParam(query, 'use_state_after')) return 'state_after';
  return booleanParam(query, 'org.matrix.msc4222.use_state_after') ? 'org.matrix.msc4222.state_after' : 'state';
}

async function filterOf(deps: SyncDeps, userId: string, text: string | null): Promise<SyncFilter> {
  if (text === null || text === '') return deps.parsedFilter('{}', JSON.parse);
  if (text.startsWith('{')) return deps.parsedFilter(text, () => jsonParam(text, 'filter'));
  const stored = await deps.userQuery.filter(userId, text);
  if (stored === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', 'There is no such filter');
  return deps.parsedFilter(Buffer.from(stored.definition).toString('utf8'), JSON.parse);
}
