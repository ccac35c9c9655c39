/** PURE. Signatures that a user publishes (Client-Server API, "POST /keys/signatures/upload"): which of them stand. */
import { isSameKey, nameOf, type CrossSigningKeys } from './cross-signing.ts';
import { isObject, isSignatures, isSignedBy, type JsonObject } from './key-object.ts';

export interface KnownKeys {
  readonly userId: string;
  /** The user's own. */
  readonly crossSigning: CrossSigningKeys;
  /** The user's own, by device. */
  readonly devices: ReadonlyMap<string, JsonObject>;
  /** Master keys of other users. */
  readonly masters: Readonly<Record<string, JsonObject>>;
}

export interface GoodSignature {
  readonly targetUser: string;
  /** Device ID or public key. */
  readonly targetKey: string;
  readonly signingKey: string;
  readonly signature: string;
}

interface Failure {
  readonly errcode: string;
  readonly error: string;
}

export interface CheckedSignatures {
  readonly good: readonly GoodSignature[];
  readonly failures: Readonly<Record<string, Readonly<Record<string, Failure>>>>;
}

const NOT_FOUND: Failure = { errcode: 'M_NOT_FOUND', error: 'There is no such key' };
const OTHER: Failure = { errcode: 'M_INVALID_PARAM', error: 'The key is not the one that was uploaded' };
const INVALID: Failure = { errcode: 'M_INVALID_SIGNATURE', error: 'Invalid signature' };

/** `wanted`: user ID to key ID to signed object. */
export function checkSignatures(wanted: JsonObject, known: KnownKeys): CheckedSignatures {
  const good: GoodSignature[] = [];
  const failures: Record<string, Record<string, Failure>> = {};
  for (const [targetUser, keys] of Object.entries(wanted)) {
    for (const [targetKey, object] of isObject(keys) ? Object.entries(keys) : []) {
      const verdict = checkOne({ targetUser, targetKey, object }, known);
      if (Array.isArray(verdict)) good.push(...verdict);
      else failures[targetUser] = { ...failures[targetUser], [targetKey]: verdict };
    }
  }
  return { good, failures };
}

/** Who may sign the key, and the key as it was uploaded. */
interface Target {
  readonly stored: JsonObject | undefined;
  /** Public key in base64 by the name of the signing key. */
  readonly signers: ReadonlyMap<string, unknown>;
}

function checkOne({ targetUser, targetKey, object }: { targetUser: string; targetKey: string; object: unknown }, known: KnownKeys): GoodSignature[] | Failure {
  if (!isObject(object) || !isSignatures(object['signatures'])) return INVALID;
  const { stored, signers } = targetUser === known.userId ? ownTarget(targetKey, known) : otherTarget(targetUser, targetKey, known);
  if (stored === undefined) return NOT_FOUND;
  if (!isSameKey(stored, object)) return OTHER;
  const signatures = Object.entries(object['signatures'][known.userId] ?? {});
  const isUploaded = (keyId: string, signature: string): boolean => (stored['signatures'] as Record<string, JsonObject> | undefined)?.[known.userId]?.[keyId] === signature;
  const added = signatures.filter(([keyId, signature]) => !isUploaded(keyId, signature));
  if (signatures.length === 0) return INVALID;
  for (const [keyId] of added) {
    const name = keyId.startsWith('ed25519:') ? keyId.slice('ed25519:'.length) : '';
    if (!isSignedBy(object, { userId: known.userId, name, publicKey: signers.get(name) })) return INVALID;
  }
  return added.map(([signingKey, signature]) => ({ targetUser, targetKey, signingKey, signature }));
}

/** A device is signed by the self-signing key, the master key by devices. */
function ownTarget(targetKey: string, { crossSigning, devices }: KnownKeys): Target {
  const device = devices.get(targetKey);
  if (device !== undefined) return { stored: device, signers: named(crossSigning.self_signing) };
  if (nameOf(crossSigning.master) !== targetKey) return { stored: undefined, signers: new Map() };
  const signers = [...devices].map(([deviceId, { keys }]): [string, unknown] => [deviceId, isObject(keys) ? keys[`ed25519:${deviceId}`] : undefined]);
  return { stored: crossSigning.master, signers: new Map(signers) };
}

/** Of others only the master key, by the user-signing key. */
function otherTarget(targetUser: string, targetKey: string, { crossSigning, masters }: KnownKeys): Target {
  const master = Object.hasOwn(masters, targetUser) ? masters[targetUser] : undefined;
  return { stored: nameOf(master) === targetKey ? master : undefined, signers: named(crossSigning.user_signing) };
}

function named(key: JsonObject | undefined): Map<string, unknown> {
  const name = nameOf(key);
  return new Map(name === undefined ? [] : [[name, name]]);
}
