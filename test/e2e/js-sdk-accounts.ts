/** Accounts and sessions, as matrix-js-sdk uses them. */
import assert from 'node:assert/strict';
import { createClient, GuestAccess, HistoryVisibility, Preset, Visibility, type AuthDict } from 'matrix-js-sdk';
import { SILENT } from './js-sdk.ts';
import { challenge, clientOf, follow, logIn, newAccount, newUser, randomName, refused, say, seen, stranger, type Place, type User } from './js-sdk-user.ts';

const passwordAuth = ({ userId, password }: Omit<User, 'client'>, session?: string) => ({ type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password, session }) as AuthDict;

export async function registration(place: Place): Promise<void> {
  const client = stranger(place);
  const username = randomName('newcomer');
  assert.equal(await client.isUsernameAvailable(username), true);
  const asked = await challenge(client.registerRequest({ username, password: 'a long password' }));
  assert.deepEqual(asked.flows, [{ stages: [place.stage.type] }]);
  if (place.stage.token !== undefined) {
    const again = await challenge(client.registerRequest({ username, password: 'a long password', auth: { ...place.stage, token: 'guessed', session: asked.session } }));
    assert.deepEqual([again.session, again.errcode, again.completed ?? []], [asked.session, 'M_FORBIDDEN', []]);
  }
  const registered = await client.registerRequest({ username, password: 'a long password', auth: { ...place.stage, session: asked.session }, initial_device_display_name: 'Kettle' });
  assert.equal(registered.user_id, `@${username}:e2e.test`);
  const first = clientOf(place, registered as never);
  assert.deepEqual((await first.getDevices()).devices.map(({ device_id, display_name }) => [device_id, display_name]), [[registered.device_id, 'Kettle']]);
  assert.equal(await client.isUsernameAvailable(username), false);
  await refused(client.registerRequest({ username, password: 'a long password', auth: { ...place.stage } }), 'M_USER_IN_USE', 400);
}

export async function sessions(place: Place): Promise<void> {
  const account = await newAccount(place, 'drinker');
  const flows = (await stranger(place).loginFlows()).flows.map(({ type }) => type);
  assert.ok(flows.includes('m.login.password') && flows.includes('m.login.token'), JSON.stringify(flows));
  await refused(logIn(place, { ...account, password: 'wrong' }), 'M_FORBIDDEN');
  const login = await logIn(place, account, { device_id: 'KETTLE', initial_device_display_name: 'Kettle', refresh_token: true });
  assert.ok(login.refresh_token !== undefined && (login.expires_in_ms ?? 0) > 0, JSON.stringify(Object.keys(login)));
  const old = clientOf(place, login);
  assert.deepEqual(await old.whoami(), { user_id: account.userId, device_id: 'KETTLE', is_guest: false });
  const fresh = await stranger(place).refreshToken(login.refresh_token);
  const client = await follow(place, { ...login, access_token: fresh.access_token });
  assert.equal((await client.whoami()).device_id, 'KETTLE');
  await assert.rejects(old.whoami(), (error: { errcode?: string; data?: Record<string, unknown> }) => error.errcode === 'M_UNKNOWN_TOKEN' && error.data!['soft_logout'] === true);
  await loginToken(place, account);
  await devices(place, account);
  const openId = await client.getOpenIdToken();
  assert.deepEqual([openId.token_type, openId.matrix_server_name, typeof openId.access_token, openId.expires_in > 0], ['Bearer', 'e2e.test', 'string', true]);
  const { 'm.change_password': change, 'm.room_versions': versions } = await client.fetchCapabilities();
  assert.deepEqual([change?.enabled ?? true, versions?.available['12']], [true, 'stable']);
}

async function loginToken(place: Place, account: Omit<User, 'client'>): Promise<void> {
  const client = clientOf(place, await logIn(place, account));
  const { session } = await challenge(client.requestLoginToken());
  const { login_token: token, expires_in_ms: expiresInMs } = await client.requestLoginToken(passwordAuth(account, session));
  assert.ok(expiresInMs > 0);
  const other = await stranger(place).loginRequest({ type: 'm.login.token', token });
  assert.equal(other.user_id, account.userId);
  assert.notEqual(other.device_id, client.getDeviceId());
  await refused(stranger(place).loginRequest({ type: 'm.login.token', token }), 'M_FORBIDDEN');
}

