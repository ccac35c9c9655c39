/** Keys of users of other servers (Server-Server API, "End-to-End Encryption"): what their servers say, without what they may not say. `transport` signs. */
import { crossSigningProblem, type Usage } from '../matrix/e2ee/cross-signing.ts';
import { formProblem } from '../matrix/e2ee/device-keys.ts';
import { isObject, splitKeyId, type JsonObject } from '../matrix/e2ee/key-object.ts';
import type { FederationTransport } from './transport.ts';

export interface KeyQuestion {
  readonly destination: string;
  /** For the whole, in ms from now. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Wire objects by user. */
export interface RemoteKeys {
  readonly devices: ReadonlyMap<string, ReadonlyMap<string, JsonObject>>;
  readonly master: ReadonlyMap<string, JsonObject>;
  readonly selfSigning: ReadonlyMap<string, JsonObject>;
}

const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const CLAIM_BYTES_MAX = 4 * 1024 * 1024;

/** POST /user/keys/query of users of one server, who map to the devices that are wanted (empty: all). Rejects with `FederationError`. */
export async function queryUserKeys(transport: FederationTransport, users: ReadonlyMap<string, readonly string[]>, question: KeyQuestion): Promise<RemoteKeys> {
  const { body } = await transport.request({ ...asked(question), method: 'POST', path: '/_matrix/federation/v1/user/keys/query', body: { device_keys: Object.fromEntries(users) }, responseBytesMax: ANSWER_BYTES_MAX });
  const devices = new Map<string, Map<string, JsonObject>>();
  for (const [userId, ofUser] of entriesOf(body['device_keys'])) {
    const wanted = users.get(userId);
    if (wanted === undefined) continue;
    const fit = entriesOf(ofUser).filter(([deviceId, keys]) => (wanted.length === 0 || wanted.includes(deviceId)) && formProblem(keys, { userId, deviceId }) === undefined);
    devices.set(userId, new Map(fit as [string, JsonObject][]));
  }
  const keysOf = (member: string, usage: Usage): Map<string, JsonObject> =>
    new Map(entriesOf(body[member]).filter(([userId, key]) => users.has(userId) && crossSigningProblem(key, userId, usage) === undefined) as [string, JsonObject][]);
  return { devices, master: keysOf('master_keys', 'master'), selfSigning: keysOf('self_signing_keys', 'self_signing') };
}

/** POST /user/keys/claim: user to device to algorithm. The answer is user to device to key ID to key; only what was asked for. */
export async function claimUserKeys(transport: FederationTransport, wanted: ReadonlyMap<string, Readonly<Record<string, string>>>, question: KeyQuestion): Promise<Map<string, Record<string, JsonObject>>> {
  const { body } = await transport.request({ ...asked(question), method: 'POST', path: '/_matrix/federation/v1/user/keys/claim', body: { one_time_keys: Object.fromEntries(wanted) }, responseBytesMax: CLAIM_BYTES_MAX });
  const found = new Map<string, Record<string, JsonObject>>();
  for (const [userId, ofUser] of entriesOf(body['one_time_keys'])) {
    const devices = wanted.get(userId) ?? {};
    const fit = entriesOf(ofUser).filter(([deviceId, keys]) => Object.hasOwn(devices, deviceId) && isObject(keys) && Object.keys(keys).every((keyId) => splitKeyId(keyId)?.algorithm === devices[deviceId]));
    if (fit.length > 0) found.set(userId, Object.fromEntries(fit) as Record<string, JsonObject>);
  }
  return found;
}

/** GET /user/devices/{userId}: the answer as it is, if it is of the user. */
export async function getUserDevices(transport: FederationTransport, userId: string, question: KeyQuestion): Promise<JsonObject | undefined> {
  const { body } = await transport.request({ ...asked(question), method: 'GET', path: `/_matrix/federation/v1/user/devices/${encodeURIComponent(userId)}`, responseBytesMax: CLAIM_BYTES_MAX });
  return body['user_id'] === userId ? body : undefined;
}

function asked({ destination, deadlineMs, signal }: KeyQuestion) {
  return { destination, deadlineMs, ...(signal && { signal }) };
}

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}
