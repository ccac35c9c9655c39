/** The end of accounts, and what administrators do to them. */
import type { Scene } from '../scene.ts';
import { CLIENT, PASSWORD, type Call } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

const ADMIN = '/_matrix/client/v1/admin';

async function ofNewcomer(scene: Scene, make: (userId: string) => Omit<Call, 'token'>): Promise<Call> {
  const { userId } = await scene.world.register(`newcomer${scene.next()}`);
  return { ...make(userId), token: scene.admin.token };
}

export const ACCOUNT_LIFE_REQUESTS: GoodRequests = {
  async deactivateAccount(s) {
    const { userId, token } = await s.world.register(`newcomer${s.next()}`);
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password: PASSWORD };
    return { method: 'POST', path: `${CLIENT}/account/deactivate`, token, body: { auth, erase: true, id_server: 'id.example' } };
  },
  getAccount3PIDs: (s) => of(s, 'GET', '/account/3pid'),
  getWhoIs: (s) => of(s, 'GET', `/admin/whois/${s.alice.userId}`),
  getAdminLockUser: (s) => ofNewcomer(s, (userId) => ({ method: 'GET', path: `${ADMIN}/lock/${userId}` })),
  setAdminLockUser: (s) => ofNewcomer(s, (userId) => ({ method: 'PUT', path: `${ADMIN}/lock/${userId}`, body: { locked: true } })),
  getAdminSuspendUser: (s) => ofNewcomer(s, (userId) => ({ method: 'GET', path: `${ADMIN}/suspend/${userId}` })),
  setAdminSuspendUser: (s) => ofNewcomer(s, (userId) => ({ method: 'PUT', path: `${ADMIN}/suspend/${userId}`, body: { suspended: true } })),
};
