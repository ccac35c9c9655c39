/** Documents of signing keys (spec: server-server, "Retrieving server keys"): making ours, reading others', and when a key counts. Pure. */
import { isJsonObject } from '../http/json.ts';
import { decodeBase64, encodeBase64 } from '../matrix/canonical-json/base64.ts';
import type { RoomVersion } from '../matrix/room-versions/room-versions.ts';
import { signJson, verifyJson } from '../matrix/signing/sign-json.ts';
import type { Signatures } from '../matrix/signing/sign-json.ts';
import { PUBLIC_KEY_BYTES } from '../matrix/signing/signing-key.ts';
import type { SigningKey } from '../matrix/signing/signing-key.ts';

/** No document counts for longer after it was fetched, so that an owner who lost a key gets rid of it (spec: "the lesser of this field and 7 days"). */
export const VALIDITY_MS_MAX = 7 * 24 * 3_600_000;
/** Documents should not expire within an hour of being handed out. */
export const VALIDITY_MS_MIN = 3_600_000;
/** More keys than any server has; the rest of a document is refused. */
export const KEYS_MAX = 100;

const KEY_ID = /^ed25519:[a-zA-Z0-9_]+$/;

/** The document as it is on the wire. */
export interface ServerKeyDocument {
  readonly server_name: string;
  readonly verify_keys: Readonly<Record<string, { readonly key: string }>>;
  readonly old_verify_keys?: Readonly<Record<string, { readonly key: string; readonly expired_ts: number }>>;
  readonly valid_until_ts: number;
  readonly signatures: Signatures;
}

/** A public key of a server and when it counts. */
export interface ServerKey {
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * Up to when the key counts, in ms since the epoch: for a key in use the document's `valid_until_ts`, at most 7 days after it was fetched; for an old one the time
   * when its owner stopped using it.
   */
  readonly validUntilMs: number;
  /** Old keys sign events of their time, never requests. */
  readonly old: boolean;
}

/** A document that was checked. */
export interface ServerKeys {
  readonly serverName: string;
  /** Keys in use and old ones, by key ID. */
  readonly keys: ReadonlyMap<string, ServerKey>;
  /** When the document should be fetched again. */
  readonly validUntilMs: number;
  /** As received, for handing on as a notary. */
  readonly document: ServerKeyDocument;
}

/** What was received is no document of that server's keys. */
export class ServerKeysError extends Error {
  override readonly name = 'ServerKeysError';
}

/** A key that this server used to sign with. */
export interface RetiredKey {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  /** When it was last in use, in ms since the epoch; up to then it is told as a key in use. */
  readonly expiredAtMs: number;
}

/**
 * This server's document, signed with each of its keys that it still has. `validityMs` is how long others may rely on it from `nowMs`: brought within an hour and 7 days.
 * Throws `RangeError` without a key.
 */
export function makeServerKeys(server: {
  readonly serverName: string;
  readonly signingKeys: readonly SigningKey[];
  readonly retiredKeys?: readonly RetiredKey[] | undefined;
  readonly nowMs: number;
  readonly validityMs: number;
}): ServerKeyDocument {
  if (server.signingKeys.length === 0) throw new RangeError('a server has at least one signing key');
  const validityMs = Math.min(Math.max(server.validityMs, VALIDITY_MS_MIN), VALIDITY_MS_MAX);
  const retiring = (server.retiredKeys ?? []).filter(({ keyId }) => !server.signingKeys.some((key) => key.keyId === keyId));
  const document = {
    server_name: server.serverName,
    verify_keys: Object.fromEntries([...server.signingKeys, ...retiring.filter(({ expiredAtMs }) => expiredAtMs > server.nowMs)].map((key) => [key.keyId, { key: encodeBase64(key.publicKey) }])),
    old_verify_keys: Object.fromEntries(retiring.filter(({ expiredAtMs }) => expiredAtMs <= server.nowMs).map((key) => [key.keyId, { key: encodeBase64(key.publicKey), expired_ts: key.expiredAtMs }])),
    valid_until_ts: server.nowMs + validityMs,
    signatures: {},
  };
  return server.signingKeys.reduce((signed, key) => signJson(signed, server.serverName, key), document);
}

