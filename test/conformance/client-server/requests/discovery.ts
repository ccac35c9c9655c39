/** What the server is and can do. */
import { of, type GoodRequests } from './making.ts';

export const DISCOVERY_REQUESTS: GoodRequests = {
  getCapabilities: (s) => of(s, 'GET', '/capabilities'),
  getProtocols: (s) => of(s, 'GET', '/thirdparty/protocols'),
  getVersions: () => ({ method: 'GET', path: '/_matrix/client/versions' }),
  getTurnServer: (s) => of(s, 'GET', '/voip/turnServer'),
  getWellknown: () => ({ method: 'GET', path: '/.well-known/matrix/client' }),
};
