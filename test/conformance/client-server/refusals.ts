/** Requests that the spec says are refused: each with its status and errcode. */
import { testDevice, testIdentity } from '../../kit/e2ee-keys.ts';
import { IDENTITY_SERVER } from './identity-server.ts';
import type { Scene } from './scene.ts';
import { CLIENT, PASSWORD, type Account, type Call } from './world.ts';

export interface Refusal {
  readonly operationId: string;
  /** Why it is refused. */
  readonly name: string;
  readonly call: (scene: Scene) => Call | Promise<Call>;
  readonly status: number;
  /** undefined: user-interactive authentication is asked for. */
  readonly errcode: string | undefined;
}

type Maker = Refusal['call'];

const by = (who: 'alice' | 'bob' | 'carol', method: string, path: string | ((scene: Scene) => string | Promise<string>), body?: unknown): Maker =>
  async (scene) => request(scene[who], method, typeof path === 'string' ? path : await path(scene), body);
const byNobody = (method: string, path: string, body?: unknown): Maker => () => ({ method, path: CLIENT + path, body });

function request({ token }: Account, method: string, path: string, body?: unknown): Call {
  return { method, path: CLIENT + path, token, body };
}

/** Path of `verb` in a room from which Carol is banned. */
const whereCarolIsBanned = (verb: string) => async (scene: Scene): Promise<string> => {
  const roomId = await scene.newRoom();
  await scene.world.ask(scene.alice, 'POST', `/rooms/${roomId}/ban`, { user_id: scene.carol.userId });
  return `/rooms/${roomId}/${verb}`;
};
/** Alice's request about a new user who takes no invites. */
const whereNobodyInvitesDora = (method: string, path: (scene: Scene, dora: string) => string, body: (dora: string) => unknown): Maker => async (scene) => {
  const dora = await scene.world.register(`dora${(doras += 1)}`);
  await scene.world.ask(dora, 'PUT', `/user/${dora.userId}/account_data/m.invite_permission_config`, { default_action: 'block' });
  return request(scene.alice, method, path(scene, dora.userId), body(dora.userId));
};
let doras = 0;
const inRoom = (path: string) => ({ roomId }: Scene): string => `/rooms/${roomId}/${path}`;
const ofOther = (path: string) => ({ alice }: Scene): string => path.replace('{userId}', alice.userId);
const BY_EMAIL = { id_server: IDENTITY_SERVER, id_access_token: 't', medium: 'email', address: 'a@a.example' };
const CAROL = { user_id: '@carol:spec.example' };
const BOB = { user_id: '@bob:spec.example' };
const UNKNOWN_EVENT = '$00000000000000000000000000000000000000000000';

function refused(operationId: string, name: string, call: Maker, verdict: readonly [status: number, errcode?: string]): Refusal {
  return { operationId, name, call, status: verdict[0], errcode: verdict[1] };
}

const login = (body: object): Maker => byNobody('POST', '/login', { type: 'm.login.password', password: PASSWORD, ...body });
const register = (body: object, query = ''): Maker => byNobody('POST', `/register${query}`, { auth: { type: 'm.login.dummy' }, username: 'newcomer', password: PASSWORD, ...body });
const identifier = (user: string) => ({ identifier: { type: 'm.id.user', user } });

const ADMIN = '/_matrix/client/v1/admin';
/** Of the lock or the suspension of somebody. */
const moderation = (operationId: string, body?: Record<string, boolean>): readonly Refusal[] => {
  const kind = operationId.includes('Lock') ? 'lock' : 'suspend';
  const asked = (who: 'alice' | 'admin', userId: string): Maker => (scene) => ({ method: body === undefined ? 'GET' : 'PUT', path: `${ADMIN}/${kind}/${userId}`, token: scene[who].token, body });
  return [
    refused(operationId, 'by who is no administrator', asked('alice', '@nobody:spec.example'), [403, 'M_FORBIDDEN']),
    refused(operationId, 'of a user of another server', asked('admin', '@bob:elsewhere.example'), [400, 'M_INVALID_PARAM']),
    refused(operationId, 'of nobody', asked('admin', '@nobody:spec.example'), [404, 'M_NOT_FOUND']),
  ];
};

const ACCOUNT_LIVES: readonly Refusal[] = [
  refused('deactivateAccount', 'no authentication yet', by('carol', 'POST', '/account/deactivate', {}), [401]),
  ...moderation('getAdminLockUser'), ...moderation('setAdminLockUser', { locked: true }), ...moderation('getAdminSuspendUser'), ...moderation('setAdminSuspendUser', { suspended: true }),
  refused('setAdminLockUser', 'of oneself', ({ admin }) => ({ method: 'PUT', path: `${ADMIN}/lock/${admin.userId}`, token: admin.token, body: { locked: true } }), [403, 'M_FORBIDDEN']),
  refused('setAdminSuspendUser', 'of oneself', ({ admin }) => ({ method: 'PUT', path: `${ADMIN}/suspend/${admin.userId}`, token: admin.token, body: { suspended: true } }), [403, 'M_FORBIDDEN']),
  refused('getWhoIs', 'of somebody else', by('bob', 'GET', ofOther('/admin/whois/{userId}')), [403, 'M_FORBIDDEN']),
];

