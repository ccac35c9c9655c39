/** PURE. What is known here of the devices of users of other servers (Server-Server API, "Device Management"): kept as long as every change of them was seen, asked for anew after that. */
import { PoisonRecord } from '../../../pkg/log/log.ts';
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { crossSigningProblem } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import { formProblem } from '../../../pkg/matrix/e2ee/device-keys.ts';
import { isObject, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, type Draft, type Verdict } from '../input/draft.ts';

const NONE = new Uint8Array(0);
const DEVICES_MAX = 5000;
const TEXT_LENGTH_MAX = 255;

export function decideRemoteKeys(draft: Draft, { kind, content }: NonNullable<UserInput['remoteKeys']>): Verdict {
  const body = content.length === 0 ? {} : (JSON.parse(Buffer.from(content).toString('utf8')) as JsonObject);
  switch (kind) {
    case 'device':
      return changeDevice(draft, body);
    case 'signing':
      return changeSigning(draft, body);
    case 'list':
      return replaceList(draft, body);
    case 'left':
      return doubtList(draft);
    case 'forget':
      if (draft.picture.keys.list !== undefined) draft.writes.push({ kind: 'remote-keys-gone', withList: true });
      return accepted(draft);
    default:
      throw new PoisonRecord(`keys of other servers' users have no kind ${kind}`);
  }
}

/** Content of m.device_list_update. One that does not follow on what is known says only that there is something to be asked for. */
function changeDevice(draft: Draft, body: JsonObject): Verdict {
  const { list } = draft.picture.keys;
  const streamId = streamIdOf(body);
  if (list?.isFresh === true && streamId <= list.streamId) return accepted(draft);
  const previous = Array.isArray(body['prev_id']) ? body['prev_id'] : [];
  const follows = list?.isFresh === true && previous.length > 0 && previous.every((id) => id === list.streamId);
  const isTaken = follows && takeDevice(draft, body);
  tell(draft, { streamId: Math.max(streamId, list?.streamId ?? 0), isFresh: isTaken });
  return accepted(draft);
}

/** Whether the device could be taken over. */
function takeDevice(draft: Draft, body: JsonObject): boolean {
  const { device_id: deviceId, deleted, keys } = body;
  if (!isId(deviceId)) return false;
  if (deleted === true) {
    draft.writes.push({ kind: 'device-keys-gone', deviceId });
    return true;
  }
  // A device that cannot encrypt.
  if (keys === undefined) return true;
  const text = textOfDevice(draft.input.userId, deviceId, keys);
  if (text === undefined) return false;
  draft.writes.push({ kind: 'device-keys', deviceId, keys: text, displayName: displayNameOf(body) });
  return true;
}

/** Content of m.signing_key_update. */
function changeSigning(draft: Draft, body: JsonObject): Verdict {
  const { list } = draft.picture.keys;
  const isTaken = list?.isFresh === true && takeSigning(draft, body);
  tell(draft, { streamId: list?.streamId ?? 0, isFresh: isTaken });
  return accepted(draft);
}

function takeSigning(draft: Draft, body: JsonObject): boolean {
  for (const usage of ['master', 'self_signing'] as const) {
    const key = body[`${usage}_key`];
    if (key === undefined) continue;
    if (crossSigningProblem(key, draft.input.userId, usage) !== undefined) return false;
    const text = textOf(key as JsonObject);
    if (text === undefined) return false;
    draft.writes.push({ kind: 'cross-signing', usage, key: text });
  }
  return true;
}

/** The user was in a room with somebody here and is no longer: if that was the last one, their server tells no more of changes. Whether it was, is looked at when the devices are asked for anew. */
function doubtList(draft: Draft): Verdict {
  const { list } = draft.picture.keys;
  if (list?.isFresh === true) draft.writes.push({ kind: 'device-list', ...list, isFresh: false });
  return accepted(draft);
}

/** Answer of GET /user/devices: all there is. One that is older than a change that was heard of meanwhile does not count. */
function replaceList(draft: Draft, body: JsonObject): Verdict {
  const { list } = draft.picture.keys;
  const streamId = streamIdOf(body);
  if (list === undefined || streamId < list.streamId || !Array.isArray(body['devices']) || body['devices'].length > DEVICES_MAX) return accepted(draft);
  draft.writes.push({ kind: 'remote-keys-gone', withList: false });
  for (const device of body['devices'] as unknown[]) {
    const deviceId = isObject(device) ? device['device_id'] : undefined;
    const text = isId(deviceId) ? textOfDevice(draft.input.userId, deviceId, (device as JsonObject)['keys']) : undefined;
    if (text !== undefined) draft.writes.push({ kind: 'device-keys', deviceId: deviceId as string, keys: text, displayName: displayNameOf(device as JsonObject) });
  }
  takeSigning(draft, body);
  // That there is something new was told when it was heard of.
  draft.writes.push({ kind: 'device-list', streamId, isFresh: true, sequence: list.sequence });
  return accepted(draft);
}

function tell(draft: Draft, list: { readonly streamId: number; readonly isFresh: boolean }): void {
  const sequence = draft.emit({ deviceList: { deviceId: '', deleted: false, displayName: '', keys: NONE, crossSigning: NONE, previous: 0 } });
  draft.writes.push({ kind: 'device-list', ...list, sequence });
}

function textOfDevice(userId: string, deviceId: string, keys: unknown): string | undefined {
  return formProblem(keys, { userId, deviceId }) === undefined ? textOf(keys as JsonObject) : undefined;
}

function textOf(object: JsonObject): string | undefined {
  try {
    const { unsigned: _unsigned, ...kept } = object;
    return canonicalJson(kept);
  } catch {
    return undefined;
  }
}

function streamIdOf({ stream_id: streamId }: JsonObject): number {
  return typeof streamId === 'number' && Number.isSafeInteger(streamId) && streamId >= 0 ? streamId : 0;
}

function displayNameOf({ device_display_name: name }: JsonObject): string {
  return typeof name === 'string' ? name.slice(0, TEXT_LENGTH_MAX).replaceAll('\0', '') : '';
}

function isId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && id.length <= TEXT_LENGTH_MAX && !id.includes('\0');
}

