import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { sessionSettings } from '../auth/new-device.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, limitedRequester, ok, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/capabilities — r0 */
export async function getCapabilities(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { isAdmin, userId } = await limitedRequester(context, request, 'reading');
  const secret = await context.userQuery.loginSecret(userId);
  // A user of an application service has none.
  const hasPassword = secret !== undefined && secret.passwordHash !== '';
  return ok({
    capabilities: {
      'm.change_password': { enabled: hasPassword },
      'm.room_versions': {
        default: context.settings.defaultRoomVersion,
        available: Object.fromEntries(ROOM_VERSIONS.map((version) => [version.id, 'stable'])),
      },
      'm.set_displayname': { enabled: true },
      'm.set_avatar_url': { enabled: true },
      'm.3pid_changes': { enabled: false },
      'm.get_login_token': { enabled: hasPassword && sessionSettings(context).loginTokens },
      'm.profile_fields': { enabled: true },
      'm.forget_forced_upon_leave': { enabled: context.settings.forgetOnLeave === true },
      ...(isAdmin && { 'm.account_moderation': { suspend: true, lock: true } }),
    },
  });
}

export const capabilitiesRoutes: readonly RouteSpec[] = [{ handler: getCapabilities, method: 'GET', path: `${CLIENT_V3}/capabilities`, idempotent: true }];
