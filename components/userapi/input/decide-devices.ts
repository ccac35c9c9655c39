/** PURE. Devices: they come with log-ins, go with log-outs, and have names; and the password, whose change logs them out. */
import type { NewDevice, UserInput } from '../../../schemas/log/user-input.ts';
import { firstToken, takeLoginToken } from './decide-sessions.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';

/** A user has so many devices at most: each is told to everybody who shares a room with them. */
export const DEVICES_MAX = 2000;

export function decideLogin(draft: Draft, { device, loginTokenHash }: NonNullable<UserInput['login']>): Verdict {
  const refusal = loginTokenHash !== undefined && loginTokenHash.length > 0 ? takeLoginToken(draft, loginTokenHash) : undefined;
  if (refusal !== undefined) return refusal;
  if (hasTooMany(draft, device.deviceId)) return tooMany();
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
  }
}

/** Renames a device, or makes one without a token where that may be. The result says whether it was made. */
export function decidePutDevice(draft: Draft, { deviceId, displayName, mayCreate }: NonNullable<UserInput['putDevice']>): Verdict {
  const before = draft.picture.devices.get(deviceId);
  if (before === undefined && !mayCreate) return rejected(404, 'M_NOT_FOUND', 'There is no such device');
  if (before === undefined && hasTooMany(draft, deviceId)) return tooMany();
  const name = displayName ?? before ?? '';
  if (name === before) return accepted(draft, { created: false });
  const sequence = draft.emit({ device: { deviceId, removed: false } });
  draft.writes.push({ kind: 'device', deviceId, displayName: name, sequence });
  return accepted(draft, { created: before === undefined });
}

/** Of a device that has gone meanwhile nothing is known any more: the write finds no row. */
export function decideSeeDevice(draft: Draft, { deviceId, ip }: NonNullable<UserInput['seeDevice']>): Verdict {
  draft.writes.push({ kind: 'device-seen', deviceId, ip });
  return accepted(draft);
}

export function decideChangePassword(draft: Draft, { passwordHash, logsOutOthers, deviceId }: NonNullable<UserInput['changePassword']>): Verdict {
  draft.writes.push({ kind: 'password', passwordHash });
  if (logsOutOthers) removeDevices(draft, [...draft.picture.devices.keys()].filter((id) => id !== deviceId));
  return accepted(draft);
}

function hasTooMany({ picture: { devices } }: Draft, deviceId: string): boolean {
  return devices.size >= DEVICES_MAX && !devices.has(deviceId);
}

function tooMany(): Verdict {
  return rejected(403, 'M_FORBIDDEN', `An account has at most ${DEVICES_MAX} devices; remove some first`);
}
