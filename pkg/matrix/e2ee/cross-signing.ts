/** PURE. Keys of users that sign keys (Client-Server API, "Cross-signing"). */
import { canonicalJson } from '../canonical-json/canonical-json.ts';
import type { KeyProblem } from './device-keys.ts';
import { isObject, isSignatures, isSignedBy, publicKeyOf, signedPart, type JsonObject } from './key-object.ts';

export const USAGES = ['master', 'self_signing', 'user_signing'] as const;
export type Usage = (typeof USAGES)[number];

export type CrossSigningKeys = Partial<Record<Usage, JsonObject>>;

/** What is wrong with a key of the user for this usage; its signatures are another matter. */
export function crossSigningProblem(key: unknown, userId: string, usage: Usage): KeyProblem | undefined {
  const name = `${usage}_key`;
  if (!isObject(key) || !Array.isArray(key['usage'])) return { errcode: 'M_BAD_JSON', error: `${name} must be an object with usage` };
  if (key['user_id'] !== userId) return { errcode: 'M_INVALID_PARAM', error: `${name} is of another user` };
  if (!key['usage'].includes(usage)) return { errcode: 'M_INVALID_PARAM', error: `${name} is not for ${usage}` };
  if (key['signatures'] !== undefined && !isSignatures(key['signatures'])) return { errcode: 'M_BAD_JSON', error: `${name}: signatures must name users, and keys of theirs` };
  return nameOf(key) === undefined ? { errcode: 'M_INVALID_PARAM', error: `${name} must have one ed25519 key, named after itself` } : undefined;
}

/** The public key in base64, by which the key is named; undefined when it is no such key. */
export function nameOf(key: JsonObject | undefined): string | undefined {
  const entries = isObject(key?.['keys']) ? Object.entries(key['keys']) : [];
  const [entry] = entries;
  if (entries.length !== 1 || entry === undefined || publicKeyOf(entry[1]) === undefined || entry[0] !== `ed25519:${entry[1] as string}`) return undefined;
  return entry[1] as string;
}

/** Whether the master key of the user has signed the key. */
export function isSignedByMaster(key: JsonObject, userId: string, master: JsonObject): boolean {
  const name = nameOf(master);
  return name !== undefined && isSignedBy(key, { userId, name, publicKey: name });
}

/** Whether both are the same key, whoever has signed them. Never throws. */
export function isSameKey(one: JsonObject | undefined, other: JsonObject | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  try {
    return canonicalJson(signedPart(one)) === canonicalJson(signedPart(other));
  } catch {
    return false;
  }
}

export function isUsage(name: string): name is Usage {
  return (USAGES as readonly string[]).includes(name);
}