const ACCOUNTS: readonly Refusal[] = [
  refused('login', 'a wrong password', login({ ...identifier('alice'), password: 'wrong' }), [403, 'M_FORBIDDEN']),
  refused('login', 'no such user', login(identifier('nobody')), [403, 'M_FORBIDDEN']),
  refused('login', 'a user of another server', login(identifier('@alice:elsewhere.example')), [403, 'M_FORBIDDEN']),
  refused('login', 'an unknown type of login', byNobody('POST', '/login', { type: 'org.example.magic' }), [400, 'M_UNKNOWN']),
  refused('login', 'an identifier that is none', login({ identifier: { type: 'org.example.card' } }), [400, 'M_UNKNOWN']),
  refused('login', 'a phone number that nobody has', login({ identifier: { type: 'm.id.phone', country: 'GB', phone: '1' } }), [403, 'M_FORBIDDEN']),
  refused('login', 'a login token that is none', byNobody('POST', '/login', { type: 'm.login.token', token: 'none' }), [403, 'M_FORBIDDEN']),
  refused('refresh', 'a token that is none', byNobody('POST', '/refresh', { refresh_token: 'none' }), [401, 'M_UNKNOWN_TOKEN']),
  refused('generateLoginToken', 'no authentication yet', ({ alice }) => ({ method: 'POST', path: '/_matrix/client/v1/login/get_token', token: alice.token, body: {} }), [401]),
  refused('generateLoginToken', 'auth that is none', ({ alice }) => ({ method: 'POST', path: '/_matrix/client/v1/login/get_token', token: alice.token, body: { auth: 1 } }), [400, 'M_BAD_JSON']),
  refused('changePassword', 'no authentication yet', by('alice', 'POST', '/account/password', { new_password: PASSWORD }), [401]),
  refused('changePassword', 'nobody has said who they are', byNobody('POST', '/account/password', { new_password: PASSWORD }), [401]),
  refused('getDevice', 'a device of somebody else', by('bob', 'GET', ({ alice }) => `/devices/${alice.deviceId}`), [404, 'M_NOT_FOUND']),
  refused('updateDevice', 'a device of somebody else', by('bob', 'PUT', ({ alice }) => `/devices/${alice.deviceId}`, { display_name: 'Mine' }), [404, 'M_NOT_FOUND']),
  refused('deleteDevice', 'no authentication yet', by('alice', 'DELETE', '/devices/NONE'), [401]),
  refused('deleteDevices', 'no authentication yet', by('alice', 'POST', '/delete_devices', { devices: ['NONE'] }), [401]),
  refused('requestOpenIdToken', 'for somebody else', by('bob', 'POST', ofOther('/user/{userId}/openid/request_token'), {}), [403, 'M_FORBIDDEN']),
  refused('login', 'no identifier', login({}), [400, 'M_MISSING_PARAM']),
  refused('register', 'no authentication yet', byNobody('POST', '/register', {}), [401]),
  refused('register', 'a name that is taken', register({ username: 'alice' }), [400, 'M_USER_IN_USE']),
  refused('register', 'a name that is none', register({ username: 'no name' }), [400, 'M_INVALID_USERNAME']),
  refused('register', 'a guest', register({}, '?kind=guest'), [403, 'M_GUEST_ACCESS_FORBIDDEN']),
  refused('register', 'a weak password', register({ password: 'short' }), [400, 'M_WEAK_PASSWORD']),
  refused('checkUsernameAvailability', 'a name that is taken', byNobody('GET', '/register/available?username=alice'), [400, 'M_USER_IN_USE']),
  refused('checkUsernameAvailability', 'a name that is none', byNobody('GET', '/register/available?username=%20'), [400, 'M_INVALID_USERNAME']),
  refused('getTokenOwner', 'no token', byNobody('GET', '/account/whoami'), [401, 'M_MISSING_TOKEN']),
];

