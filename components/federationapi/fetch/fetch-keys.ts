/** Asks for keys: a server itself, or a notary about others. Checked, nothing kept. */
import { formatKeyQuery, parseNotaryResponse } from '../../../pkg/federation/notary.ts';
import { parseServerKeys, ServerKeysError } from '../../../pkg/federation/server-keys.ts';
import type { ServerKeys } from '../../../pkg/federation/server-keys.ts';
import { FederationError } from '../../../pkg/federation/transport.ts';
import type { FederationTransport } from '../../../pkg/federation/transport.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { Logger } from '../../../pkg/telemetry/logger.ts';

/** Keys of one server that somebody needs. */
export interface WantedKeys {
  readonly serverName: string;
  /** Empty: all that it has. */
  readonly keyIds: readonly string[];
  /** Keys in use should count until then, in ms since the epoch. */
  readonly validUntilMs: number;
}

export interface Asking {
  readonly transport: FederationTransport;
  readonly clock: Clock;
  readonly logger: Logger;
}

const DEADLINE_MS = 10_000;
/** The most keys that a document may have need less. */
const DOCUMENT_BYTES_MAX = 64 * 1024;
const NOTARY_BYTES_MAX = 4 * 1024 * 1024;

/** The document of a server from itself; undefined when it gives none that holds. */
export async function askServer({ transport, clock, logger }: Asking, serverName: string): Promise<ServerKeys | undefined> {
  try {
    const { body } = await transport.request({ destination: serverName, method: 'GET', path: '/_matrix/key/v2/server', deadlineMs: DEADLINE_MS, responseBytesMax: DOCUMENT_BYTES_MAX });
    return parseServerKeys(body, { serverName, fetchedAtMs: clock.now() });
  } catch (error) {
    if (!(error instanceof FederationError) && !(error instanceof ServerKeysError)) throw error;
    logger.info({ serverName, reason: error.message }, 'a server did not give its keys');
    return undefined;
  }
}

/** What `notary` says about the keys of others, all in one question; documents that do not hold are left out. */
export async function askNotary({ transport, clock, logger }: Asking, question: {
  readonly notary: string;
  readonly publicKeyOf: (keyId: string) => Uint8Array | undefined;
  readonly wanted: readonly WantedKeys[];
}): Promise<ServerKeys[]> {
  const { notary, publicKeyOf, wanted } = question;
  const query = new Map(wanted.map(({ serverName, keyIds, validUntilMs }) => [serverName, new Map(keyIds.map((keyId) => [keyId, { minimumValidUntilMs: validUntilMs }]))]));
  try {
    const { body } = await transport.request({
      destination: notary, method: 'POST', path: '/_matrix/key/v2/query', body: formatKeyQuery(query), deadlineMs: DEADLINE_MS, responseBytesMax: NOTARY_BYTES_MAX,
    });
    const documents = parseNotaryResponse(body, {
      notary, publicKeyOf, fetchedAtMs: clock.now(),
      rejected: (serverName, reason) => logger.warn({ notary, serverName, reason }, 'a key document from a trusted key server does not hold'),
    });
    return documents.filter(({ serverName }) => query.has(serverName));
  } catch (error) {
    if (!(error instanceof FederationError) && !(error instanceof ServerKeysError)) throw error;
    logger.info({ notary, reason: error.message }, 'a trusted key server did not answer');
    return [];
  }
}
