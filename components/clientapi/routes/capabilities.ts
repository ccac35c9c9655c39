import { requireRequester } from '../../../pkg/http/requester.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { Context } from '../context.ts';
import { CLIENT_V3, ok, type RouteSpec } from './client-route.ts';

/** GET /_matrix/client/v3/capabilities — r0 */
export async function getCapabilities(context: Context, request: ApiRequest): Promise<ApiResponse> {
  await requireRequester(request, context.userQuery);
  return ok({
    capabilities: {
      'm.change_password': { enabled: false },
      'm.room_versions': {
        default: context.settings.defaultRoomVersion,
        available: Object.fromEntries(ROOM_VERSIONS.map((version) => [version.id, 'stable'])),
      },
      'm.set_displayname': { enabled: true },
      'm.set_avatar_url': { enabled: true },
      'm.3pid_changes': { enabled: false },
      'm.get_login_token': { enabled: false },
      'm.profile_fields': { enabled: true },
    },
  });
}

export const capabilitiesRoutes: readonly RouteSpec[] = [{ handler: getCapabilities, method: 'GET', path: `${CLIENT_V3}/capabilities`, idempotent: true }];
