/** Dehydrated devices (MSC3814, not of the spec yet): a device that takes encrypted messages while the user is logged in nowhere. */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { jsonObject, parseBody, text, textUpTo } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { limitedRequester, ok, type RouteSpec } from './client-route.ts';

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';
/** Messages in one answer, as in one answer to /sync. */
const MESSAGES_MAX = 100;

const putBody = z.object({
  device_id: textUpTo(255).min(1),
  device_data: z.looseObject({ algorithm: text }),
  initial_device_display_name: textUpTo(255).nullish(),
  device_keys: jsonObject,
  one_time_keys: jsonObject.nullish(),
  fallback_keys: jsonObject.nullish(),
});
const eventsBody = z.object({ next_batch: text.nullish() });

/** PUT /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device — MSC3814 */
export async function putDehydratedDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const body = parseBody(putBody, request.body);
  const bytes = (part: object | null | undefined): Uint8Array => (part === undefined || part === null || Object.keys(part).length === 0 ? new Uint8Array(0) : Buffer.from(JSON.stringify(part)));
  const keys = { deviceId: body.device_id, deviceKeys: bytes(body.device_keys), oneTimeKeys: bytes(body.one_time_keys), fallbackKeys: bytes(body.fallback_keys) };
  const wanted = { keys, deviceData: bytes(body.device_data), displayName: body.initial_device_display_name ?? '' };
  return ok(await submitUserCommand(context, request, { userId, putDehydratedDevice: wanted }));
}

/** GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device — MSC3814 */
export async function getDehydratedDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const device = await context.userQuery.dehydratedDevice(userId);
  if (device === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no dehydrated device');
  return { status: 200, json: `{"device_id":${JSON.stringify(device.deviceId)},"device_data":${Buffer.from(device.data).toString('utf8')}}` };
}

/** DELETE /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device — MSC3814 */
export async function deleteDehydratedDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  return ok(await submitUserCommand(context, request, { userId, removeDehydratedDevice: {} }));
}

/** GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{device_id}/events — MSC3814. Without `next_batch` it was the last answer. */
export async function getDehydratedDeviceEvents(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { events, next, isLast } = await eventsAfter(context, request, request.query.get('from'));
  return { status: 200, json: `{"events":[${events.join(',')}]${isLast ? '' : `,"next_batch":"${next}"`}}` };
}

/** POST to the same — MSC3814 before June 2026. Its clients go on until there are no events, from the beginning where `next_batch` is missing. */
export async function postDehydratedDeviceEvents(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { events, next } = await eventsAfter(context, request, parseBody(eventsBody, request.body).next_batch);
  return { status: 200, json: `{"events":[${events.join(',')}],"next_batch":"${next}"}` };
}

interface Events {
  /** JSON texts. */
  readonly events: readonly string[];
  /** Token of the place behind them. */
  readonly next: number;
  readonly isLast: boolean;
}

/** They stay until the device goes: who reads them may not come to an end, and another device begins anew. */
async function eventsAfter(context: Context, request: ApiRequest, from: string | null | undefined): Promise<Events> {
  const { userId } = await limitedRequester(context, request, 'encryption');
  const after = placeOf(from);
  const deviceId = request.params['device_id'] ?? '';
  const device = await context.userQuery.dehydratedDevice(userId);
  if (device?.deviceId !== deviceId) throw new MatrixError(403, 'M_FORBIDDEN', 'This is not the dehydrated device');
  const messages = await context.userQuery.toDevice({ userId, deviceId }, { after, upTo: Number.MAX_SAFE_INTEGER, limit: MESSAGES_MAX + 1 });
  const shown = messages.slice(0, MESSAGES_MAX);
  return { events: shown.map(({ event }) => event), next: shown.at(-1)?.sequence ?? after, isLast: messages.length <= MESSAGES_MAX };
}

/** Sequence number of the last message that the client has. */
function placeOf(token: string | null | undefined): number {
  if (token === null || token === undefined) return 0;
  if (!/^(?:0|[1-9]\d{0,14})$/.test(token)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is no token of this answer');
  return Number(token);
}

export const dehydratedDeviceRoutes: readonly RouteSpec[] = [
  { handler: putDehydratedDevice, method: 'PUT', path: PATH, idempotent: true },
  { handler: getDehydratedDevice, method: 'GET', path: PATH, idempotent: true },
  { handler: deleteDehydratedDevice, method: 'DELETE', path: PATH, body: 'optional-json-object', idempotent: true },
  { handler: getDehydratedDeviceEvents, method: 'GET', path: `${PATH}/{device_id}/events`, idempotent: true },
  { handler: postDehydratedDeviceEvents, method: 'POST', path: `${PATH}/{device_id}/events`, body: 'optional-json-object', idempotent: true },
];
