import { createHash } from 'node:crypto';
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, limitedRequester, ok, requireSelf, type RouteSpec } from './client-route.ts';

const FILTER_ID_LENGTH = 22;

const strings = z.array(z.string()).optional();
const users = z.array(z.string().startsWith('@')).optional();
const rooms = z.array(z.string().startsWith('!')).optional();
const eventFilter = z.looseObject({ limit: z.int().positive().optional(), types: strings, not_types: strings, senders: users, not_senders: users });
const roomEventFilter = eventFilter.extend({
  rooms,
  not_rooms: rooms,
  lazy_load_members: z.boolean().optional(),
  include_redundant_members: z.boolean().optional(),
  contains_url: z.boolean().optional(),
  unread_thread_notifications: z.boolean().optional(),
  related_by_senders: users,
  related_by_rel_types: strings,
});
const roomFilter = z.looseObject({
  rooms,
  not_rooms: rooms,
  include_leave: z.boolean().optional(),
  ephemeral: roomEventFilter.optional(),
  state: roomEventFilter.optional(),
  timeline: roomEventFilter.optional(),
  account_data: roomEventFilter.optional(),
});
const syncFilter = z.looseObject({
  event_fields: strings,
  event_format: z.enum(['client', 'federation']).optional(),
  presence: eventFilter.optional(),
  account_data: eventFilter.optional(),
  room: roomFilter.optional(),
});

/** POST /_matrix/client/v3/user/{userId}/filter — r0 */
export async function defineFilter(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'settings');
  requireSelf(requester, request.params['userId']);
  parseBody(syncFilter, request.body);
  const definition = Buffer.from(JSON.stringify(request.body));
  // Of the definition, so that a client which defines its filter at every start makes no new ones. Hexadecimal, as it must not start with a brace.
  const filterId = createHash('sha256').update(definition).digest('hex').slice(0, FILTER_ID_LENGTH);
  await submitUserCommand(context, request, { userId: requester.userId, putFilter: { filterId, definition } });
  return ok({ filter_id: filterId });
}

/** GET /_matrix/client/v3/user/{userId}/filter/{filterId} — r0 */
export async function getFilter(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await requireRequester(request, context.userQuery);
  requireSelf(requester, request.params['userId']);
  const filter = await context.userQuery.filter(requester.userId, request.params['filterId']!);
  if (filter === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such filter');
  return { status: 200, json: filter.definition };
}

export const filterRoutes: readonly RouteSpec[] = [
  { handler: defineFilter, method: 'POST', path: `${CLIENT_V3}/user/{userId}/filter`, idempotent: true },
  { handler: getFilter, method: 'GET', path: `${CLIENT_V3}/user/{userId}/filter/{filterId}`, idempotent: true },
];
