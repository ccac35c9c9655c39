/** GET /sync: what happened since the client's token, or all that it must know; waits when nothing did. */
import type { Departure } from '../../../pkg/http/departure.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse, Route } from '../../../pkg/http/route.ts';
import type { PresenceKind } from '../../../schemas/log/presence.ts';
import type { SyncFilter } from '../filters/filter.ts';
import { createParsedFilters } from '../filters/parsed-filters.ts';
import { answerSync, type SyncAnswer } from '../sync/answer.ts';
import type { ReadDeps } from '../sync/deps.ts';
import { isAtEnd, placeUnder, positionNow } from '../sync/positions.ts';
import { userPartition, type StateField } from '../sync/scope.ts';
import { acknowledge, hasAllMessages } from '../streams/to-device.ts';
import { createSameMoment } from '../sync/same-moment.ts';
import { untilNews } from '../sync/wait.ts';
import { decodeSyncToken, type SyncPosition } from '../token/sync-token.ts';
import { booleanParam, CLIENT_GONE, enumParam, jsonParam, numberParam, requesterOf } from './route-parts.ts';

const PRESENCES: readonly PresenceKind[] = ['offline', 'online', 'unavailable'];

/** Longest wait, whatever the client asks for. */
const TIMEOUT_MS_MAX = 60_000;

/** All that is held of a request while it waits: the text of the token and not what it stands for, which is ten times as much. */
interface SyncQuestion {
  readonly userId: string;
  readonly deviceId: string;
  readonly partition: number;
  readonly filter: SyncFilter;
  readonly token: string | undefined;
  readonly fullState: boolean;
  readonly stateField: StateField;
  /** Time of `runtime.clock.monotonic()` at which the answer is due at the latest. */
  readonly dueAt: number;
  readonly acknowledged: Promise<boolean>;
  readonly presence: PresenceKind;
  readonly departure: Departure;
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
    mayWait: true,
    handle: (request) => handleSync(deps, request),
  };
}

/** Not an async function: that would hold the request until it has returned. */
function handleSync(deps: SyncDeps, request: ApiRequest): Promise<ApiResponse> {
  return prepare(deps, request).then((asked) => answerInTime(deps, asked)).then(responseOf);
}

interface Asked {
  readonly question: SyncQuestion;
  readonly since: SyncPosition | undefined;
}

async function prepare(deps: SyncDeps, request: ApiRequest): Promise<Asked> {
  const { query } = request;
  await deps.nextTurn();
  const requester = await requesterOf(deps, request);
  const { userId, deviceId } = requester;
  const token = query.get('since') || undefined;
  const since = positionOf(deps, token);
  const presence = enumParam(query, 'set_presence', PRESENCES) ?? 'online';
  const timeoutMs = Math.min(numberParam(query, 'timeout') ?? 0, TIMEOUT_MS_MAX);
  const fullState = booleanParam(query, 'full_state');
  const isPatient = since !== undefined && !fullState;
  const question: SyncQuestion = {
    userId, deviceId, partition: userPartition(deps.partitionMap, userId), token: token && ownText(token), fullState, presence,
    filter: await filterOf(deps, userId, query.get('filter')),
    stateField: stateFieldOf(query),
    dueAt: isPatient ? deps.runtime.clock.monotonic() + timeoutMs : 0,
    acknowledged: acknowledge(deps, requester, since),
    departure: request.departure,
  };
  // The user may just have been told of something by a process that knows more than this one.
  await deps.appliedPositions.refresh();
  return { question, since };
}

/** A string of its own: what is cut out of a request keeps the whole request. Tokens are ASCII. */
function ownText(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1');
}

function positionOf(deps: ReadDeps, token: string | undefined): SyncPosition | undefined {
  return token === undefined ? undefined : placeUnder(deps, decodeSyncToken(token));
}

function answerInTime(deps: ReadDeps, { question, since }: Asked): Promise<SyncAnswer | undefined> {
  const { userId, dueAt, departure } = question;
  const ended = deps.presence?.enter(question, question.presence);
  let decoded: SyncPosition | undefined = since;
  return untilNews(deps, { userId, dueAt, departure, ended }, (areRoomsKnown) => {
    const position = decoded ?? positionOf(deps, question.token);
    decoded = undefined;
    if (areRoomsKnown && position !== undefined && isAtEnd(deps, position) && hasAllMessages(question, position)) return undefined;
    return look(deps, question, position);
  });
}

function look(deps: ReadDeps, { userId, deviceId, partition, filter, fullState, stateField, acknowledged }: SyncQuestion, since: SyncPosition | undefined): Promise<SyncAnswer> {
  const now = positionNow(deps, since);
  const nowMs = deps.runtime.clock.now();
  return answerSync(deps, { userId, deviceId, partition, filter, since, now, fullState, stateField, nowMs, acknowledged });
}

function responseOf(answer: SyncAnswer | undefined): ApiResponse {
  return answer === undefined ? CLIENT_GONE : { status: 200, json: answer.json };
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