const USER_DATA: readonly Refusal[] = [
  ...[
    ['setAccountData', 'PUT', '/user/{userId}/account_data/org.example.note'], ['getAccountData', 'GET', '/user/{userId}/account_data/org.example.note'],
    ['setAccountDataPerRoom', 'PUT', '/user/{userId}/rooms/!a:b/account_data/org.example.note'], ['getAccountDataPerRoom', 'GET', '/user/{userId}/rooms/!a:b/account_data/org.example.note'],
    ['setProfileField', 'PUT', '/profile/{userId}/displayname'], ['deleteProfileField', 'DELETE', '/profile/{userId}/displayname'],
    ['defineFilter', 'POST', '/user/{userId}/filter'], ['getFilter', 'GET', '/user/{userId}/filter/0'], ['setTyping', 'PUT', '/rooms/!a:b/typing/{userId}'], ['setPresence', 'PUT', '/presence/{userId}/status'],
  ].map(([id = '', method = '', path = '']) => refused(id, 'it is of another user', by('bob', method, ofOther(path), method === 'GET' ? undefined : { typing: true }), [403, 'M_FORBIDDEN'])),
  ...['m.fully_read', 'm.push_rules'].flatMap((type) => [
    refused('setAccountData', `${type} belongs to the server`, by('alice', 'PUT', ofOther(`/user/{userId}/account_data/${type}`), {}), [405, 'M_BAD_JSON']),
    refused('setAccountDataPerRoom', `${type} belongs to the server`, by('alice', 'PUT', ofOther(`/user/{userId}/rooms/!a:b/account_data/${type}`), {}), [405, 'M_BAD_JSON']),
  ]),
  refused('setAccountData', 'no JSON', by('alice', 'PUT', ofOther('/user/{userId}/account_data/a'), Buffer.from('no')), [400, 'M_NOT_JSON']),
  refused('setAccountDataPerRoom', 'no room ID', by('alice', 'PUT', ofOther('/user/{userId}/rooms/room/account_data/a'), {}), [400, 'M_INVALID_PARAM']),
  refused('getAccountDataPerRoom', 'no room ID', by('alice', 'GET', ofOther('/user/{userId}/rooms/room/account_data/a')), [400, 'M_INVALID_PARAM']),
  refused('getAccountData', 'never set', by('alice', 'GET', ofOther('/user/{userId}/account_data/org.example.none')), [404, 'M_NOT_FOUND']),
  refused('getAccountDataPerRoom', 'never set', by('alice', 'GET', ofOther('/user/{userId}/rooms/!a:b/account_data/org.example.none')), [404, 'M_NOT_FOUND']),
  refused('getFilter', 'never defined', by('alice', 'GET', ofOther('/user/{userId}/filter/none')), [404, 'M_NOT_FOUND']),
  refused('getUserProfile', 'no such user', byNobody('GET', '/profile/@nobody:spec.example'), [404, 'M_NOT_FOUND']),
  refused('getProfileField', 'never set', by('alice', 'GET', ofOther('/profile/{userId}/org.example.none')), [404, 'M_NOT_FOUND']),
  refused('setProfileField', 'a property of another name', by('alice', 'PUT', ofOther('/profile/{userId}/displayname'), { name: 'Alice' }), [400, 'M_MISSING_PARAM']),
  refused('setProfileField', 'a long key', by('alice', 'PUT', ofOther(`/profile/{userId}/org.${'a'.repeat(255)}`), {}), [400, 'M_KEY_TOO_LARGE']),
  refused('setProfileField', 'too much', by('alice', 'PUT', ofOther('/profile/{userId}/org.example.all'), { 'org.example.all': 'a'.repeat(65_536) }), [400, 'M_PROFILE_TOO_LARGE']),
  refused('setProfileField', 'no name for a field', by('alice', 'PUT', ofOther('/profile/{userId}/NAME'), { NAME: 1 }), [400, 'M_INVALID_PARAM']),
  refused('deleteProfileField', 'no name for a field', by('alice', 'DELETE', ofOther('/profile/{userId}/NAME')), [400, 'M_INVALID_PARAM']),
  ...['', '/enabled', '/actions'].map((part, index) => {
    const operationId = ['getPushRule', 'isPushRuleEnabled', 'getPushRuleActions'][index]!;
    return refused(operationId, 'no such rule', by('alice', 'GET', `/pushrules/global/override/none${part}`), [404, 'M_NOT_FOUND']);
  }),
  ...['/enabled', '/actions'].flatMap((part, index) => {
    const [operationId, body] = [['setPushRuleEnabled', { enabled: true }], ['setPushRuleActions', { actions: [] }]][index] as [string, object];
    return [
      refused(operationId, 'no such rule', by('alice', 'PUT', `/pushrules/global/override/none${part}`, body), [404, 'M_NOT_FOUND']),
      refused(operationId, 'no such kind', by('alice', 'PUT', `/pushrules/global/sideways/none${part}`, body), [400, 'M_INVALID_PARAM']),
    ];
  }),
  refused('setPushRule', 'the ID of a predefined rule', by('alice', 'PUT', '/pushrules/global/override/.mine', { actions: [] }), [400, 'M_INVALID_PARAM']),
  refused('setPushRule', 'a slash in the ID', by('alice', 'PUT', '/pushrules/global/override/a%2Fb', { actions: [] }), [400, 'M_INVALID_PARAM']),
  refused('setPushRule', 'a backslash in the ID', by('alice', 'PUT', '/pushrules/global/override/a%5Cb', { actions: [] }), [400, 'M_INVALID_PARAM']),
  refused('setPushRule', 'no such kind', by('alice', 'PUT', '/pushrules/global/sideways/a', { actions: [] }), [400, 'M_INVALID_PARAM']),
  refused('setPushRule', 'content without a pattern', by('alice', 'PUT', '/pushrules/global/content/a', { actions: [] }), [400, 'M_MISSING_PARAM']),
  refused('setPushRule', 'a tweak without a name', by('alice', 'PUT', '/pushrules/global/room/!a:b', { actions: [{ value: 'x' }] }), [400, 'M_INVALID_PARAM']),
  refused('setPushRule', 'beside no rule', by('alice', 'PUT', '/pushrules/global/override/a?before=none', { actions: [] }), [400, 'M_UNKNOWN']),
  refused('setPushRule', 'beside a predefined rule', by('alice', 'PUT', '/pushrules/global/override/a?after=.m.rule.master', { actions: [] }), [400, 'M_INVALID_PARAM']),
  refused('deletePushRule', 'no such rule', by('alice', 'DELETE', '/pushrules/global/override/none'), [404, 'M_NOT_FOUND']),
  refused('deletePushRule', 'a predefined rule', by('alice', 'DELETE', '/pushrules/global/override/.m.rule.master'), [400, 'M_INVALID_PARAM']),
];

const DISCOVERY: readonly Refusal[] = [
  ...['protocol/tea', 'location/tea', 'user/tea', 'location?alias=%23tea:spec.example', 'user?userid=@bob:spec.example'].map((path, index) => {
    const operationId = ['getProtocolMetadata', 'queryLocationByProtocol', 'queryUserByProtocol', 'queryLocationByAlias', 'queryUserByID'][index]!;
    return refused(operationId, 'there is no bridge', by('alice', 'GET', `/thirdparty/${path}`), [404, 'M_NOT_FOUND']);
  }),
  refused('queryLocationByAlias', 'no alias', by('alice', 'GET', '/thirdparty/location?alias=tea'), [400, 'M_INVALID_PARAM']),
  refused('queryUserByID', 'no user ID', by('alice', 'GET', '/thirdparty/user?userid=bob'), [400, 'M_INVALID_PARAM']),
];

