/** PURE. Dehydrated devices (MSC3814): a user may have one device that nobody is logged in with. It takes messages, and whoever can decrypt its data reads them later. */
import type { PutDehydratedDevice, UploadKeys } from '../../../schemas/log/user-input.ts';
import { takeUpload } from '../keys/decide-keys.ts';
import { withoutDevice } from '../keys/key-facts.ts';
import { hasTooMany, isNamedAsKey, namedAsKey, removeDevices, tooMany } from './decide-devices.ts';
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';

/** Of a device, encrypted: some dozens of keys. */
const DEVICE_DATA_BYTES_MAX = 64 * 1024;

/** undefined: it is about something else. */
export function decideOfDehydrated(draft: Draft): Verdict | undefined {
  const { putDehydratedDevice, removeDehydratedDevice } = draft.input;
  if (putDehydratedDevice) return decidePut(draft, putDehydratedDevice);
  return removeDehydratedDevice ? decideRemove(draft) : undefined;
}

/** The device, its data and its keys come together, or nothing of it does. The one before goes with its keys and messages, unless it is the same one: the answer to a request may be lost. */
function decidePut(draft: Draft, wanted: PutDehydratedDevice): Verdict {
  const { keys, deviceData, displayName } = wanted;
  const { deviceId } = keys;
  const refusal = refuse(draft, wanted);
  if (refusal !== undefined) return refusal;
  const before = isSame(draft, keys) ? undefined : draft.picture.dehydrated;
  if (before !== undefined) removeDevices(draft, [before]);
  draft.writes.push({ kind: 'device', deviceId, displayName, sequence: draft.emit({ device: { deviceId, removed: false } }) }, { kind: 'dehydrated', deviceId, data: deviceData });
  const taken = takeUpload(afterRemoval(draft, { before, deviceId, displayName }), keys);
  return 'counts' in taken ? accepted(draft, { device_id: deviceId }) : taken;
}

function refuse(draft: Draft, { keys: { deviceId, deviceKeys }, deviceData }: PutDehydratedDevice): Verdict | undefined {
  const { dehydrated: before, devices, keys } = draft.picture;
  if (deviceKeys.length === 0) return rejected(400, 'M_MISSING_PARAM', 'device_keys is missing');
  if (deviceData.length > DEVICE_DATA_BYTES_MAX) return rejected(413, 'M_TOO_LARGE', `device_data has at most ${DEVICE_DATA_BYTES_MAX} bytes`);
  if (isNamedAsKey(draft, deviceId)) return namedAsKey();
  if (before === undefined && hasTooMany(draft, deviceId)) return tooMany();
  if (before !== deviceId && devices.has(deviceId)) return rejected(400, 'M_INVALID_PARAM', 'A device that was logged in with has this name');
  if (isSame(draft, { deviceId, deviceKeys })) return undefined;
  // Another one of the same name: what is known of claimed keys goes with the one before, so none of them may come again.
  const isClaimed = [...keys.oneTime.values()].some((key) => key.deviceId === deviceId && key.isClaimed);
  return isClaimed ? rejected(400, 'M_INVALID_PARAM', 'One of the one-time keys was claimed before; a new dehydrated device needs new ones') : undefined;
}

/** Whether these are identity keys of the dehydrated device that is there. */
function isSame({ picture: { dehydrated, keys } }: Draft, { deviceId, deviceKeys }: Pick<UploadKeys, 'deviceId' | 'deviceKeys'>): boolean {
  const stored = keys.devices.get(deviceId);
  return dehydrated === deviceId && stored !== undefined && identityOf(stored) === identityOf(Buffer.from(deviceKeys).toString('utf8'));
}

function identityOf(deviceKeys: string): string {
  return JSON.stringify(Object.entries((JSON.parse(deviceKeys) as { keys?: object }).keys ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the upload of keys stands on: the new device is there and has none. */
function afterRemoval(draft: Draft, { before, deviceId, displayName }: { before: string | undefined; deviceId: string; displayName: string }): Draft {
  const { picture } = draft;
  const devices = new Map([...picture.devices].filter(([id]) => id !== before)).set(deviceId, displayName);
  return { ...draft, picture: { ...picture, devices, keys: before === undefined ? picture.keys : withoutDevice(picture.keys, before) } };
}

function decideRemove(draft: Draft): Verdict {
  const { dehydrated: deviceId } = draft.picture;
  if (deviceId === undefined) return rejected(404, 'M_NOT_FOUND', 'There is no dehydrated device');
  removeDevices(draft, [deviceId]);
  return accepted(draft, { device_id: deviceId });
}
