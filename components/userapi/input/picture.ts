/** What `decide` knows of a user: loaded for a batch, and carried forward by the effects of the inputs before. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import type { UserEffects, UserWrite } from './effects.ts';

export interface UserPicture {
  /** undefined: there is no such account. */
  account: { deactivated: boolean } | undefined;
  /** Display names of the devices that exist, by device ID. */
  readonly devices: Map<string, string>;
  /** JSON values of the profile fields that exist. */
  readonly profile: Map<string, Uint8Array>;
}

export function emptyPicture(): UserPicture {
  return { account: undefined, devices: new Map(), profile: new Map() };
}

type AccountRow = { user_id: string; deactivated: number };
type DeviceRow = { user_id: string; device_id: string; display_name: string };
type ProfileRow = { user_id: string; field: string; value: Uint8Array };

/** Pictures of all users of `inputs`, with at most three queries: devices and profiles only of those whose inputs need them. */
export async function loadPictures(reader: Reader, inputs: readonly UserInput[]): Promise<Map<string, UserPicture>> {
  const pictures = new Map(inputs.map((input) => [input.userId, emptyPicture()]));
  const usersOf = (needed: (input: UserInput) => unknown) => [...new Set(inputs.filter(needed).map((input) => input.userId))];
  const ofDevices = usersOf((input) => input.register ?? input.login ?? input.logout);
  const ofProfiles = usersOf((input) => input.setProfileField);

  const [accounts, devices, profiles] = await Promise.all([
    reader.queryIn<AccountRow>('SELECT user_id, deactivated FROM accounts WHERE user_id IN (??)', [], [...pictures.keys()]),
    ofDevices.length === 0 ? [] : reader.queryIn<DeviceRow>('SELECT user_id, device_id, display_name FROM devices WHERE removed = 0 AND user_id IN (??)', [], ofDevices),
    ofProfiles.length === 0 ? [] : reader.queryIn<ProfileRow>('SELECT user_id, field, value FROM profiles WHERE user_id IN (??)', [], ofProfiles),
  ]);
  for (const row of accounts) pictures.get(row.user_id)!.account = { deactivated: row.deactivated !== 0 };
  for (const row of devices) pictures.get(row.user_id)!.devices.set(row.device_id, row.display_name);
  for (const row of profiles) {
    if (row.value.length > 0) pictures.get(row.user_id)!.profile.set(row.field, row.value);
  }
  return pictures;
}

/** Carries the picture forward over the effects of an accepted input. */
export function advance(picture: UserPicture, effects: UserEffects): void {
  for (const write of effects.writes) advanceOne(picture, write);
}

function advanceOne(picture: UserPicture, write: UserWrite): void {
  switch (write.kind) {
    case 'account':
      picture.account = { deactivated: false };
      return;
    case 'device':
      picture.devices.set(write.deviceId, write.displayName);
      return;
    case 'device-removed':
      picture.devices.delete(write.deviceId);
      return;
    case 'profile':
      if (write.value.length === 0) picture.profile.delete(write.field);
      else picture.profile.set(write.field, write.value);
      return;
    default:
      return;
  }
}
