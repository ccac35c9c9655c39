/** The only thing in the world beside the server: an identity server that knows nobody, and stores every invite. */
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';

export const IDENTITY_SERVER = 'identity.example';

const BASE = `https://${IDENTITY_SERVER}/_matrix/identity/v2`;
const ANSWERS: Readonly<Record<string, Record<string, unknown>>> = {
  [`GET ${BASE}/hash_details`]: { lookup_pepper: 'salt', algorithms: ['sha256'] },
  [`POST ${BASE}/lookup`]: { mappings: {} },
  [`POST ${BASE}/store-invite`]: { token: 'stored', display_name: 'a...@a...', public_keys: [{ public_key: 'a2V5', key_validity_url: `${BASE}/pubkey/isvalid` }] },
};

const isAway = (name: string): Promise<never> => Promise.reject(new FederationError('unreachable', `${name} is not there`));

export const IDENTITY_TRANSPORT: FederationTransport = {
  request: ({ destination }) => isAway(destination),
  web: ({ method, url }) => {
    const body = ANSWERS[`${method} ${url.href}`];
    return body === undefined ? isAway(url.host) : Promise.resolve({ status: 200, body });
  },
};
