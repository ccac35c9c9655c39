/** PURE. Devices: they come with log-ins, go with log-outs, and have names; and the password, whose change logs them out. */
import type { NewDevice, UserInput } from '../../../schemas/log/user-input.ts';
import { nameOf } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import type { JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import { tellDeviceChanged } from '../keys/device-list.ts';
import { firstToken, takeLoginToken } from './decide-sessions.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';

/** A user has so many devices at most: each is told to everybody who shares a room with them. */
export const DEVICES_MAX = 2000;

export function decideLogin(draft: Draft, { device, loginTokenHash }: NonNullable<UserInput['login']>): Verdict {
  const refusal = loginTokenHash !== undefined && loginTokenHash.length > 0 ? takeLoginToken(draft, loginTokenHash) : undefined;
  if (refusal !== undefined) return refusal;
  if (hasTooMany(draft, device.deviceId)) return tooMany();
  if (isNamedAsKey(draft, device.deviceId)) return namedAsKey();
  if (device.deviceId === draft.picture.dehydrated) return rejected(403, 'M_FORBIDDEN', 'The dehydrated device has this name; nobody logs in with it');
  useDevice(draft, device);
  return accepted(draft, { user_id: draft.input.userId, device_id: device.deviceId });
}

/** Makes the device, or takes the existing one, which keeps its display name; its tokens are replaced. */
export function useDevice(draft: Draft, device: NewDevice): void {
  const { deviceId } = device;
  const displayName = draft.picture.devices.get(deviceId) ?? device.displayName;
  const sequence = draft.emit({ device: { deviceId, removed: false } });
  draft.writes.push({ kind: 'device', deviceId, displayName, sequence });
  draft.writes.push({ kind: 'tokens', deviceId, tokens: [firstToken(device, draft.input.ts)] });
  if (device.ip) draft.writes.push({ kind: 'device-seen', deviceId, ip: device.ip });
}

/** `deviceId` empty: all devices. A device that is gone already is no error. */
export function decideLogout(draft: Draft, deviceId: string): Verdict {
  removeDevices(draft, deviceId === '' ? [...draft.picture.devices.keys()] : [deviceId]);
  return accepted(draft);
}

export function decideRemoveDevices(draft: Draft, deviceIds: readonly string[]): Verdict {
  removeDevices(draft, deviceIds);
  return accepted(draft);
}

/** With their tokens. Those that are gone already are no error. */
export function removeDevices(draft: Draft, deviceIds: readonly string[]): void {
  for (const deviceId of [...new Set(deviceIds)].filter((id) => draft.picture.devices.has(id)).sort()) {
    const sequence = draft.emit({ device: { deviceId, removed: true } });
    draft.writes.push({ kind: 'device-removed', deviceId, sequence }, { kind: 'tokens', deviceId, tokens: [] });
    removeKeys(draft, deviceId);
  }
}

/** Renames a device, or makes one without a token where that may be. The result says whether it was made. */
export function decidePutDevice(draft: Draft, { deviceId, displayName, mayCreate }: NonNullable<UserInput['putDevice']>): Verdict {
  const before = draft.picture.devices.get(deviceId);
  if (before === undefined && !mayCreate) return rejected(404, 'M_NOT_FOUND', 'There is no such device');
  if (before === undefined && hasTooMany(draft, deviceId)) return tooMany();
  if (before === undefined && isNamedAsKey(draft, deviceId)) return namedAsKey();
  const name = displayName ?? before ?? '';
  if (name === before) return accepted(draft, { created: false });
  const sequence = draft.emit({ device: { deviceId, removed: false } });
  draft.writes.push({ kind: 'device', deviceId, displayName: name, sequence });
  if (draft.picture.keys.devices.has(deviceId)) tellDeviceChanged(draft, { deviceId, displayName: name });
  return accepted(draft, { created: before === undefined });
}

/** Of a device that has gone meanwhile nothing is known any more: the write finds no row. */
export function decideSeeDevice(draft: Draft, { deviceId, ip }: NonNullable<UserInput['seeDevice']>): Verdict {
  draft.writes.push({ kind: 'device-seen', deviceId, ip });
  return accepted(draft);
}

export function decideChangePassword(draft: Draft, { passwordHash, logsOutOthers, deviceId }: NonNullable<UserInput['changePassword']>): Verdict {
  draft.writes.push({ kind: 'password', passwordHash });
  // Nobody is logged in with a dehydrated device, and who has forgotten a password may have nothing else that reads what came meanwhile.
  if (logsOutOthers) removeDevices(draft, [...draft.picture.devices.keys()].filter((id) => id !== deviceId && id !== draft.picture.dehydrated));
  return accepted(draft);
}

/** What others would still encrypt for; and what a dehydrated device is made of again. */
export function removeKeys(draft: Draft, deviceId: string): void {
  draft.writes.push({ kind: 'device-keys-gone', deviceId });
  if (draft.picture.dehydrated === deviceId) draft.writes.push({ kind: 'dehydrated', deviceId, data: null });
  if (draft.picture.keys.devices.has(deviceId)) tellDeviceChanged(draft, { deviceId, deleted: true });
}

/** Signatures name devices and cross-signing keys alike (Client-Server API, "Key and signature security"). */
export function isNamedAsKey({ picture: { keys } }: Draft, deviceId: string): boolean {
  return [...keys.crossSigning.values()].some((key) => nameOf(JSON.parse(key) as JsonObject) === deviceId);
}

export function namedAsKey(): Verdict {
  return rejected(403, 'M_FORBIDDEN', 'A cross-signing key has the same name as the device');
}

export function hasTooMany({ picture: { devices } }: Draft, deviceId: string): boolean {
  return devices.size >= DEVICES_MAX && !devices.has(deviceId);
}

export function tooMany(): Verdict {
  return rejected(403, 'M_FORBIDDEN', `An account has at most ${DEVICES_MAX} devices; remove some first`);
}
