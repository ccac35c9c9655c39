/** What an identity server is asked on behalf of a user who invites somebody by an address (Identity Service API, "Association lookup", "Invitation storage"). */
import { createHash } from 'node:crypto';
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { encodeBase64Url } from '../../../pkg/matrix/canonical-json/base64.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';

/** Which identity server, and in whose name. */
export interface IdentityAccess {
  /** Host name, with a port where it is not 443. */
  readonly host: string;
  readonly accessToken: string;
}

export interface ThirdPartyId {
  readonly medium: string;
  readonly address: string;
}

/** A third-party invite that the identity server has stored. */
export interface StoredInvite {
  readonly token: string;
  readonly displayName: string;
  readonly publicKeys: readonly { readonly public_key: string; readonly key_validity_url: string }[];
}

const LIMIT_MS = 10_000;
const TOKEN = /^[0-9a-zA-Z.=_-]{1,255}$/;
const KEYS_MAX = 10;
const BASE = '/_matrix/identity/v2';

/** The user who has bound the identifier; undefined: nobody. Throws `MatrixError`. */
export async function lookUp(transport: Pick<FederationTransport, 'web'>, access: IdentityAccess, { medium, address }: ThirdPartyId): Promise<string | undefined> {
  const { lookup_pepper: pepper, algorithms } = await ask(transport, access, { method: 'GET', path: `${BASE}/hash_details` });
  if (typeof pepper !== 'string' || !Array.isArray(algorithms) || !algorithms.includes('sha256')) throw unusable(access);
  const hashed = encodeBase64Url(createHash('sha256').update(`${folded({ medium, address })} ${medium} ${pepper}`).digest());
  const { mappings } = await ask(transport, access, { method: 'POST', path: `${BASE}/lookup`, body: { addresses: [hashed], algorithm: 'sha256', pepper } });
  const userId = isJsonObject(mappings) ? mappings[hashed] : undefined;
  if (userId !== undefined && !isUserId(userId)) throw unusable(access);
  return userId;
}

/** Has the invite stored until somebody binds the identifier; the identity server writes to the address. `more`: what it may tell there. Throws `MatrixError`. */
export async function storeInvite(
  transport: Pick<FederationTransport, 'web'>, access: IdentityAccess, { id, more }: { id: ThirdPartyId; more: Readonly<Record<string, unknown>> },
): Promise<StoredInvite> {
  const stored = await ask(transport, access, { method: 'POST', path: `${BASE}/store-invite`, body: { ...more, medium: id.medium, address: folded(id) } });
  const { token, display_name: displayName, public_keys: listed } = stored;
  const keys = Array.isArray(listed) ? listed.slice(0, KEYS_MAX).map(keyIn) : [];
  const publicKeys = keys.filter((key) => key !== undefined);
  if (typeof token !== 'string' || !TOKEN.test(token) || typeof displayName !== 'string' || publicKeys.length === 0 || publicKeys.length < keys.length) throw unusable(access);
  return { token, displayName, publicKeys };
}

function keyIn(value: unknown): StoredInvite['publicKeys'][number] | undefined {
  const { public_key: key, key_validity_url: url } = isJsonObject(value) ? value : {};
  return typeof key === 'string' && typeof url === 'string' ? { public_key: key, key_validity_url: url } : undefined;
}

/** As identity servers compare them (appendices, "3PID Types"): e-mail addresses without regard to case. */
function folded({ medium, address }: ThirdPartyId): string {
  return medium === 'email' ? address.toLowerCase() : address;
}

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

async function ask({ web }: Pick<FederationTransport, 'web'>, access: IdentityAccess, { method, path, body }: Question): Promise<Readonly<Record<string, unknown>>> {
  const url = URL.parse(`https://${access.host}${path}`);
  if (web === undefined || url === null) throw unusable(access);
  try {
    return (await web({ method, url, authorization: `Bearer ${access.accessToken}`, deadlineMs: LIMIT_MS, ...(body !== undefined && { body }) })).body;
  } catch (error) {
    if (!(error instanceof FederationError)) throw error;
    // What it says of the user's token with it is no matter of the session here.
    if (error.errcode === 'M_TERMS_NOT_SIGNED') throw new MatrixError(403, error.errcode, 'The terms of the identity server have not been accepted');
    throw new MatrixError(error.kind === 'timeout' ? 504 : 502, 'M_UNKNOWN', `The identity server ${access.host} does not help: ${error.message}`);
  }
}

function unusable({ host }: IdentityAccess): MatrixError {
  return new MatrixError(502, 'M_UNKNOWN', `The identity server ${host} does not answer as it should`);
}
