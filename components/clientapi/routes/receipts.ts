import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody, textUpTo } from '../checks/body.ts';
import { requireEventId, requireRoomId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { FULLY_READ, setReadPosition } from '../rooms/set-read-position.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

const RECEIPT_TYPES = new Set(['m.read', 'm.read.private', FULLY_READ]);
const MAIN_THREAD = 'main';

const receiptBody = z.object({ thread_id: z.unknown().optional() });
const threadId = textUpTo(255);

/** POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId} — r0, changed in v1.4 (private receipts, threads) */
export async function postReceipt(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'ephemeral');
  const roomId = requireRoomId(request.params['roomId']);
  const receiptType = request.params['receiptType']!;
  if (!RECEIPT_TYPES.has(receiptType)) throw new MatrixError(400, 'M_INVALID_PARAM', 'The receipt type must be m.read, m.read.private or m.fully_read');
  const eventId = requireEventId(request.params['eventId']);
  const thread = requireThread(parseBody(receiptBody, request.body).thread_id, receiptType);
  await setReadPosition(context, request, requester, { roomId, receiptType, eventId, threadId: thread });
  return EMPTY;
}

function requireThread(given: unknown, receiptType: string): string | undefined {
  // Null is no thread: matrix-nio sends it with receipts that are of none.
  if (given === undefined || given === null) return undefined;
  const parsed = threadId.safeParse(given);
  if (!parsed.success || (parsed.data !== MAIN_THREAD && !parsed.data.startsWith('$'))) throw new MatrixError(400, 'M_INVALID_PARAM', "thread_id must be the ID of a thread's root event, or main");
  if (receiptType === FULLY_READ) throw new MatrixError(400, 'M_INVALID_PARAM', 'm.fully_read does not belong to a thread');
  return parsed.data;
}

export const receiptsRoutes: readonly RouteSpec[] = [
  { handler: postReceipt, method: 'POST', path: `${CLIENT_V3}/rooms/{roomId}/receipt/{receiptType}/{eventId}`, body: 'optional-json-object', idempotent: true },
];
