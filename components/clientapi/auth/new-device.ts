/** What a log-in gives out: a device ID and an access token, of which only the hash goes further. */
import { accessTokenHash } from '../../../pkg/http/requester.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { NewDevice } from '../../../schemas/log/user-input.ts';

const ACCESS_TOKEN_PREFIX = 'myl_';
/** Letters and digits of 5.9 bits each: more than 250 bits. */
const ACCESS_TOKEN_LENGTH = 43;
const DEVICE_ID_LENGTH = 10;

export interface DeviceLogin {
  readonly accessToken: string;
  readonly device: NewDevice;
}

/** `deviceId` undefined: the server picks one. */
export function newDeviceLogin(runtime: Pick<Runtime, 'random'>, wanted: { deviceId?: string | undefined; displayName?: string | undefined }): DeviceLogin {
  const accessToken = ACCESS_TOKEN_PREFIX + runtime.random.token(ACCESS_TOKEN_LENGTH);
  const deviceId = wanted.deviceId ?? runtime.random.token(DEVICE_ID_LENGTH).toUpperCase();
  return { accessToken, device: { deviceId, tokenHash: accessTokenHash(accessToken), displayName: wanted.displayName ?? '' } };
}