const MEMBERSHIP: readonly Refusal[] = [
  refused('joinRoomById', 'banned', by('carol', 'POST', whereCarolIsBanned('join'), {}), [403, 'M_FORBIDDEN']),
  refused('joinRoom', 'not invited', by('carol', 'POST', async (s) => `/join/${(await s.world.ask(s.alice, 'POST', '/createRoom', {})).room_id}`, {}), [403, 'M_FORBIDDEN']),
  refused('joinRoom', 'no such alias', by('carol', 'POST', '/join/%23none:spec.example', {}), [404, 'M_NOT_FOUND']),
  refused('joinRoom', 'neither ID nor alias', by('carol', 'POST', '/join/room', {}), [400, 'M_INVALID_PARAM']),
  refused('joinRoom', 'no such room', by('carol', 'POST', '/join/!none:spec.example', {}), [404, 'M_NOT_FOUND']),
  refused('inviteUser', 'joined already', by('alice', 'POST', inRoom('invite'), BOB), [403, 'M_FORBIDDEN']),
  refused('inviteUser', 'banned', by('alice', 'POST', whereCarolIsBanned('invite'), CAROL), [403, 'M_FORBIDDEN']),
  refused('inviteUser', 'the inviter is not in the room', by('carol', 'POST', inRoom('invite'), CAROL), [403, 'M_FORBIDDEN']),
  refused('inviteUser', 'too little power', by('bob', 'POST', inRoom('invite'), CAROL), [403, 'M_FORBIDDEN']),
  refused('inviteUser', 'there is no such user', by('alice', 'POST', inRoom('invite'), { user_id: '@nobody:spec.example' }), [404, 'M_NOT_FOUND']),
  refused('inviteUser', 'the user takes no invites', whereNobodyInvitesDora('POST', ({ roomId }) => `/rooms/${roomId}/invite`, (dora) => ({ user_id: dora })), [403, 'M_INVITE_BLOCKED']),
  refused('createRoom', 'a user to invite takes none', whereNobodyInvitesDora('POST', () => '/createRoom', (dora) => ({ invite: [dora] })), [403, 'M_INVITE_BLOCKED']),
  refused('setRoomStateWithKey', 'the user takes no invites', whereNobodyInvitesDora('PUT', ({ roomId }, dora) => `/rooms/${roomId}/state/m.room.member/${dora}`, () => ({ membership: 'invite' })), [403, 'M_INVITE_BLOCKED']),
  refused('inviteBy3PID', 'an identity server that is not asked', by('alice', 'POST', inRoom('invite'), { ...BY_EMAIL, id_server: 'a.example' }), [403, 'M_THREEPID_DENIED']),
  refused('inviteBy3PID', 'nothing to ask it with', by('alice', 'POST', inRoom('invite'), { ...BY_EMAIL, id_access_token: undefined }), [400, 'M_MISSING_PARAM']),
  refused('inviteBy3PID', 'no identity server', by('alice', 'POST', inRoom('invite'), { ...BY_EMAIL, id_server: undefined }), [400, 'M_MISSING_PARAM']),
  refused('inviteBy3PID', 'not in the room', by('carol', 'POST', inRoom('invite'), BY_EMAIL), [403, 'M_FORBIDDEN']),
  refused('inviteUser', 'no user ID', by('alice', 'POST', inRoom('invite'), { user_id: 'carol' }), [400, 'M_INVALID_PARAM']),
  refused('kick', 'too little power', by('bob', 'POST', inRoom('kick'), { user_id: '@alice:spec.example' }), [403, 'M_FORBIDDEN']),
  refused('kick', 'not in the room', by('alice', 'POST', inRoom('kick'), CAROL), [403, 'M_FORBIDDEN']),
  refused('kick', 'banned', by('alice', 'POST', whereCarolIsBanned('kick'), CAROL), [403, 'M_FORBIDDEN']),
  refused('ban', 'too little power', by('bob', 'POST', inRoom('ban'), CAROL), [403, 'M_FORBIDDEN']),
  refused('ban', 'not in the room', by('carol', 'POST', inRoom('ban'), BOB), [403, 'M_FORBIDDEN']),
  refused('unban', 'not banned', by('alice', 'POST', inRoom('unban'), BOB), [403, 'M_FORBIDDEN']),
  refused('unban', 'too little power', by('carol', 'POST', whereCarolIsBanned('unban'), CAROL), [403, 'M_FORBIDDEN']),
  refused('forgetRoom', 'not left yet', by('bob', 'POST', inRoom('forget'), {}), [400, 'M_UNKNOWN']),
  refused('upgradeRoom', 'an unknown room version', by('alice', 'POST', inRoom('upgrade'), { new_version: 'none' }), [400, 'M_UNSUPPORTED_ROOM_VERSION']),
  refused('upgradeRoom', 'too little power', by('bob', 'POST', inRoom('upgrade'), { new_version: '12' }), [403, 'M_FORBIDDEN']),
  refused('knockRoom', 'a room that takes no knocks', by('carol', 'POST', ({ roomId }) => `/knock/${roomId}`, {}), [403, 'M_FORBIDDEN']),
  refused('knockRoom', 'no such room', by('carol', 'POST', '/knock/!none:spec.example', {}), [404, 'M_NOT_FOUND']),
  refused('knockRoom', 'no such alias', by('carol', 'POST', '/knock/%23none:spec.example', {}), [404, 'M_NOT_FOUND']),
  refused('leaveRoom', 'not in the room', by('carol', 'POST', inRoom('leave'), {}), [403, 'M_FORBIDDEN']),
];

const create = (body: object): Maker => by('alice', 'POST', '/createRoom', body);

async function aliasTwice({ world, alice, roomId, next }: Scene): Promise<Call> {
  const path = `/directory/room/%23twice${next()}:spec.example`;
  await world.ask(alice, 'PUT', path, { room_id: roomId });
  return request(alice, 'PUT', path, { room_id: roomId });
}

