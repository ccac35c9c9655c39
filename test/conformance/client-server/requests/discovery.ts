/** What the server is and can do. */
import { of, type GoodRequests } from './making.ts';

export const DISCOVERY_REQUESTS: GoodRequests = {
  getCapabilities: (s) => of(s, 'GET', '/capabilities'),
  getProtocols: (s) => of(s, 'GET', '/thirdparty/protocols'),
  getProtocolMetadata: (s) => of(s, 'GET', '/thirdparty/protocol/tea'),
  queryLocationByProtocol: (s) => of(s, 'GET', '/thirdparty/location/tea'),
  queryUserByProtocol: (s) => of(s, 'GET', '/thirdparty/user/tea'),
  queryLocationByAlias: (s) => of(s, 'GET', '/thirdparty/location?alias=%23tea:spec.example'),
  queryUserByID: (s) => of(s, 'GET', `/thirdparty/user?userid=${s.bob.userId}`),
  getVersions: () => ({ method: 'GET', path: '/_matrix/client/versions' }),
  getTurnServer: (s) => of(s, 'GET', '/voip/turnServer'),
  getWellknownSupport: () => ({ method: 'GET', path: '/.well-known/matrix/support' }),
  getWellknown: () => ({ method: 'GET', path: '/.well-known/matrix/client' }),
};