/**
 * The keys in a document that claims to be `serverName`'s, fetched at `fetchedAtMs`. It must name that server and carry a valid signature of one of its own `verify_keys`;
 * keys of other algorithms are passed over. Throws `ServerKeysError`.
 */
export function parseServerKeys(value: unknown, expected: { serverName: string; fetchedAtMs: number }): ServerKeys {
  if (!isJsonObject(value)) throw new ServerKeysError('the key document is no object');
  const { server_name: serverName, verify_keys: verifyKeys, old_verify_keys: oldKeys = {}, valid_until_ts: validUntil } = value;
  if (serverName !== expected.serverName) throw new ServerKeysError(`the key document is of ${JSON.stringify(serverName)}, not of ${JSON.stringify(expected.serverName)}`);
  if (!Number.isSafeInteger(validUntil)) throw new ServerKeysError('valid_until_ts of the key document is no integer');
  if (!isJsonObject(verifyKeys) || !isJsonObject(oldKeys)) throw new ServerKeysError('the keys of the key document are no object');
  if (Object.keys(verifyKeys).length + Object.keys(oldKeys).length > KEYS_MAX) throw new ServerKeysError(`the key document has more than ${KEYS_MAX} keys`);
  const validUntilMs = Math.min(validUntil as number, expected.fetchedAtMs + VALIDITY_MS_MAX);
  const keys = new Map<string, ServerKey>();
  for (const [keyId, entry] of ed25519Entries(oldKeys)) {
    const { expired_ts: expiredTs } = entry;
    if (!Number.isSafeInteger(expiredTs)) throw new ServerKeysError(`the old key ${keyId} has no expired_ts`);
    keys.set(keyId, { keyId, publicKey: publicKeyIn(keyId, entry), validUntilMs: expiredTs as number, old: true });
  }
  for (const [keyId, entry] of ed25519Entries(verifyKeys)) keys.set(keyId, { keyId, publicKey: publicKeyIn(keyId, entry), validUntilMs, old: false });
  const signed = [...keys.values()].some((key) => !key.old && verifyJson(value, expected.serverName, key.keyId, key.publicKey));
  if (!signed) throw new ServerKeysError('the key document has no valid signature of its own keys');
  return { serverName: expected.serverName, keys, validUntilMs, document: value as unknown as ServerKeyDocument };
}

function ed25519Entries(keys: Record<string, unknown>): [keyId: string, entry: Record<string, unknown>][] {
  return Object.entries(keys).flatMap(([keyId, entry]): [string, Record<string, unknown>][] => {
    if (!KEY_ID.test(keyId)) return [];
    if (!isJsonObject(entry)) throw new ServerKeysError(`the key ${keyId} is no object`);
    return [[keyId, entry]];
  });
}

function publicKeyIn(keyId: string, entry: Record<string, unknown>): Uint8Array {
  const publicKey = typeof entry.key === 'string' ? decodeBase64(entry.key) : undefined;
  if (publicKey?.length !== PUBLIC_KEY_BYTES) throw new ServerKeysError(`the key ${keyId} is not ${PUBLIC_KEY_BYTES} bytes in base64`);
  return publicKey;
}

/**
 * Whether `key` may sign an event of `originServerTs` in a room of this version (spec: room version 5, "Signing key validity period"): before version 5 any key that the server
 * ever had may; from then on it must count at that time.
 */
export function keyValidAt(key: Pick<ServerKey, 'validUntilMs'>, originServerTs: number, version: Pick<RoomVersion, 'keyValidityEnforced'>): boolean {
  return !version.keyValidityEnforced || originServerTs <= key.validUntilMs;
}

/** Whether `key` may sign a request that arrives at `nowMs`. */
export function keySignsRequestsAt(key: Pick<ServerKey, 'validUntilMs' | 'old'>, nowMs: number): boolean {
  return !key.old && nowMs <= key.validUntilMs;
}

/**
 * When a document that is kept should be asked for again: halfway between its fetch and its end, so that a server that is away for a while does no harm and what a
 * notary hands out is never stale.
 */
export function refreshAtMs(keys: Pick<ServerKeys, 'validUntilMs'>, fetchedAtMs: number): number {
  return fetchedAtMs + Math.max(0, Math.floor((keys.validUntilMs - fetchedAtMs) / 2));
}