const ROOMS: readonly Refusal[] = [
  refused('createRoom', 'a name that is no alias', create({ room_alias_name: 'a:b' }), [400, 'M_INVALID_PARAM']),
  refused('setRoomAlias', 'not in the room', by('carol', 'PUT', '/directory/room/%23carols:spec.example', { room_id: '!none:spec.example' }), [403, 'M_FORBIDDEN']),
  refused('setRoomAlias', 'no alias', by('alice', 'PUT', '/directory/room/tea', { room_id: '!a:spec.example' }), [400, 'M_INVALID_PARAM']),
  refused('setRoomAlias', 'there already', aliasTwice, [409, 'M_UNKNOWN']),
  refused('getRoomIdByAlias', 'no such alias', byNobody('GET', '/directory/room/%23none:spec.example'), [404, 'M_NOT_FOUND']),
  refused('getRoomIdByAlias', 'no alias', byNobody('GET', '/directory/room/none'), [400, 'M_INVALID_PARAM']),
  refused('deleteRoomAlias', 'no such alias', by('alice', 'DELETE', '/directory/room/%23none:spec.example'), [404, 'M_NOT_FOUND']),
  refused('getEventByTimestamp', 'nothing before the room', ({ roomId, alice: { token } }) => ({ method: 'GET', path: `/_matrix/client/v1/rooms/${roomId}/timestamp_to_event?ts=0&dir=b`, token }), [404, 'M_NOT_FOUND']),
  refused('getEventByTimestamp', 'not in the room', ({ roomId, carol: { token } }) => ({ method: 'GET', path: `/_matrix/client/v1/rooms/${roomId}/timestamp_to_event?ts=0&dir=f`, token }), [403, 'M_FORBIDDEN']),
  refused('getLocalAliases', 'not in the room', by('carol', 'GET', inRoom('aliases')), [403, 'M_FORBIDDEN']),
  refused('getLocalAliases', 'no room ID', by('alice', 'GET', '/rooms/room/aliases'), [400, 'M_INVALID_PARAM']),
  refused('createRoom', 'an unknown room version', create({ room_version: 'none' }), [400, 'M_UNSUPPORTED_ROOM_VERSION']),
  refused('createRoom', 'a state in which nothing can be sent', create({ room_version: '11', power_level_content_override: { users: { '@bob:spec.example': 100 } } }), [400, 'M_INVALID_ROOM_STATE']),
  refused('createRoom', 'a creator in the power levels', create({ power_level_content_override: { users: { '@alice:spec.example': 100 } } }), [400, 'M_INVALID_ROOM_STATE']),
  refused('createRoom', 'invites by e-mail', create({ invite_3pid: [{ id_server: 'a.example', id_access_token: 't', medium: 'email', address: 'a@a.example' }] }), [403, 'M_THREEPID_DENIED']),
  refused('createRoom', 'a fraction in its content', create({ creation_content: { half: 0.5 } }), [400, 'M_BAD_JSON']),
  refused('sendMessage', 'not in the room', by('carol', 'PUT', inRoom('send/m.room.message/1'), {}), [403, 'M_FORBIDDEN']),
  refused('sendMessage', 'a fraction', by('alice', 'PUT', inRoom('send/m.room.message/2'), { half: 0.5 }), [400, 'M_BAD_JSON']),
  refused('sendMessage', 'too large', by('alice', 'PUT', inRoom('send/m.room.message/3'), { body: 'a'.repeat(66_000) }), [413, 'M_TOO_LARGE']),
  refused('setRoomStateWithKey', 'a long state key', by('alice', 'PUT', inRoom(`state/a/${'b'.repeat(256)}`), {}), [413, 'M_TOO_LARGE']),
  refused('setRoomStateWithKey', 'a tombstone of the room for itself', async (scene) => request(scene.alice, 'PUT', `/rooms/${scene.roomId}/state/m.room.tombstone`, { body: '', replacement_room: scene.roomId }), [400, 'M_INVALID_PARAM']),
  refused('setRoomStateWithKey', 'a create event', by('alice', 'PUT', inRoom('state/m.room.create'), {}), [403, 'M_FORBIDDEN']),
  refused('setRoomStateWithKey', 'too little power', by('bob', 'PUT', inRoom('state/m.room.name'), { name: 'Coffee' }), [403, 'M_FORBIDDEN']),
  refused('setRoomStateWithKey', 'an alias of no room', by('alice', 'PUT', inRoom('state/m.room.canonical_alias'), { alias: '#a:spec.example' }), [400, 'M_BAD_ALIAS']),
  refused('setRoomStateWithKey', 'no alias', by('alice', 'PUT', inRoom('state/m.room.canonical_alias'), { alias: 'a' }), [400, 'M_INVALID_PARAM']),
  refused('redactEvent', 'of somebody else', by('bob', 'PUT', ({ roomId, eventId }) => `/rooms/${roomId}/redact/${eventId}/4`, {}), [403, 'M_FORBIDDEN']),
  refused('redactEvent', 'no such event', by('alice', 'PUT', inRoom(`redact/${UNKNOWN_EVENT}/5`), {}), [404, 'M_NOT_FOUND']),
  refused('postReceipt', 'an empty thread', by('alice', 'POST', ({ roomId, eventId }) => `/rooms/${roomId}/receipt/m.read/${eventId}`, { thread_id: '' }), [400, 'M_INVALID_PARAM']),
  refused('postReceipt', 'a thread for the marker', by('alice', 'POST', ({ roomId, eventId }) => `/rooms/${roomId}/receipt/m.fully_read/${eventId}`, { thread_id: 'main' }), [400, 'M_INVALID_PARAM']),
  refused('postReceipt', 'another thread', by('alice', 'POST', ({ roomId, eventId }) => `/rooms/${roomId}/receipt/m.read/${eventId}`, { thread_id: UNKNOWN_EVENT }), [400, 'M_INVALID_PARAM']),
  refused('postReceipt', 'an unknown type', by('alice', 'POST', ({ roomId, eventId }) => `/rooms/${roomId}/receipt/m.seen/${eventId}`, {}), [400, 'M_INVALID_PARAM']),
  refused('setPresence', 'no such presence', by('alice', 'PUT', ({ alice }) => `/presence/${alice.userId}/status`, { presence: 'busy' }), [400, 'M_INVALID_PARAM']),
  refused('setPresence', 'a text without an end', by('alice', 'PUT', ({ alice }) => `/presence/${alice.userId}/status`, { presence: 'online', status_msg: 'x'.repeat(1025) }), [413, 'M_TOO_LARGE']),
  refused('getPresence', 'no shared room', by('carol', 'GET', ({ alice }) => `/presence/${alice.userId}/status`), [403, 'M_FORBIDDEN']),
  refused('getPresence', 'no such user', by('alice', 'GET', () => '/presence/@nobody:spec.example/status'), [404, 'M_NOT_FOUND']),
  refused('setTyping', 'not in the room', by('carol', 'PUT', ({ roomId, carol }) => `/rooms/${roomId}/typing/${carol.userId}`, { typing: true }), [403, 'M_FORBIDDEN']),
  ...['state', 'state/m.room.name', 'members', 'joined_members', 'messages?dir=b'].map((path, index) => {
    const operationId = ['getRoomState', 'getRoomStateWithKey', 'getMembersByRoom', 'getJoinedMembersByRoom', 'getRoomEvents'][index]!;
    return refused(operationId, 'never in the room', by('carol', 'GET', inRoom(path)), [403, 'M_FORBIDDEN']);
  }),
  refused('getRoomStateWithKey', 'no such state', by('alice', 'GET', inRoom('state/m.room.name/none')), [404, 'M_NOT_FOUND']),
  refused('getOneRoomEvent', 'no such event', by('alice', 'GET', inRoom(`event/${UNKNOWN_EVENT}`)), [404, 'M_NOT_FOUND']),
  refused('getOneRoomEvent', 'never in the room', by('carol', 'GET', ({ roomId, eventId }) => `/rooms/${roomId}/event/${eventId}`), [404, 'M_NOT_FOUND']),
  refused('getEventContext', 'no such event', by('alice', 'GET', inRoom(`context/${UNKNOWN_EVENT}`)), [404, 'M_NOT_FOUND']),
  refused('getEventContext', 'never in the room', by('carol', 'GET', ({ roomId, eventId }) => `/rooms/${roomId}/context/${eventId}`), [403, 'M_FORBIDDEN']),
  refused('getOneEvent', 'never in the room', by('carol', 'GET', ({ eventId }) => `/events/${eventId}`), [404, 'M_NOT_FOUND']),
  refused('roomInitialSync', 'never in the room', by('carol', 'GET', inRoom('initialSync')), [403, 'M_FORBIDDEN']),
  refused('getEvents', 'never in the room', by('carol', 'GET', ({ roomId }) => `/events?room_id=${roomId}`), [403, 'M_FORBIDDEN']),
  refused('getEvents', 'a token that is none', by('alice', 'GET', '/events?from=none'), [400, 'M_INVALID_PARAM']),
  refused('getRoomEvents', 'a token that is none', by('alice', 'GET', inRoom('messages?dir=b&from=none')), [400, 'M_INVALID_PARAM']),
  refused('getMembersByRoom', 'a token that is none', by('alice', 'GET', inRoom('members?at=none')), [400, 'M_INVALID_PARAM']),
  refused('getNotifications', 'a token that is none', by('alice', 'GET', '/notifications?from=none'), [400, 'M_INVALID_PARAM']),
  refused('peekEvents', 'a token that is none', by('alice', 'GET', ({ roomId }) => `/events?timeout=0&room_id=${roomId}&from=none`), [400, 'M_INVALID_PARAM']),
  refused('sync', 'a token that is none', by('alice', 'GET', '/sync?since=none'), [400, 'M_INVALID_PARAM']),
  refused('sync', 'no such filter', by('alice', 'GET', '/sync?filter=none'), [400, 'M_INVALID_PARAM']),
  refused('sync', 'a filter that is no JSON', by('alice', 'GET', '/sync?filter=%7B'), [400, 'M_NOT_JSON']),
  refused('sync', 'a filter of wrong types', by('alice', 'GET', `/sync?filter=${encodeURIComponent('{"room":{"timeline":{"limit":"1"}}}')}`), [400, 'M_BAD_JSON']),
];

