/** For each operation a request that succeeds, its body with every property that the spec's schema names and this server can take. */
import type { Scene } from './scene.ts';
import { CLIENT, PASSWORD, type Call } from './world.ts';

type Made = Call | Promise<Call>;

const SIGNED = { sender: '@alice:spec.example', mxid: '@bob:spec.example', token: 't', signatures: { 'spec.example': { 'ed25519:1': 's' } } };
const EVENT_FILTER = { limit: 5, senders: ['@alice:spec.example'], not_senders: ['@eve:spec.example'], types: ['m.room.*'], not_types: ['m.sticker'] };
const ROOM_EVENT_FILTER = {
  ...EVENT_FILTER, rooms: ['!a:spec.example'], not_rooms: ['!b:spec.example'], contains_url: false, lazy_load_members: true, include_redundant_members: false,
  unread_thread_notifications: true,
};
const FILTER = {
  event_fields: ['content'], event_format: 'client', presence: EVENT_FILTER, account_data: EVENT_FILTER,
  room: {
    rooms: ['!a:spec.example'], not_rooms: ['!b:spec.example'], include_leave: false, ephemeral: ROOM_EVENT_FILTER, state: ROOM_EVENT_FILTER, timeline: ROOM_EVENT_FILTER,
    account_data: ROOM_EVENT_FILTER,
  },
};
const ROOM = {
  visibility: 'private', name: 'Tea', topic: 'Tea', invite: ['@bob:spec.example'], invite_3pid: [], room_version: '11', creation_content: { 'm.federate': false },
  initial_state: [{ type: 'm.room.guest_access', state_key: '', content: { guest_access: 'forbidden' } }], preset: 'private_chat', is_direct: true,
  power_level_content_override: { events_default: 1 },
};
const NAMES = { device_id: 'TEAPOT', initial_device_display_name: 'Teapot', refresh_token: false };

/** A request of Alice's below /_matrix/client/v3. */
function of({ alice: { token } }: Scene, method: string, path: string, body?: unknown): Call {
  return { method, path: CLIENT + path, token, body };
}

async function withBob(scene: Scene, verb: string): Promise<Call> {
  const roomId = await scene.newRoom();
  if (verb === 'kick') await scene.world.ask(scene.bob, 'POST', `/join/${roomId}`, {});
  if (verb === 'unban') await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/ban`, { user_id: scene.bob.userId });
  return of(scene, 'POST', `/rooms/${roomId}/${verb}`, { user_id: scene.bob.userId, reason: 'tea' });
}

async function whereAliceLeft(scene: Scene, verb: string): Promise<Call> {
  const roomId = await scene.newRoom();
  await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/leave`, {});
  return of(scene, 'POST', `/rooms/${roomId}/${verb}`);
}

async function byCarolWhereKnocking({ world, alice, carol }: Scene): Promise<Call> {
  const { room_id: roomId } = await world.ask(alice, 'POST', '/createRoom', { initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] });
  return { method: 'POST', path: `${CLIENT}/knock/${roomId}?via=spec.example`, token: carol.token, body: { reason: 'tea' } };
}

async function withAlias(scene: Scene, method: string): Promise<Call> {
  const path = `/directory/room/%23coffee${scene.next()}:spec.example`;
  await scene.world.ask(scene.alice, 'PUT', path, { room_id: scene.roomId });
  return of(scene, method, path);
}

async function byCarol(scene: Scene, path: (roomId: string) => string): Promise<Call> {
  return { method: 'POST', path: CLIENT + path(await scene.newRoom()), token: scene.carol.token, body: { reason: 'tea', third_party_signed: SIGNED } };
}

async function loggedIn(scene: Scene): Promise<string> {
  const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD };
  return (await scene.world.ask(scene.alice, 'POST', '/login', body)).access_token as string;
}

async function loggedInNewcomer(scene: Scene): Promise<string> {
  return (await scene.world.register(`newcomer${scene.next()}`)).token;
}

