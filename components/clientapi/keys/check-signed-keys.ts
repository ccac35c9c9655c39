/** Whether signed one-time and fallback keys are signed by their device, before the user's owner takes them: here, and off the event loop, because a device uploads a hundred of them at once. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { isObject, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import { sessionKeySignatures, sessionKeysOf, type DeviceOwner, type SessionKey } from '../../../pkg/matrix/e2ee/device-keys.ts';
import type { Context } from '../context.ts';

export interface UploadedKeys extends DeviceOwner {
  /** Wire objects; `deviceKeys` absent: those that were uploaded before. */
  readonly deviceKeys?: JsonObject | undefined;
  readonly oneTimeKeys?: JsonObject | undefined;
  readonly fallbackKeys?: JsonObject | undefined;
}

/** Throws `MatrixError`. Keys of a device whose own key is not known cannot be checked; other faults than those of signatures are the owner's to find. */
export async function requireSignedKeys({ userQuery, runtime }: Pick<Context, 'userQuery' | 'runtime'>, uploaded: UploadedKeys): Promise<void> {
  const { userId, deviceId } = uploaded;
  const keys = [...listOf(uploaded.oneTimeKeys, 'one_time_keys'), ...listOf(uploaded.fallbackKeys, 'fallback_keys')];
  if (keys.length === 0) return;
  const deviceKeys = uploaded.deviceKeys ?? parse((await userQuery.keysOf(new Map([[userId, [deviceId]]]), userId)).devices.get(userId)?.get(deviceId));
  const named = deviceKeys?.['keys'];
  const fingerprint = isObject(named) ? named[`ed25519:${deviceId}`] : undefined;
  const signatures = signaturesOf(keys, { userId, deviceId, fingerprint });
  if (!Array.isArray(signatures)) throw new MatrixError(400, signatures.errcode, signatures.error);
  const right = await runtime.offload.verifySignatures(signatures);
  if (!right.every(Boolean)) throw new MatrixError(400, 'M_INVALID_SIGNATURE', 'A signature of a one-time or fallback key is not the device\'s');
}

function listOf(keys: JsonObject | undefined, member: string): readonly SessionKey[] {
  const list = keys === undefined ? [] : sessionKeysOf(keys, member);
  return Array.isArray(list) ? list : [];
}

function signaturesOf(...of: Parameters<typeof sessionKeySignatures>): ReturnType<typeof sessionKeySignatures> {
  try {
    return sessionKeySignatures(...of);
  } catch (error) {
    if (error instanceof CanonicalJsonError) throw new MatrixError(400, 'M_BAD_JSON', 'Keys are no canonical JSON');
    throw error;
  }
}

function parse(text: string | undefined): JsonObject | undefined {
  return text === undefined ? undefined : (JSON.parse(text) as JsonObject);
}