const ofRelations = (who: 'alice' | 'carol', path: string): Maker => (scene) => ({ method: 'GET', path: `/_matrix/client/v1/rooms/${scene.roomId}/${path}`, token: scene[who].token });

/** Sends an event with this relation to the scene's message twice; the path of the second time. */
const sentTwice = (type: string, relation: object): Maker => async (scene) => {
  const { world, bob, roomId, eventId } = scene;
  const send = `/rooms/${roomId}/send/${type}/twice`;
  const body = { 'm.relates_to': { ...relation, event_id: eventId } };
  await world.ask(bob, 'PUT', `${send}${scene.next()}`, body);
  return request(bob, 'PUT', `${send}${scene.next()}`, body);
};

const RELATIONS: readonly Refusal[] = [
  ...['', '/m.thread', '/m.thread/m.room.message'].flatMap((rest, index) => {
    const operationId = ['getRelatingEvents', 'getRelatingEventsWithRelType', 'getRelatingEventsWithRelTypeAndEventType'][index]!;
    return [
      refused(operationId, 'no such event', ofRelations('alice', `relations/${UNKNOWN_EVENT}${rest}`), [404, 'M_NOT_FOUND']),
      refused(operationId, 'a limit of nothing', async (scene) => ofRelations('alice', `relations/${scene.eventId}${rest}?limit=0`)(scene), [400, 'M_INVALID_PARAM']),
    ];
  }),
  refused('getThreadRoots', 'a token that is none', ofRelations('alice', 'threads?from=page'), [400, 'M_INVALID_PARAM']),
  refused('getThreadRoots', 'not in the room', ofRelations('carol', 'threads'), [403, 'M_FORBIDDEN']),
  refused('sendMessage', 'the same reaction again', sentTwice('m.reaction', { rel_type: 'm.annotation', key: 'tea' }), [400, 'M_DUPLICATE_ANNOTATION']),
];

const underV1 = (who: 'alice' | 'carol' | 'nobody', path: (scene: Scene) => string | Promise<string>): Maker => async (scene) =>
  ({ method: 'GET', path: `/_matrix/client/v1/${await path(scene)}`, ...(who !== 'nobody' && { token: scene[who].token }) });
const closedRoom = async ({ world, alice }: Scene): Promise<string> => (await world.ask(alice, 'POST', '/createRoom', {})).room_id as string;

