/** PURE. Identity keys of devices and the keys that others begin sessions with: their forms (Client-Server API, "POST /keys/upload"). */
import { signatureOf, signedText } from '../signing/sign-json.ts';
import { isObject, isSignatures, isSignedBy, KEY_NAME_LENGTH_MAX, publicKeyOf, splitKeyId, type JsonObject } from './key-object.ts';

export interface DeviceOwner {
  readonly userId: string;
  readonly deviceId: string;
}

/** What is wrong, as the spec's errcode and a sentence. */
export interface KeyProblem {
  readonly errcode: 'M_BAD_JSON' | 'M_INVALID_PARAM' | 'M_INVALID_SIGNATURE';
  readonly error: string;
}

const KEYS_MAX = 50;
/** The algorithm whose keys are signed by their device. */
const SIGNED = 'signed_curve25519';

/** undefined: these are keys of that device. A signature by the device's own ed25519 key has to be right; others are not looked at. */
export function deviceKeysProblem(keys: unknown, owner: DeviceOwner): KeyProblem | undefined {
  const problem = formProblem(keys, owner);
  if (problem !== undefined) return problem;
  const fingerprint = (keys as { keys: JsonObject }).keys[`ed25519:${owner.deviceId}`];
  if (publicKeyOf(fingerprint) === undefined) return undefined;
  const isSigned = isSignedBy(keys as object, { userId: owner.userId, name: owner.deviceId, publicKey: fingerprint });
  return isSigned ? undefined : { errcode: 'M_INVALID_SIGNATURE', error: 'device_keys are not signed by the device' };
}

/** The same without a look at signatures. */
export function formProblem(keys: unknown, { userId, deviceId }: DeviceOwner): KeyProblem | undefined {
  if (!isObject(keys)) return bad('device_keys must be an object');
  if (typeof keys['user_id'] !== 'string' || typeof keys['device_id'] !== 'string') return bad('device_keys has a user_id and a device_id');
  if (keys['user_id'] !== userId) return { errcode: 'M_INVALID_PARAM', error: 'device_keys are of another user' };
  if (keys['device_id'] !== deviceId) return { errcode: 'M_INVALID_PARAM', error: 'device_keys are of another device' };
  const { algorithms, keys: named, signatures } = keys as { algorithms?: unknown; keys?: unknown; signatures?: unknown };
  if (!Array.isArray(algorithms) || !algorithms.every((one) => typeof one === 'string')) return bad('algorithms must be a list of strings');
  if (!isObject(named) || Object.keys(named).length > KEYS_MAX || !Object.values(named).every((one) => typeof one === 'string')) return bad('keys must be an object of strings');
  return isSignatures(signatures) ? undefined : bad('signatures must name users, and keys of theirs');
}

/** A one-time key or a fallback key, by what its name says. */
export interface SessionKey {
  readonly algorithm: string;
  readonly keyId: string;
  readonly key: string | JsonObject;
}

/** The keys of `one_time_keys` or `fallback_keys`, or what is wrong with them. */
export function sessionKeysOf(keys: unknown, member: string): SessionKey[] | KeyProblem {
  if (!isObject(keys)) return bad(`${member} must be an object`);
  const result: SessionKey[] = [];
  for (const [name, key] of Object.entries(keys)) {
    const parts = splitKeyId(name);
    if (parts === undefined) return { errcode: 'M_INVALID_PARAM', error: `${member}: names have the form <algorithm>:<key ID> and at most ${KEY_NAME_LENGTH_MAX} characters` };
    if (!isSessionKey(key)) return bad(`${member}: a key is a string, or an object with key and signatures`);
    if (parts.algorithm === SIGNED && typeof key === 'string') return bad(`${member}: a key of ${SIGNED} is an object with key and signatures`);
    result.push({ algorithm: parts.algorithm, keyId: parts.name, key });
  }
  return result;
}

/** What has to be right for a session key to be signed by its device. */
export interface SessionKeySignature {
  readonly publicKey: Uint8Array;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** The signatures that signed keys must have of their device, whose ed25519 key is `fingerprint` in base64; a key without one is the problem. Other algorithms have none. Throws `CanonicalJsonError`. */
export function sessionKeySignatures(keys: readonly SessionKey[], { userId, deviceId, fingerprint }: DeviceOwner & { readonly fingerprint: unknown }): SessionKeySignature[] | KeyProblem {
  const publicKey = publicKeyOf(fingerprint);
  if (publicKey === undefined) return [];
  const found: SessionKeySignature[] = [];
  for (const { algorithm, keyId, key } of keys) {
    if (algorithm !== SIGNED || typeof key === 'string') continue;
    const signature = signatureOf(key, userId, `ed25519:${deviceId}`);
    if (signature === undefined) return { errcode: 'M_INVALID_SIGNATURE', error: `${algorithm}:${keyId} is not signed by the device` };
    found.push({ publicKey, bytes: Buffer.from(signedText(key)), signature });
  }
  return found;
}

function isSessionKey(key: unknown): key is string | JsonObject {
  if (typeof key === 'string') return true;
  return isObject(key) && typeof key['key'] === 'string' && isSignatures(key['signatures']);
}

function bad(error: string): KeyProblem {
  return { errcode: 'M_BAD_JSON', error };
}
