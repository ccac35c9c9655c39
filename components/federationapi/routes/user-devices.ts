/** GET /_matrix/federation/v1/user/devices/{userId}: all devices of a user of this server that can encrypt, with the number that m.device_list_update counts on from. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { Route } from '../../../pkg/http/route.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import type { FederationapiDeps } from '../deps.ts';
import { visibleUsers, type GuardDeps } from '../device-lists/visible-users.ts';

export function userDevicesRoute(deps: Pick<FederationapiDeps, 'serverName' | 'userQuery'> & GuardDeps, auth: AuthDeps): Route {
  const { serverName, userQuery } = deps;
  return {
    operationId: 'getUserDevices', method: 'GET', path: '/_matrix/federation/v1/user/devices/{userId}', role: 'federationapi', idempotent: true, raw: true,
    handle: authenticated(auth, async ({ params }, origin) => {
      const userId = params['userId'];
      if (!isUserId(userId) || !isLocalUser(userId, serverName)) throw new MatrixError(400, 'M_INVALID_PARAM', 'This is no user of this server');
      if (!(await userQuery.userExists(userId)) || !(await visibleUsers(deps, origin, [userId])).has(userId)) throw new MatrixError(404, 'M_NOT_FOUND', 'There is no such user');
      const { streamId, devices, master, selfSigning } = await userQuery.deviceList(userId);
      const shown = devices.map(({ deviceId, displayName, keys }) => ({ device_id: deviceId, keys: JSON.parse(keys) as object, ...(displayName !== '' && { device_display_name: displayName }) }));
      const crossSigning = { ...(master !== undefined && { master_key: JSON.parse(master) as object }), ...(selfSigning !== undefined && { self_signing_key: JSON.parse(selfSigning) as object }) };
      return { status: 200, body: { user_id: userId, stream_id: streamId, devices: shown, ...crossSigning } };
    }),
  };
}