const DIRECTORY: readonly Refusal[] = [
  refused('getRoomVisibilityOnDirectory', 'no such room', byNobody('GET', '/directory/list/room/!none:spec.example'), [404, 'M_NOT_FOUND']),
  refused('setRoomVisibilityOnDirectory', 'no such room', by('alice', 'PUT', '/directory/list/room/!none:spec.example', {}), [404, 'M_NOT_FOUND']),
  refused('setRoomVisibilityOnDirectory', 'no power', by('bob', 'PUT', ({ roomId }) => `/directory/list/room/${roomId}`, { visibility: 'public' }), [403, 'M_FORBIDDEN']),
  refused('setRoomVisibilityOnDirectory', 'neither public nor private', by('alice', 'PUT', ({ roomId }) => `/directory/list/room/${roomId}`, { visibility: 'shown' }), [400, 'M_INVALID_PARAM']),
  refused('getPublicRooms', 'a token that is none', byNobody('GET', '/publicRooms?since=page'), [400, 'M_INVALID_PARAM']),
  refused('getPublicRooms', 'of another server, for nobody', byNobody('GET', '/publicRooms?server=elsewhere.example'), [401, 'M_MISSING_TOKEN']),
  refused('queryPublicRooms', 'one network and all', by('alice', 'POST', '/publicRooms', { include_all_networks: true, third_party_instance_id: 'irc' }), [400, 'M_INVALID_PARAM']),
  refused('getRoomSummary', 'no such room', underV1('carol', () => 'room_summary/!none:spec.example'), [404, 'M_NOT_FOUND']),
  refused('getRoomSummary', 'a room that is not open', underV1('nobody', async (scene) => `room_summary/${await closedRoom(scene)}`), [404, 'M_NOT_FOUND']),
  refused('getSpaceHierarchy', 'a room that is not open', underV1('carol', async (scene) => `rooms/${await closedRoom(scene)}/hierarchy`), [403, 'M_FORBIDDEN']),
  refused('getSpaceHierarchy', 'a token that is none', underV1('alice', ({ roomId }) => `rooms/${roomId}/hierarchy?from=page`), [400, 'M_INVALID_PARAM']),
  refused('getMutualRooms', 'with oneself', underV1('alice', ({ alice }) => `mutual_rooms?user_id=${alice.userId}`), [400, 'M_INVALID_PARAM']),
  refused('getMutualRooms', 'with nobody', underV1('alice', () => 'mutual_rooms'), [400, 'M_MISSING_PARAM']),
  refused('reportEvent', 'not in the room', by('carol', 'POST', ({ roomId, eventId }) => `/rooms/${roomId}/report/${eventId}`, { reason: 'rude' }), [404, 'M_NOT_FOUND']),
  refused('reportEvent', 'no such event', by('alice', 'POST', inRoom(`report/${UNKNOWN_EVENT}`), {}), [404, 'M_NOT_FOUND']),
  ...(['GET', 'PUT', 'DELETE'] as const).map((method, index) => {
    const [operationId, rest] = [['getRoomTags', ''], ['setRoomTag', '/u.work'], ['deleteRoomTag', '/u.work']][index]!;
    return refused(operationId!, 'of somebody else', by('bob', method, ({ alice, roomId }) => `/user/${alice.userId}/rooms/${roomId}/tags${rest}`, method === 'PUT' ? {} : undefined), [403, 'M_FORBIDDEN']);
  }),
  refused('setRoomTag', 'an order beyond 1', by('alice', 'PUT', ({ alice, roomId }) => `/user/${alice.userId}/rooms/${roomId}/tags/u.work`, { order: 2 }), [400, 'M_INVALID_PARAM']),
];