/** The list, names, and devices that go. */
async function devices(place: Place, account: Omit<User, 'client'>): Promise<void> {
  const [client, lost, sold] = [clientOf(place, await logIn(place, account)), clientOf(place, await logIn(place, account)), clientOf(place, await logIn(place, account))];
  const ids = async (): Promise<string[]> => (await client.getDevices()).devices.map(({ device_id }) => device_id);
  for (const one of [client, lost, sold]) assert.ok((await ids()).includes(one.getDeviceId()!));
  await client.setDeviceDetails(lost.getDeviceId()!, { display_name: 'Lost in the park' });
  assert.equal((await client.getDevice(lost.getDeviceId()!)).display_name, 'Lost in the park');
  const { session } = await challenge(client.deleteDevice(lost.getDeviceId()!));
  await client.deleteDevice(lost.getDeviceId()!, passwordAuth(account, session));
  await refused(lost.whoami(), 'M_UNKNOWN_TOKEN', 401);
  const more = await challenge(client.deleteMultipleDevices([sold.getDeviceId()!]));
  await client.deleteMultipleDevices([sold.getDeviceId()!], passwordAuth(account, more.session));
  await refused(sold.whoami(), 'M_UNKNOWN_TOKEN', 401);
  assert.ok((await ids()).includes(client.getDeviceId()!));
}

/** A new password, logout, and the end of the account. */
export async function endings(place: Place): Promise<void> {
  const alice = await newUser(place, 'alice');
  const bob = await newUser(place, 'bob');
  const { room_id: roomId } = await bob.client.createRoom({ preset: Preset.PublicChat });
  await alice.client.joinRoom(roomId);
  const message = await say(alice, roomId, 'forget me');
  const other = clientOf(place, await logIn(place, alice));
  const changing = await challenge(alice.client.setPassword({} as never, 'another password', true));
  await alice.client.setPassword(passwordAuth(alice, changing.session), 'another password', true);
  await refused(other.whoami(), 'M_UNKNOWN_TOKEN', 401);
  await refused(logIn(place, alice), 'M_FORBIDDEN');
  const renewed = { ...alice, password: 'another password' };
  const short = clientOf(place, await logIn(place, renewed));
  await short.logout(true);
  await refused(createClient({ baseUrl: place.baseUrl, logger: SILENT, accessToken: short.getAccessToken()! }).whoami(), 'M_UNKNOWN_TOKEN', 401);
  await seen(bob.client, roomId, message);
  const { session } = await challenge(alice.client.deactivateAccount(undefined, true));
  alice.client.stopClient();
  await alice.client.deactivateAccount(passwordAuth(renewed, session), true);
  await refused(logIn(place, renewed), 'M_USER_DEACTIVATED');
  const left = async (): Promise<boolean> => !((await bob.client.getJoinedRoomMembers(roomId)).joined as Record<string, unknown>)[alice.userId];
  for (let tries = 0; !(await left()); tries += 1) assert.ok(tries < 200, 'who is deactivated leaves the rooms');
  const dave = await newUser(place, 'dave');
  await dave.client.joinRoom(roomId);
  const shown = await dave.client.fetchRoomEvent(roomId, message);
  assert.deepEqual(shown.content, {}, 'who comes later sees nothing of what was said by who wanted to be erased');
}

export async function guests(place: Place): Promise<void> {
  const host = await newUser(place, 'host');
  const { room_id: roomId } = await host.client.createRoom({
    preset: Preset.PublicChat, visibility: Visibility.Public, name: 'Garden', initial_state: [
      { type: 'm.room.guest_access', state_key: '', content: { guest_access: GuestAccess.CanJoin } },
      { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: HistoryVisibility.WorldReadable } },
    ],
  });
  await say(host, roomId, 'welcome');
  const { room_id: closed } = await host.client.createRoom({ preset: Preset.PublicChat, initial_state: [{ type: 'm.room.guest_access', state_key: '', content: { guest_access: GuestAccess.Forbidden } }] });
  const guest = clientOf(place, await stranger(place).registerGuest({}) as never);
  guest.setGuest(true);
  assert.equal((await guest.whoami()).is_guest, true);
  const room = await guest.peekInRoom(roomId);
  assert.ok(room.getLiveTimeline().getEvents().some((event) => event.getContent()['body'] === 'welcome'), 'who looks in from outside reads what was said');
  guest.stopPeeking();
  await refused(guest.joinRoom(closed), 'M_GUEST_ACCESS_FORBIDDEN');
  await guest.joinRoom(roomId);
  const { event_id: eventId } = await guest.sendTextMessage(roomId, 'hello');
  assert.equal((await seen(host.client, roomId, eventId)).getSender(), guest.getUserId());
  await refused(guest.createRoom({}), 'M_GUEST_ACCESS_FORBIDDEN');
}
