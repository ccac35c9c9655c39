/** Logging in and out, registration, who one is. */
import type { Scene } from '../scene.ts';
import { CLIENT, PASSWORD } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

const NAMES = { device_id: 'TEAPOT', initial_device_display_name: 'Teapot', refresh_token: false };

async function loggedIn(scene: Scene): Promise<string> {
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD };
  return (await scene.world.ask(scene.alice, 'POST', '/login', body)).access_token as string;
}

async function loggedInNewcomer(scene: Scene): Promise<string> {
  return (await scene.world.register(`newcomer${scene.next()}`)).token;
}

export const ACCOUNT_REQUESTS: GoodRequests = {
  getLoginFlows: () => ({ method: 'GET', path: `${CLIENT}/login` }),
  login: () => ({
    method: 'POST', path: `${CLIENT}/login`, body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD, ...NAMES },
  }),
  logout: async (s) => ({ method: 'POST', path: `${CLIENT}/logout`, token: await loggedIn(s) }),
  logout_all: async (s) => ({ method: 'POST', path: `${CLIENT}/logout/all`, token: await loggedInNewcomer(s) }),
  register: (s) => ({
    method: 'POST', path: `${CLIENT}/register?kind=user`,
    body: { auth: { type: 'm.login.dummy' }, username: `newcomer${s.next()}`, password: PASSWORD, inhibit_login: false, ...NAMES },
  }),
  checkUsernameAvailability: () => ({ method: 'GET', path: `${CLIENT}/register/available?username=nobody` }),
  registrationTokenValidity: () => ({ method: 'GET', path: '/_matrix/client/v1/register/m.login.registration_token/validity?token=tea' }),
  getTokenOwner: (s) => of(s, 'GET', '/account/whoami'),
};