const BACKUP = { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', auth_data: { public_key: 'abcdefg' } };
const BACKUP_KEY = { first_message_index: 1, forwarded_count: 0, is_verified: true, session_data: {} };
/** Alice's request about keys in a backup that is not the current one any more. */
const ofOldBackup = (path: string, body: unknown): Maker => async (scene) => {
  const { version } = await scene.world.ask(scene.alice, 'POST', '/room_keys/version', BACKUP);
  await scene.world.ask(scene.alice, 'POST', '/room_keys/version', BACKUP);
  return request(scene.alice, 'PUT', `/room_keys/keys${path}?version=${version as string}`, body);
};
const BACKUP_BODIES: Readonly<Record<string, readonly [path: string, body: unknown]>> = {
  Keys: ['', { rooms: { '!a:spec.example': { sessions: { s: BACKUP_KEY } } } }],
  KeysByRoomId: ['/!a:spec.example', { sessions: { s: BACKUP_KEY } }],
  KeyBySessionId: ['/!a:spec.example/s', BACKUP_KEY],
};

const ALICES_MASTER = { user_id: '@alice:spec.example', usage: ['master'], keys: { 'ed25519:x': 'x' } };

const KEYS: readonly Refusal[] = [
  refused('uploadKeys', 'keys of another user', by('alice', 'POST', '/keys/upload', { device_keys: testDevice('@bob:spec.example', 'DEVICE').deviceKeys }), [400, 'M_INVALID_PARAM']),
  refused('uploadKeys', 'keys that are none', by('alice', 'POST', '/keys/upload', { one_time_keys: { 'signed_curve25519:A': 1 } }), [400, 'M_BAD_JSON']),
  refused('uploadKeys', 'another key under a name that is taken', async (scene) => {
    const key = (salt: string) => ({ one_time_keys: { 'curve25519:TAKEN': salt } });
    await scene.world.ask(scene.alice, 'POST', '/keys/upload', key('one'));
    return request(scene.alice, 'POST', '/keys/upload', key('two'));
  }, [400, 'M_INVALID_PARAM']),
  refused('queryKeys', 'nobody', by('alice', 'POST', '/keys/query', {}), [400, 'M_MISSING_PARAM']),
  refused('queryKeys', 'no list of devices', by('alice', 'POST', '/keys/query', { device_keys: { '@bob:spec.example': 'all' } }), [400, 'M_BAD_JSON']),
  refused('claimKeys', 'nothing', by('alice', 'POST', '/keys/claim', {}), [400, 'M_MISSING_PARAM']),
  refused('claimKeys', 'who is no user', by('alice', 'POST', '/keys/claim', { one_time_keys: { bob: {} } }), [400, 'M_INVALID_PARAM']),
  refused('getKeysChanges', 'no end', async (scene) => request(scene.alice, 'GET', `/keys/changes?from=${(await scene.world.ask(scene.alice, 'GET', '/sync')).next_batch as string}`), [400, 'M_MISSING_PARAM']),
  refused('getKeysChanges', 'a token that is none', by('alice', 'GET', '/keys/changes?from=none&to=none'), [400, 'M_INVALID_PARAM']),
  refused('uploadCrossSigningKeys', 'no master key', by('alice', 'POST', '/keys/device_signing/upload', {}), [400, 'M_MISSING_PARAM']),
  refused('uploadCrossSigningKeys', 'a key that is none', by('alice', 'POST', '/keys/device_signing/upload', { master_key: ALICES_MASTER }), [400, 'M_INVALID_PARAM']),
  refused('uploadCrossSigningKeys', 'a key that the master key has not signed', by('alice', 'POST', '/keys/device_signing/upload', {
    ...testIdentity('@alice:spec.example').keys, self_signing_key: testIdentity('@alice:spec.example', 'other').keys.self_signing_key,
  }), [400, 'M_INVALID_SIGNATURE']),
  refused('uploadCrossSigningKeys', 'other keys, without authentication', async (scene) => {
    const dora = await scene.world.register(`dora${(doras += 1)}`);
    await scene.world.ask(dora, 'POST', '/keys/device_signing/upload', testIdentity(dora.userId).keys);
    return request(dora, 'POST', '/keys/device_signing/upload', testIdentity(dora.userId, 'other').keys);
  }, [401]),
  refused('uploadCrossSigningKeys', 'a key with the name of a device', async (scene) => {
    const dora = await scene.world.register(`dora${(doras += 1)}`);
    const { keys, master } = testIdentity(dora.userId);
    await scene.world.ask(dora, 'POST', '/login', { type: 'm.login.password', password: PASSWORD, ...identifier(dora.userId), device_id: master.publicKey });
    return request(dora, 'POST', '/keys/device_signing/upload', keys);
  }, [403, 'M_FORBIDDEN']),
  refused('uploadCrossSigningSignatures', 'no objects', by('alice', 'POST', '/keys/signatures/upload', { '@alice:spec.example': 1 }), [400, 'M_BAD_JSON']),
];

const BACKUPS: readonly Refusal[] = [
  refused('sendToDevice', 'no messages', by('alice', 'PUT', '/sendToDevice/m.test/none', {}), [400, 'M_MISSING_PARAM']),
  refused('postRoomKeysVersion', 'no auth_data', by('alice', 'POST', '/room_keys/version', { algorithm: BACKUP.algorithm }), [400, 'M_MISSING_PARAM']),
  refused('getRoomKeysVersionCurrent', 'no backup', by('carol', 'GET', '/room_keys/version'), [404, 'M_NOT_FOUND']),
  refused('getRoomKeysVersion', 'no such backup', by('carol', 'GET', '/room_keys/version/1'), [404, 'M_NOT_FOUND']),
  refused('putRoomKeysVersion', 'no such backup', by('carol', 'PUT', '/room_keys/version/1', BACKUP), [404, 'M_NOT_FOUND']),
  refused('putRoomKeysVersion', 'another version in the body', by('carol', 'PUT', '/room_keys/version/1', { ...BACKUP, version: '2' }), [400, 'M_INVALID_PARAM']),
  refused('putRoomKeysVersion', 'another algorithm', async (scene) => {
    const { version } = await scene.world.ask(scene.alice, 'POST', '/room_keys/version', BACKUP);
    return request(scene.alice, 'PUT', `/room_keys/version/${version as string}`, { ...BACKUP, algorithm: 'org.matrix.msc3270.v1.aes-hmac-sha2' });
  }, [400, 'M_INVALID_PARAM']),
  refused('deleteRoomKeysVersion', 'no such backup', by('carol', 'DELETE', '/room_keys/version/1'), [404, 'M_NOT_FOUND']),
  refused('getRoomKeyBySessionId', 'no such key', async (scene) => {
    const { version } = await scene.world.ask(scene.alice, 'POST', '/room_keys/version', BACKUP);
    return request(scene.alice, 'GET', `/room_keys/keys/!a:spec.example/s?version=${version as string}`);
  }, [404, 'M_NOT_FOUND']),
  ...Object.entries(BACKUP_BODIES).flatMap(([what, [path, body]]) => [
    refused(`putRoom${what}`, 'not the current backup', ofOldBackup(path, body), [403, 'M_WRONG_ROOM_KEYS_VERSION']),
    refused(`putRoom${what}`, 'no backup', by('carol', 'PUT', `/room_keys/keys${path}?version=1`, body), [404, 'M_NOT_FOUND']),
    refused(`putRoom${what}`, 'no version', by('carol', 'PUT', `/room_keys/keys${path}`, body), [400, 'M_MISSING_PARAM']),
    refused(`getRoom${what}`, 'no backup', by('carol', 'GET', `/room_keys/keys${path}?version=1`), [404, 'M_NOT_FOUND']),
    refused(`deleteRoom${what}`, 'no backup', by('carol', 'DELETE', `/room_keys/keys${path}?version=1`), [404, 'M_NOT_FOUND']),
  ]),
];

export const REFUSALS: readonly Refusal[] = [...DIRECTORY, ...ACCOUNTS, ...ACCOUNT_LIVES, ...DISCOVERY, ...USER_DATA, ...MEMBERSHIP, ...ROOMS, ...RELATIONS, ...KEYS, ...BACKUPS];

/** Of a server whose registration is closed and that has no base URL. */
export const WHERE_CLOSED: readonly Refusal[] = [
  refused('register', 'closed', register({}), [403, 'M_FORBIDDEN']),
  refused('checkUsernameAvailability', 'closed', byNobody('GET', '/register/available?username=newcomer'), [403, 'M_FORBIDDEN']),
  refused('registrationTokenValidity', 'closed', () => ({ method: 'GET', path: '/_matrix/client/v1/register/m.login.registration_token/validity?token=a' }), [403, 'M_FORBIDDEN']),
  refused('getWellknownSupport', 'nobody to ask', () => ({ method: 'GET', path: '/.well-known/matrix/support' }), [404, 'M_NOT_FOUND']),
  refused('getWellknown', 'not announced', () => ({ method: 'GET', path: '/.well-known/matrix/client' }), [404, 'M_NOT_FOUND']),
];

/** Refusals that the spec declares and this server never makes, by `operationId status`. 429 is one for all operations, and 401 too. */
export const NEVER_REFUSED: Readonly<Record<string, string>> = {
  'initialSync 404': 'what it says is of another operation: there is no avatar to ask for',
  'getLoginFlows 404': 'accounts with passwords are supported',
  'getTokenOwner 403': 'there are no application services',
  'setPushRule 404': 'a rule that does not exist is made',
  'reportRoom 404': 'whether there is such a room is not told',
  'reportUser 404': 'whether there is such a user is not told',
  'getUserProfile 403': 'profiles are public',
  'getProfileField 403': 'profiles are public',
};
