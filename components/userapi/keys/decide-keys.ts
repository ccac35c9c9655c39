/** PURE. Keys of devices: their upload, and claims of one-time keys, each of which is given out at most once, ever. */
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { deviceKeysProblem, sessionKeysOf, type KeyProblem, type SessionKey } from '../../../pkg/matrix/e2ee/device-keys.ts';
import type { JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import type { UploadKeys, UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, rejected, type Draft, type Verdict } from '../input/draft.ts';
import { tellDeviceChanged } from './device-list.ts';
import { nameOfKey, placeOf } from './key-facts.ts';
import type { FallbackKey, KeyCounts, OneTimeKey } from './stored-keys.ts';

/** Unclaimed, of a device. */
export const ONE_TIME_KEYS_MAX = 2000;
/** Of a device: one of an algorithm. */
const FALLBACK_KEYS_MAX = 10;
const KEY_BYTES_MAX = 8 * 1024;
const DEVICE_KEYS_BYTES_MAX = 32 * 1024;

/** Client-Server API, "POST /keys/upload". All or nothing. */
export function decideUploadKeys(draft: Draft, upload: UploadKeys): Verdict {
  const { deviceId } = upload;
  if (!draft.picture.devices.has(deviceId)) return rejected(400, 'M_INVALID_PARAM', 'The access token is of no device');
  const taken = takeUpload(draft, upload);
  return 'counts' in taken ? accepted(draft, { one_time_key_counts: taken.counts }) : taken;
}

/** What is left to claim afterwards, or why nothing of the upload is taken. */
export function takeUpload(draft: Draft, upload: UploadKeys): KeyCounts | Verdict {
  const { deviceId } = upload;
  const steps = [() => takeDeviceKeys(draft, upload), () => takeOneTimeKeys(draft, upload), () => takeFallbackKeys(draft, upload)];
  try {
    for (const step of steps) {
      const refusal = step();
      if (refusal !== undefined) return refusal;
    }
  } catch {
    return rejected(400, 'M_BAD_JSON', 'Keys are no canonical JSON');
  }
  return tellCounts(draft, [deviceId]).get(deviceId)!;
}

function takeDeviceKeys(draft: Draft, { deviceId, deviceKeys }: UploadKeys): Verdict | undefined {
  if (deviceKeys.length === 0) return undefined;
  const { picture, input: { userId } } = draft;
  if (deviceKeys.length > DEVICE_KEYS_BYTES_MAX) return tooLarge(`Keys of a device have at most ${DEVICE_KEYS_BYTES_MAX} bytes`);
  const keys = parse(deviceKeys);
  const problem = deviceKeysProblem(keys, { userId, deviceId });
  if (problem !== undefined) return refused(problem);
  const { unsigned: _unsigned, ...kept } = keys as JsonObject;
  const text = canonicalJson(kept);
  if (text === picture.keys.devices.get(deviceId)) return undefined;
  // What others have signed was the key before.
  draft.writes.push({ kind: 'signatures-gone', targetKeys: [deviceId], signingKeys: [`ed25519:${deviceId}`] }, { kind: 'device-keys', deviceId, keys: text, displayName: '' });
  tellDeviceChanged(draft, { deviceId, keys: text });
  return undefined;
}

function takeOneTimeKeys(draft: Draft, { deviceId, oneTimeKeys }: UploadKeys): Verdict | undefined {
  const keys = oneTimeKeys.length === 0 ? [] : sessionKeysOf(parse(oneTimeKeys), 'one_time_keys');
  if (!Array.isArray(keys)) return refused(keys);
  const fresh: OneTimeKey[] = [];
  for (const { algorithm, keyId, key } of keys) {
    const name = nameOfKey(draft.input.userId, deviceId, algorithm, keyId);
    const text = canonicalJson(key);
    if (text.length > KEY_BYTES_MAX) return tooLarge(`A key has at most ${KEY_BYTES_MAX} bytes`);
    const before = draft.picture.keys.oneTime.get(name);
    if (before !== undefined && before.key !== text) return rejected(400, 'M_INVALID_PARAM', `There is another one-time key ${algorithm}:${keyId}`);
    if (before === undefined) fresh.push({ name, deviceId, algorithm, keyId, key: text, position: 0, isClaimed: false });
  }
  const present = Object.values(draft.picture.keys.counts.get(deviceId)?.counts ?? {}).reduce((sum, count) => sum + count, 0);
  if (present + fresh.length > ONE_TIME_KEYS_MAX) return tooLarge(`A device has at most ${ONE_TIME_KEYS_MAX} one-time keys`);
  if (fresh.length > 0) draft.writes.push({ kind: 'one-time-keys', keys: fresh });
  return undefined;
}

function takeFallbackKeys(draft: Draft, { deviceId, fallbackKeys }: UploadKeys): Verdict | undefined {
  const keys = fallbackKeys.length === 0 ? [] : sessionKeysOf(parse(fallbackKeys), 'fallback_keys');
  if (!Array.isArray(keys)) return refused(keys);
  if (new Set(keys.map(({ algorithm }) => algorithm)).size < keys.length) return rejected(400, 'M_INVALID_PARAM', 'A device has one fallback key of an algorithm');
  const { fallbacks } = draft.picture.keys;
  const algorithms = new Set([...[...fallbacks.values()].filter((key) => key.deviceId === deviceId), ...keys].map(({ algorithm }) => algorithm));
  if (algorithms.size > FALLBACK_KEYS_MAX) return tooLarge(`A device has fallback keys of at most ${FALLBACK_KEYS_MAX} algorithms`);
  for (const one of keys) {
    const key = fallbackOf(deviceId, one);
    if (key.key.length > KEY_BYTES_MAX) return tooLarge(`A key has at most ${KEY_BYTES_MAX} bytes`);
    const before = fallbacks.get(placeOf(deviceId, key.algorithm));
    // The one that is there stays used.
    if (before?.keyId !== key.keyId || before.key !== key.key) draft.writes.push({ kind: 'fallback-key', key });
  }
  return undefined;
}

function fallbackOf(deviceId: string, { algorithm, keyId, key }: SessionKey): FallbackKey {
  return { deviceId, algorithm, keyId, key: canonicalJson(key), isUsed: false };
}

/** Client-Server API, "POST /keys/claim", of one user: the keys by device. What a device has none of is left out. */
export function decideClaimKeys(draft: Draft, { claims }: NonNullable<UserInput['claimKeys']>): Verdict {
  const { claimable, fallbacks } = draft.picture.keys;
  const result: Record<string, Record<string, unknown>> = {};
  const taken = new Map<string, OneTimeKey>();
  for (const { deviceId, algorithm } of claims) {
    const place = placeOf(deviceId, algorithm);
    const key = claimable.get(place)?.find(({ name }) => !taken.has(name));
    const fallback = fallbacks.get(place);
    const given = key ?? fallback;
    if (given === undefined) continue;
    if (key !== undefined) taken.set(key.name, { ...key, isClaimed: true });
    else if (!fallback!.isUsed) draft.writes.push({ kind: 'fallback-key', key: { ...fallback!, isUsed: true } });
    result[deviceId] = { ...result[deviceId], [`${algorithm}:${given.keyId}`]: JSON.parse(given.key) };
  }
  if (taken.size > 0) draft.writes.push({ kind: 'one-time-keys', keys: [...taken.values()] });
  tellCounts(draft, Object.keys(result));
  return accepted(draft, { one_time_keys: result });
}

/** Counts of these devices after the writes so far; told where they have changed. */
function tellCounts(draft: Draft, deviceIds: readonly string[]): Map<string, KeyCounts> {
  const { counts: known, fallbacks } = draft.picture.keys;
  const after = new Map<string, KeyCounts>();
  for (const deviceId of deviceIds) {
    const before = known.get(deviceId) ?? { counts: {}, unusedFallbacks: [] };
    const counts = countsAfter(draft, deviceId, before);
    const unused = new Map([...fallbacks.values()].filter((key) => key.deviceId === deviceId).map((key) => [key.algorithm, !key.isUsed]));
    for (const write of draft.writes) if (write.kind === 'fallback-key' && write.key.deviceId === deviceId) unused.set(write.key.algorithm, !write.key.isUsed);
    const now = { counts, unusedFallbacks: [...unused].flatMap(([algorithm, isUnused]) => (isUnused ? [algorithm] : [])).sort() };
    after.set(deviceId, now);
    if (JSON.stringify(before) === JSON.stringify(now)) continue;
    const sequence = draft.emit({ keyCounts: { deviceId, counts: JSON.stringify(now.counts), unusedFallbacks: JSON.stringify(now.unusedFallbacks) } });
    draft.writes.push({ kind: 'key-counts', deviceId, counts: now, sequence });
    placeKeys(draft, deviceId, sequence);
  }
  return after;
}

/** Numbers above 0, by algorithm in the order of names. */
function countsAfter({ writes }: Draft, deviceId: string, before: KeyCounts): Record<string, number> {
  const counts = new Map(Object.entries(before.counts));
  for (const write of writes) {
    for (const key of write.kind === 'one-time-keys' ? write.keys : []) {
      if (key.deviceId === deviceId) counts.set(key.algorithm, (counts.get(key.algorithm) ?? 0) + (key.isClaimed ? -1 : 1));
    }
  }
  return Object.fromEntries([...counts].filter(([, count]) => count > 0).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** New keys stand where the record that tells of them does, which is the order of uploads. */
function placeKeys({ writes }: Draft, deviceId: string, position: number): void {
  for (const [index, write] of writes.entries()) {
    if (write.kind !== 'one-time-keys') continue;
    writes[index] = { ...write, keys: write.keys.map((key) => (key.deviceId === deviceId && !key.isClaimed ? { ...key, position } : key)) };
  }
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString('utf8'));
}

function refused({ errcode, error }: KeyProblem): Verdict {
  return rejected(400, errcode, error);
}

function tooLarge(error: string): Verdict {
  return rejected(413, 'M_TOO_LARGE', error);
}
