import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isSuggested } from '../../../pkg/matrix/room-summary/space-children.ts';
import { requireRoomId } from '../checks/identifiers.ts';
import { booleanParam, wholeParam } from '../checks/query.ts';
import type { Context } from '../context.ts';
import { createDescriber, type Described, type Describer } from '../spaces/describe-rooms.ts';
import { pageToken, readPageToken, type PagePlace, type Question } from '../spaces/page-token.ts';
import { walkPage } from '../spaces/walk.ts';
import { limitedRequester, ok, type RouteSpec } from './client-route.ts';

const ROOMS_DEFAULT = 50;
const ROOMS_MAX = 100;
const DEPTH_MAX = 16;
/** Of one page. */
const REQUESTS_MAX = 20;
const DEADLINE_MS = 10_000;

/** GET /_matrix/client/v1/rooms/{roomId}/hierarchy — v1.2 */
export async function getSpaceHierarchy(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'lookup');
  const { query, signal } = request;
  const roomId = requireRoomId(request.params['roomId']);
  const question = { roomId, suggestedOnly: booleanParam(query, 'suggested_only'), maxDepth: Math.min(wholeParam(query, 'max_depth', 0) ?? DEPTH_MAX, DEPTH_MAX) };
  const limit = Math.min(wholeParam(query, 'limit', 1) ?? ROOMS_DEFAULT, ROOMS_MAX);
  const from = placeOf(query.get('from'), question);
  const describer = await createDescriber(context, { userId, suggestedOnly: question.suggestedOnly, requestsMax: REQUESTS_MAX, deadlineMs: DEADLINE_MS, signal });
  const root = await rootOf(context, describer, { roomId, userId });
  const page = await walkPage({ question, describer, limit, from }, root);
  return ok({ rooms: page.rooms.map((room) => chunkOf(room, question)), ...(page.end && { next_batch: pageToken(question, page.end) }) });
}

function placeOf(from: string | null, question: Question): PagePlace | undefined {
  if (from === null) return undefined;
  const place = readPageToken(from, question);
  if (place === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', 'from is no token of this hierarchy; suggested_only and max_depth stay the same from page to page');
  return place;
}

/** Throws 403 M_FORBIDDEN for a room that the user may not know of. One that they are invited to, their inviter's server may tell of. */
async function rootOf({ roomQuery }: Context, describer: Describer, { roomId, userId }: { roomId: string; userId: string }): Promise<Described> {
  const inviter = describer.membership(roomId) === 'invite' ? await roomQuery.outsideMembership(roomId, userId) : undefined;
  await describer.describe([{ roomId, via: inviter === undefined ? [] : [domainOf(inviter.sender)] }]);
  const root = describer.known(roomId);
  if (root === undefined || root === 'hidden') throw new MatrixError(403, 'M_FORBIDDEN', 'You may not look into this room');
  return root;
}

function chunkOf({ summary, children }: Described, { suggestedOnly }: Question): Record<string, unknown> {
  return { ...summary, children_state: suggestedOnly ? children.filter(isSuggested) : children };
}

export const spaceHierarchyRoutes: readonly RouteSpec[] = [
  { handler: getSpaceHierarchy, method: 'GET', path: '/_matrix/client/v1/rooms/{roomId}/hierarchy', idempotent: true },
];
