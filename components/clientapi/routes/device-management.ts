import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { StoredDevice } from '../../../schemas/ports/session-query.ts';
import { BY_PASSWORD } from '../auth/password-stage.ts';
import { interact } from '../auth/uia.ts';
import { parseBody, text, textUpTo } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, ok, type RouteSpec } from './client-route.ts';

const DELETED_MAX = 2000;

const updateBody = z.object({ display_name: textUpTo(255).optional() });
const deleteBody = z.object({ devices: z.array(text).max(DELETED_MAX, `has at most ${DELETED_MAX} devices`) });

/** GET /_matrix/client/v3/devices — r0 */
export async function getDevices(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requireRequester(request, context.userQuery);
  const devices = await context.userQuery.devices(userId);
  return ok({ devices: devices.map(shown) });
}

/** GET /_matrix/client/v3/devices/{deviceId} — r0 */
export async function getDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId } = await requireRequester(request, context.userQuery);
  const device = await context.userQuery.device(userId, request.params['deviceId'] ?? '');
  if (device === undefined) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such device');
  return ok(shown(device));
}

/** PUT /_matrix/client/v3/devices/{deviceId} — r0, changed in v1.17 (application services make devices) */
export async function updateDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { userId, isAppservice } = await requireRequester(request, context.userQuery);
  const { display_name: displayName } = parseBody(updateBody, request.body);
  const deviceId = request.params['deviceId'] ?? '';
  const mayCreate = isAppservice === true;
  if (mayCreate && deviceId.length > 255) throw new MatrixError(400, 'M_INVALID_PARAM', 'A device ID has at most 255 characters');
  const { created } = await submitUserCommand(context, request, { userId, putDevice: { deviceId, mayCreate, ...(displayName !== undefined && { displayName }) } });
  return created === true ? { status: 201, body: {} } : EMPTY;
}

/** DELETE /_matrix/client/v3/devices/{deviceId} — r0, changed in v1.17 (application services need not authenticate) */
export async function deleteDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return remove(context, request, () => [request.params['deviceId'] ?? '']);
}

/** POST /_matrix/client/v3/delete_devices — r0, changed in v1.17 (application services need not authenticate) */
export async function deleteDevices(context: Context, request: ApiRequest): Promise<ApiResponse> {
  return remove(context, request, (parameters) => parseBody(deleteBody, parameters).devices);
}

/** What is gone already, or never was, is no error: a request may be repeated. */
async function remove(context: Context, request: ApiRequest, idsOf: (parameters: unknown) => readonly string[]): Promise<ApiResponse> {
  const { userId, isAppservice } = await requireRequester(request, context.userQuery);
  const interaction = interact(context, request, userId);
  const deviceIds = idsOf(interaction.parameters);
  const challenge = isAppservice === true ? undefined : await interaction.challenge(BY_PASSWORD);
  if (challenge !== undefined) return challenge;
  await submitUserCommand(context, request, { userId, removeDevices: { deviceIds: [...deviceIds] } });
  return EMPTY;
}

/** As clients get it. */
function shown({ deviceId, displayName, seenMs, seenIp }: StoredDevice): Record<string, unknown> {
  return { device_id: deviceId, ...(displayName !== '' && { display_name: displayName }), ...(seenMs > 0 && { last_seen_ts: seenMs }), ...(seenIp !== '' && { last_seen_ip: seenIp }) };
}

export const deviceManagementRoutes: readonly RouteSpec[] = [
  { handler: getDevices, method: 'GET', path: `${CLIENT_V3}/devices`, guests: true, idempotent: true },
  { handler: getDevice, method: 'GET', path: `${CLIENT_V3}/devices/{deviceId}`, guests: true, idempotent: true },
  { handler: updateDevice, method: 'PUT', path: `${CLIENT_V3}/devices/{deviceId}`, guests: true, idempotent: true },
  { handler: deleteDevice, method: 'DELETE', path: `${CLIENT_V3}/devices/{deviceId}`, body: 'optional-json-object', idempotent: true },
  { handler: deleteDevices, method: 'POST', path: `${CLIENT_V3}/delete_devices`, idempotent: true },
];
