/** Keys of servers from a third server, the notary (spec: server-server, "Querying Keys Through Another Server"): its questions, its answers. Pure. */
import { isJsonObject } from '../http/json.ts';
import { isServerName } from '../matrix/ids/server-name.ts';
import { signingKeyIdsOf, signJson, verifyJson } from '../matrix/signing/sign-json.ts';
import type { SigningKey } from '../matrix/signing/signing-key.ts';
import { parseServerKeys, ServerKeysError } from './server-keys.ts';
import type { ServerKeyDocument, ServerKeys } from './server-keys.ts';

/** Which keys are asked for: server → key IDs (none: all of that server's) → up to when they should be valid. */
export type KeyQuery = ReadonlyMap<string, ReadonlyMap<string, { readonly minimumValidUntilMs: number }>>;

/** Servers in one question. */
export const QUERY_SERVERS_MAX = 1000;

/** Body of a question (POST /_matrix/key/v2/query). */
export function formatKeyQuery(query: KeyQuery): { server_keys: Record<string, Record<string, { minimum_valid_until_ts: number }>> } {
  return {
    server_keys: Object.fromEntries([...query].map(([serverName, keys]) => [
      serverName,
      Object.fromEntries([...keys].map(([keyId, { minimumValidUntilMs }]) => [keyId, { minimum_valid_until_ts: minimumValidUntilMs }])),
    ])),
  };
}

/** What such a body asks for; `nowMs` stands in where it names no time. Undefined when it is malformed or asks for too much. */
export function parseKeyQuery(body: unknown, nowMs: number): KeyQuery | undefined {
  const servers = isJsonObject(body) ? body.server_keys : undefined;
  if (!isJsonObject(servers) || Object.keys(servers).length > QUERY_SERVERS_MAX) return undefined;
  const query = new Map<string, Map<string, { minimumValidUntilMs: number }>>();
  for (const [serverName, keys] of Object.entries(servers)) {
    if (!isServerName(serverName) || !isJsonObject(keys)) return undefined;
    const wanted = new Map<string, { minimumValidUntilMs: number }>();
    for (const [keyId, criteria] of Object.entries(keys)) {
      const minimum = isJsonObject(criteria) ? (criteria.minimum_valid_until_ts ?? nowMs) : undefined;
      if (!Number.isSafeInteger(minimum)) return undefined;
      wanted.set(keyId, { minimumValidUntilMs: minimum as number });
    }
    query.set(serverName, wanted);
  }
  return query;
}

/** The notary's answer: the documents as their servers made them, signed by the notary too. */
export function makeNotaryResponse(documents: readonly ServerKeyDocument[], notary: { serverName: string; signingKey: SigningKey }): { server_keys: ServerKeyDocument[] } {
  return { server_keys: documents.map((document) => signJson(document, notary.serverName, notary.signingKey)) };
}

/**
 * The documents in a notary's answer, fetched at `fetchedAtMs`. Each must carry a valid signature of the notary (`publicKeyOf` gives its keys) and hold against its own
 * keys; those that do not are left out, and told to `rejected`. Throws `ServerKeysError` when the answer as a whole has not the form.
 */
export function parseNotaryResponse(value: unknown, expected: {
  readonly notary: string;
  readonly publicKeyOf: (keyId: string) => Uint8Array | undefined;
  readonly fetchedAtMs: number;
  readonly rejected?: (serverName: unknown, reason: string) => void;
}): ServerKeys[] {
  const documents = isJsonObject(value) ? value.server_keys : undefined;
  if (!Array.isArray(documents)) throw new ServerKeysError('the answer of the notary has no list server_keys');
  return documents.flatMap((document: unknown) => {
    const serverName = isJsonObject(document) ? document.server_name : undefined;
    try {
      if (!isJsonObject(document) || typeof serverName !== 'string') throw new ServerKeysError('the key document names no server');
      if (!isSignedBy(document, expected)) throw new ServerKeysError('the key document has no valid signature of the notary');
      return [parseServerKeys(document, { serverName, fetchedAtMs: expected.fetchedAtMs })];
    } catch (error) {
      if (!(error instanceof ServerKeysError)) throw error;
      expected.rejected?.(serverName, error.message);
      return [];
    }
  });
}

function isSignedBy(document: object, { notary, publicKeyOf }: { notary: string; publicKeyOf: (keyId: string) => Uint8Array | undefined }): boolean {
  return signingKeyIdsOf(document, notary).some((keyId) => {
    const publicKey = publicKeyOf(keyId);
    return publicKey !== undefined && verifyJson(document, notary, keyId, publicKey);
  });
}
