/** Logging in and out, registration, who one is. */
import type { Scene } from '../scene.ts';
import { CLIENT, PASSWORD, type Account, type Call } from '../world.ts';
import { of, type GoodRequests } from './making.ts';

const NAMES = { device_id: 'TEAPOT', initial_device_display_name: 'Teapot', refresh_token: false };

async function loggedIn(scene: Scene): Promise<string> {
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD };
  return (await scene.world.ask(scene.alice, 'POST', '/login', body)).access_token as string;
}

async function loggedInNewcomer(scene: Scene): Promise<string> {
  return (await scene.world.register(`newcomer${scene.next()}`)).token;
}

const AUTH = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD };

async function otherDevice(scene: Scene): Promise<string> {
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD };
  return (await scene.world.ask(scene.alice, 'POST', '/login', body)).device_id as string;
}

async function refreshing(scene: Scene): Promise<Call> {
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD, refresh_token: true };
  const { refresh_token: refreshToken } = await scene.world.ask(scene.alice, 'POST', '/login', body);
  return { method: 'POST', path: `${CLIENT}/refresh`, body: { refresh_token: refreshToken } };
}

/** The same password again: nobody else has to know. */
async function changingPassword(scene: Scene): Promise<Call> {
  const { userId, token }: Account = await scene.world.register(`newcomer${scene.next()}`);
  const auth = { ...AUTH, identifier: { type: 'm.id.user', user: userId } };
  return { method: 'POST', path: `${CLIENT}/account/password`, token, body: { auth, new_password: PASSWORD, logout_devices: false } };
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
  refresh: refreshing,
  generateLoginToken: (s) => ({ method: 'POST', path: '/_matrix/client/v1/login/get_token', token: s.alice.token, body: { auth: AUTH } }),
  getDevices: (s) => of(s, 'GET', '/devices'),
  getDevice: (s) => of(s, 'GET', `/devices/${s.alice.deviceId}`),
  updateDevice: (s) => of(s, 'PUT', `/devices/${s.alice.deviceId}`, { display_name: 'Teapot' }),
  deleteDevice: async (s) => of(s, 'DELETE', `/devices/${await otherDevice(s)}`, { auth: AUTH }),
  deleteDevices: async (s) => of(s, 'POST', '/delete_devices', { devices: [await otherDevice(s)], auth: AUTH }),
  changePassword: changingPassword,
  requestOpenIdToken: (s) => of(s, 'POST', `/user/${s.alice.userId}/openid/request_token`, {}),
};