export const GOOD_REQUESTS: Readonly<Record<string, (scene: Scene) => Made>> = {
  setAccountData: (s) => of(s, 'PUT', `/user/${s.alice.userId}/account_data/org.example.note`, { note: 1 }),
  getAccountData: (s) => of(s, 'GET', `/user/${s.alice.userId}/account_data/org.example.note`),
  setAccountDataPerRoom: (s) => of(s, 'PUT', `/user/${s.alice.userId}/rooms/${s.roomId}/account_data/org.example.note`, { note: 2 }),
  getAccountDataPerRoom: (s) => of(s, 'GET', `/user/${s.alice.userId}/rooms/${s.roomId}/account_data/org.example.note`),
  ban: (s) => withBob(s, 'ban'),
  unban: (s) => withBob(s, 'unban'),
  kick: (s) => withBob(s, 'kick'),
  inviteUser: (s) => withBob(s, 'invite'),
  getCapabilities: (s) => of(s, 'GET', '/capabilities'),
  createRoom: (s) => of(s, 'POST', '/createRoom', { ...ROOM, room_alias_name: `tea-room-${s.next()}` }),
  defineFilter: (s) => of(s, 'POST', `/user/${s.alice.userId}/filter`, FILTER),
  getFilter: (s) => of(s, 'GET', `/user/${s.alice.userId}/filter/${s.filterId}`),
  joinRoomById: (s) => byCarol(s, (roomId) => `/rooms/${roomId}/join`),
  joinRoom: (s) => byCarol(s, (roomId) => `/join/${roomId}?via=spec.example`),
  leaveRoom: async (s) => of(s, 'POST', `/rooms/${await s.newRoom()}/leave`, { reason: 'tea' }),
  forgetRoom: (s) => whereAliceLeft(s, 'forget'),
  upgradeRoom: async (s) => of(s, 'POST', `/rooms/${await s.newRoom()}/upgrade`, { new_version: '12', additional_creators: ['@bob:spec.example'] }),
  knockRoom: (s) => byCarolWhereKnocking(s),
  getJoinedRooms: (s) => of(s, 'GET', '/joined_rooms'),
  getLoginFlows: () => ({ method: 'GET', path: `${CLIENT}/login` }),
  login: () => ({
    method: 'POST', path: `${CLIENT}/login`, body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password: PASSWORD, ...NAMES },
  }),
  logout: async (s) => ({ method: 'POST', path: `${CLIENT}/logout`, token: await loggedIn(s) }),
  logout_all: async (s) => ({ method: 'POST', path: `${CLIENT}/logout/all`, token: await loggedInNewcomer(s) }),
  getRoomEvents: (s) => of(s, 'GET', `/rooms/${s.roomId}/messages?dir=b&limit=5&filter=${encodeURIComponent(JSON.stringify({ lazy_load_members: true }))}`),
  setRoomAlias: (s) => of(s, 'PUT', `/directory/room/%23tea${s.next()}:spec.example`, { room_id: s.roomId }),
  getRoomIdByAlias: (s) => withAlias(s, 'GET'),
  deleteRoomAlias: (s) => withAlias(s, 'DELETE'),
  getEventByTimestamp: (s) => ({ method: 'GET', path: `/_matrix/client/v1/rooms/${s.roomId}/timestamp_to_event?ts=0&dir=f`, token: s.alice.token }),
  getLocalAliases: (s) => of(s, 'GET', `/rooms/${s.roomId}/aliases`),
  setProfileField: (s) => of(s, 'PUT', `/profile/${s.alice.userId}/displayname`, { displayname: 'Alice' }),
  getProfileField: (s) => of(s, 'GET', `/profile/${s.alice.userId}/displayname`),
  deleteProfileField: (s) => of(s, 'DELETE', `/profile/${s.alice.userId}/org.example.tea`),
  getUserProfile: (s) => of(s, 'GET', `/profile/${s.alice.userId}`),
  getPushRules: (s) => of(s, 'GET', '/pushrules/'),
  getPushRulesGlobal: (s) => of(s, 'GET', '/pushrules/global/'),
  getPushRule: (s) => of(s, 'GET', '/pushrules/global/override/.m.rule.master'),
  isPushRuleEnabled: (s) => of(s, 'GET', '/pushrules/global/override/.m.rule.master/enabled'),
  getPushRuleActions: (s) => of(s, 'GET', '/pushrules/global/override/.m.rule.master/actions'),
  setReadMarker: (s) => of(s, 'POST', `/rooms/${s.roomId}/read_markers`, { 'm.fully_read': s.eventId, 'm.read': s.eventId, 'm.read.private': s.eventId }),
  postReceipt: (s) => of(s, 'POST', `/rooms/${s.roomId}/receipt/m.read/${s.eventId}`, { thread_id: 'main' }),
  redactEvent: async (s) => {
    const { event_id: eventId } = await s.world.ask(s.alice, 'PUT', `/rooms/${s.roomId}/send/m.room.message/${s.next()}`, { msgtype: 'm.text', body: 'no' });
    return of(s, 'PUT', `/rooms/${s.roomId}/redact/${eventId}/${s.next()}`, { reason: 'tea' });
  },
  register: (s) => ({
    method: 'POST', path: `${CLIENT}/register?kind=user`,
    body: { auth: { type: 'm.login.dummy' }, username: `newcomer${s.next()}`, password: PASSWORD, inhibit_login: false, ...NAMES },
  }),
  checkUsernameAvailability: () => ({ method: 'GET', path: `${CLIENT}/register/available?username=nobody` }),
  registrationTokenValidity: () => ({ method: 'GET', path: '/_matrix/client/v1/register/m.login.registration_token/validity?token=tea' }),
  sendMessage: (s) => of(s, 'PUT', `/rooms/${s.roomId}/send/m.room.message/${s.next()}`, { msgtype: 'm.text', body: 'tea' }),
  setRoomStateWithKey: (s) => of(s, 'PUT', `/rooms/${s.roomId}/state/m.room.topic/`, { topic: 'tea' }),
  getOneRoomEvent: (s) => of(s, 'GET', `/rooms/${s.roomId}/event/${s.eventId}`),
  getRoomStateWithKey: (s) => of(s, 'GET', `/rooms/${s.roomId}/state/m.room.name/`),
  getRoomState: (s) => of(s, 'GET', `/rooms/${s.roomId}/state`),
  getMembersByRoom: (s) => of(s, 'GET', `/rooms/${s.roomId}/members?membership=join`),
  getJoinedMembersByRoom: (s) => of(s, 'GET', `/rooms/${s.roomId}/joined_members`),
  sync: (s) => of(s, 'GET', '/sync?timeout=0&set_presence=offline&full_state=true'),
  getProtocols: (s) => of(s, 'GET', '/thirdparty/protocols'),
  setTyping: (s) => of(s, 'PUT', `/rooms/${s.roomId}/typing/${s.alice.userId}`, { typing: true, timeout: 10_000 }),
  getVersions: () => ({ method: 'GET', path: '/_matrix/client/versions' }),
  getTurnServer: (s) => of(s, 'GET', '/voip/turnServer'),
  getWellknown: () => ({ method: 'GET', path: '/.well-known/matrix/client' }),
  getTokenOwner: (s) => of(s, 'GET', '/account/whoami'),
};
