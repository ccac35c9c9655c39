/** Whether a key that has signed a third-party invite is still valid (spec: client-server, "Third-party invites"; identity service, GET /pubkey/isvalid): the room says where that is told. */
import { signingKeysOf, type InviteKey } from '../matrix/invites/third-party-keys.ts';
import { FederationError, type FederationTransport } from './transport.ts';

const LIMIT_MS = 5000;
/** Keys that are asked after, and places to ask at for each: identity servers give two keys with one place each. */
const KEYS_MAX = 4;
const URLS_MAX = 2;

/**
 * Whether a key of the pending invite has signed `signed`, and every place that the invite names for it says that it is valid. What cannot be asked says nothing, and is taken for no. `content`: of
 * the `m.room.third_party_invite` event. Never rejects for what other servers do.
 */
export async function hasValidKey({ web }: Pick<FederationTransport, 'web'>, content: Readonly<Record<string, unknown>>, signed: Readonly<Record<string, unknown>>): Promise<boolean> {
  for (const key of signingKeysOf(content, signed).slice(0, KEYS_MAX)) if (await isValid(web, key)) return true;
  return false;
}

async function isValid(web: FederationTransport['web'], { publicKey, validityUrls }: InviteKey): Promise<boolean> {
  if (validityUrls.length === 0) return true;
  if (web === undefined || validityUrls.length > URLS_MAX) return false;
  for (const text of validityUrls) {
    const url = URL.parse(text);
    if (url === null) return false;
    url.searchParams.set('public_key', publicKey);
    try {
      const { body } = await web({ method: 'GET', url, deadlineMs: LIMIT_MS });
      if (body['valid'] !== true) return false;
    } catch (error) {
      if (error instanceof FederationError) return false;
      throw error;
    }
  }
  return true;
}
