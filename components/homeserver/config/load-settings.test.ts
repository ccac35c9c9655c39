import { test } from 'node:test';
import assert from 'node:assert/strict';
import { configPathOf, loadSettings } from './load-settings.ts';
import { envNameOf, argumentOf, SETTING_KEYS, type SettingKey } from './setting-table.ts';
import { SettingsError } from './settings-error.ts';
import { DENIED_RANGES_DEFAULT } from '../../../pkg/federation/ip-ranges.ts';
import { SESSIONS_DEFAULT, type Settings } from '../../../schemas/config/settings.ts';

interface Sources {
  readonly env?: Record<string, string>;
  readonly args?: string[];
  /** Text of data/myelin.yaml. */
  readonly file?: string;
}

function load(sources: Sources): Settings {
  return loadSettings({ env: sources.env ?? {}, args: sources.args ?? [], readFile: (path) => (path === 'data/myelin.yaml' ? sources.file : undefined) });
}

function problemsOf(sources: Sources): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    assert.ok(error instanceof SettingsError, String(error));
    return error.problems;
  }
  return [];
}

const DEFAULTS: Settings = {
  serverName: 'localhost', dataDir: 'data', listen: { host: '127.0.0.1', port: 8008 }, publicBaseUrl: 'http://127.0.0.1:8008', trustedProxies: [],
  roles: ['roomserver', 'userapi', 'clientapi', 'syncapi', 'federationapi'], database: { kind: 'sqlite' }, log: { kind: 'embedded' }, logPrefix: 'myelin', partitions: 32,
  registration: 'closed', registrationToken: '', guests: false, termsFile: '', registrationSharedSecret: '', appserviceDir: '', rateLimits: true, classLimits: {}, userLimits: new Map(), queryTokens: false,
  sessions: SESSIONS_DEFAULT,
  discovery: { identityServer: '', clientFields: {}, supportContacts: [], supportPage: '' }, inviteIdentityServers: [], defaultRoomVersion: '12', forgetOnLeave: false, deviceKeysGuard: 'off', encryptedRooms: 'off', presence: { roomMembersMax: 200 }, serverNotices: undefined, roomHeadsBytes: 64 * 1024 * 1024, forwardExtremitiesMax: 10, toDeviceWaitingMax: 10_000, logging: { level: 'info', format: 'pretty' }, tls: undefined,
  federation: {
    wellKnownServer: '', trustedKeyServers: [], trustedKeyServersFirst: false, deniedServers: [], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: DENIED_RANGES_DEFAULT, ipAllowed: [], overrides: new Map(),
    retry: { firstMs: 2000, maxMs: 3_600_000 },
  },
};

test('without anything, the defaults: local, SQLite, embedded, nobody may register', () => {
  assert.deepEqual(load({}), DEFAULTS);
  assert.deepEqual(load({ file: '' }), DEFAULTS);
  assert.deepEqual(load({ file: '# only comments\n' }), DEFAULTS);
});

/** For each setting a text that is not the default and what becomes of it. `also`: what it needs beside it. */
const SAMPLES: Record<SettingKey, { text: string; get: (settings: Settings) => unknown; value: unknown; also?: Record<string, string> }> = {
  server_name: { text: 'example.org:8448', get: (s) => s.serverName, value: 'example.org:8448' },
  data_dir: { text: '/var/lib/myelin', get: (s) => s.dataDir, value: '/var/lib/myelin' },
  listen: { text: '[::1]:0', get: (s) => s.listen, value: { host: '::1', port: 0 } },
  public_base_url: { text: 'https://matrix.example.org/', get: (s) => s.publicBaseUrl, value: 'https://matrix.example.org' },
  trusted_proxies: { text: 'loopback,10.0.0.0/8', get: (s) => s.trustedProxies, value: ['loopback', '10.0.0.0/8'] },
  roles: { text: 'syncapi,clientapi', get: (s) => s.roles, value: ['clientapi', 'syncapi'], also: { MYELIN_LOG: 'nats://n:4222', MYELIN_DATABASE: 'postgres://h/d' } },
  database: { text: 'postgres://u:p@h:5432/d', get: (s) => s.database, value: { kind: 'postgres', url: 'postgres://u:p@h:5432/d' } },
  log: { text: 'kafka://a:9092,b:9093', get: (s) => s.log, value: { kind: 'kafka', brokers: 'a:9092,b:9093' } },
  log_prefix: { text: 'mine', get: (s) => s.logPrefix, value: 'mine' },
  partitions: { text: '8', get: (s) => s.partitions, value: 8 },
  registration: { text: 'open', get: (s) => s.registration, value: 'open', also: { MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION: 'on' } },
  registration_open_without_verification: { text: 'on', get: (s) => s.registration, value: 'open', also: { MYELIN_REGISTRATION: 'open' } },
  guests: { text: 'on', get: (s) => s.guests, value: true },
  terms_file: { text: '/etc/myelin/terms.yaml', get: (s) => s.termsFile, value: '/etc/myelin/terms.yaml' },
  registration_token: { text: 'let-me-in', get: (s) => s.registrationToken, value: 'let-me-in' },
  registration_shared_secret: { text: 'open^sesame!', get: (s) => s.registrationSharedSecret, value: 'open^sesame!' },
  appservice_dir: { text: '/etc/myelin/appservices', get: (s) => s.appserviceDir, value: '/etc/myelin/appservices' },
  identity_server: { text: 'https://id.a.example/', get: (s) => s.discovery.identityServer, value: 'https://id.a.example' },
  well_known_client: { text: '{"org.example.a": {"b": [1]}}', get: (s) => s.discovery.clientFields, value: { 'org.example.a': { b: [1] } } },
  support_contacts: { text: '[{"role":"m.role.admin","matrix_id":"@a:b"}]', get: (s) => s.discovery.supportContacts, value: [{ role: 'm.role.admin', matrix_id: '@a:b' }] },
  support_page: { text: 'https://a.example/help', get: (s) => s.discovery.supportPage, value: 'https://a.example/help' },
  rate_limit_classes: { text: 'message=0.5/3, lookup=1/1', get: (s) => s.classLimits, value: { message: { perSecond: 0.5, burst: 3 }, lookup: { perSecond: 1, burst: 1 } } },
  rate_limit_users: {
    text: '@a:b=exempt,@c=d:e=message:1/2,@c=d:e=report:3/4', get: (s) => s.userLimits,
    value: new Map<string, unknown>([['@a:b', 'exempt'], ['@c=d:e', { message: { perSecond: 1, burst: 2 }, report: { perSecond: 3, burst: 4 } }]]),
  },
  access_token_minutes: { text: '5', get: (s) => s.sessions.accessTokenMs, value: 300_000 },
  refresh_token_days: { text: '2', get: (s) => s.sessions.refreshTokenMs, value: 172_800_000 },
  session_days: { text: '1', get: (s) => s.sessions.plainTokenMs, value: 86_400_000 },
  login_tokens: { text: 'off', get: (s) => s.sessions.loginTokens, value: false },
  access_tokens_in_query: { text: 'on', get: (s) => s.queryTokens, value: true },
  rate_limits: { text: 'off', get: (s) => s.rateLimits, value: false },
  default_room_version: { text: '11', get: (s) => s.defaultRoomVersion, value: '11' },
  forget_on_leave: { text: 'on', get: (s) => s.forgetOnLeave, value: true },
  encrypted_rooms: { text: 'private', get: (s) => s.encryptedRooms, value: 'private' },
  device_keys_guard: { text: 'other_servers', get: (s) => s.deviceKeysGuard, value: 'other_servers' },
  presence: { text: 'off', get: (s) => s.presence, value: undefined },
  presence_room_members_max: { text: '50', get: (s) => s.presence, value: { roomMembersMax: 50 } },
  server_notices_localpart: {
    text: 'notices', get: (s) => s.serverNotices, value: { localpart: 'notices', displayName: 'Server notices', roomName: 'Server notices', avatarUrl: '' },
  },
  server_notices_display_name: { text: 'The server', get: (s) => s.serverNotices?.displayName, value: 'The server', also: { MYELIN_SERVER_NOTICES_LOCALPART: 'n' } },
  server_notices_room_name: { text: 'From the server', get: (s) => s.serverNotices?.roomName, value: 'From the server', also: { MYELIN_SERVER_NOTICES_LOCALPART: 'n' } },
  server_notices_avatar: { text: 'mxc://h/a', get: (s) => s.serverNotices?.avatarUrl, value: 'mxc://h/a', also: { MYELIN_SERVER_NOTICES_LOCALPART: 'n' } },
  invite_identity_servers: { text: 'id.example,id.example:8090', get: (s) => s.inviteIdentityServers, value: ['id.example', 'id.example:8090'] },
  room_heads_mb: { text: '5', get: (s) => s.roomHeadsBytes, value: 5 * 1024 * 1024 },
  forward_extremities_max: { text: '3', get: (s) => s.forwardExtremitiesMax, value: 3 },
  to_device_waiting_max: { text: '500', get: (s) => s.toDeviceWaitingMax, value: 500 },
  tls_listen: {
    text: '[::]:8448', get: (s) => s.tls, value: { host: '::', port: 8448, certificateFile: '/c.pem', keyFile: '/k.pem' }, also: { MYELIN_TLS_CERTIFICATE: '/c.pem', MYELIN_TLS_KEY: '/k.pem' },
  },
  tls_certificate: { text: '/c.pem', get: (s) => s.tls?.certificateFile, value: '/c.pem', also: { MYELIN_TLS_LISTEN: '[::]:8448', MYELIN_TLS_KEY: '/k.pem' } },
  tls_key: { text: '/k.pem', get: (s) => s.tls?.keyFile, value: '/k.pem', also: { MYELIN_TLS_LISTEN: '[::]:8448', MYELIN_TLS_CERTIFICATE: '/c.pem' } },
  well_known_server: { text: 'matrix.example.org:443', get: (s) => s.federation.wellKnownServer, value: 'matrix.example.org:443' },
  trusted_key_servers: { text: 'a.example,b.example:8449', get: (s) => s.federation.trustedKeyServers, value: ['a.example', 'b.example:8449'] },
  trusted_key_servers_first: { text: 'on', get: (s) => s.federation.trustedKeyServersFirst, value: true },
  federation_denied_servers: { text: '*.evil.example, bad.example', get: (s) => s.federation.deniedServers, value: ['*.evil.example', 'bad.example'] },
  federation_allowed_servers: { text: '*.example', get: (s) => s.federation.allowedServers, value: ['*.example'] },
  pending_invites_max: { text: '7', get: (s) => s.federation.pendingInvitesMax, value: 7 },
  federation_ca_files: { text: '/a.pem,/b.pem', get: (s) => s.federation.caFiles, value: ['/a.pem', '/b.pem'] },
  federation_ip_denied: { text: '10.0.0.0/8,::1', get: (s) => s.federation.ipDenied, value: ['10.0.0.0/8', '::1'] },
  federation_ip_allowed: { text: '127.0.0.1', get: (s) => s.federation.ipAllowed, value: ['127.0.0.1'] },
  federation_overrides: {
    text: 'a.example=127.0.0.1:1,b.example:2=[::1]:3', get: (s) => s.federation.overrides, value: new Map([['a.example', { host: '127.0.0.1', port: 1 }], ['b.example:2', { host: '::1', port: 3 }]]),
  },
  federation_retry_first_ms: { text: '50', get: (s) => s.federation.retry, value: { firstMs: 50, maxMs: 3_600_000 } },
  federation_retry_max_ms: { text: '60000', get: (s) => s.federation.retry, value: { firstMs: 2000, maxMs: 60_000 } },
  log_level: { text: 'debug', get: (s) => s.logging.level, value: 'debug' },
  log_format: { text: 'json', get: (s) => s.logging.format, value: 'json' },
};

for (const key of SETTING_KEYS) {
  const { text, get, value, also = {} } = SAMPLES[key];
  test(`${key} can be set from the environment (${envNameOf(key)}), as an argument and in the file`, () => {
    assert.notDeepEqual(get(load({})), value);
    assert.deepEqual(get(load({ env: { ...also, [envNameOf(key)]: text } })), value);
    assert.deepEqual(get(load({ env: also, args: [argumentOf(key), text] })), value);
    assert.deepEqual(get(load({ env: also, args: [`${argumentOf(key)}=${text}`] })), value);
    assert.deepEqual(get(load({ env: also, file: `${key}: '${text}'\n` })), value);
  });
}

test('the names that operators know', () => {
  const names = SETTING_KEYS.map(envNameOf);
  for (const name of ['MYELIN_DATA_DIR', 'MYELIN_LISTEN', 'MYELIN_SERVER_NAME', 'MYELIN_REGISTRATION', 'MYELIN_RATE_LIMITS', 'MYELIN_LOG', 'MYELIN_DATABASE', 'MYELIN_ROLES']) {
    assert.ok(names.includes(name), name);
  }
});

test('arguments win over the environment, that over the file, that over the default', () => {
  const file = 'partitions: 2\n';
  const env = { MYELIN_PARTITIONS: '3' };
  assert.deepEqual([load({}), load({ file }), load({ file, env }), load({ file, env, args: ['--partitions', '4'] })].map((s) => s.partitions), [32, 2, 3, 4]);
  assert.equal(load({ file, env: { MYELIN_PARTITIONS: '' } }).partitions, 2, 'an empty variable counts as not set');
});

test('YAML as people write it', () => {
  const settings = load({ file: 'rate_limits: off\ndefault_room_version: 10\nroles: [roomserver, userapi, clientapi, syncapi, federationapi]\nregistration: "token" # comment\nregistration_token: 0123\ntrusted_proxies:\n  - loopback\n  - 10.0.0.1\n' });
  assert.deepEqual([settings.rateLimits, settings.defaultRoomVersion, settings.roles.length, settings.registrationToken, settings.trustedProxies],
    [false, '10', 5, '0123', ['loopback', '10.0.0.1']]);
  assert.equal(load({ file: 'rate_limits: false\n' }).rateLimits, false);
});

test('where the file is looked for', () => {
  assert.deepEqual(configPathOf({ env: {}, args: [] }), { path: 'data/myelin.yaml', named: false });
  assert.deepEqual(configPathOf({ env: { MYELIN_DATA_DIR: '/d/' }, args: [] }), { path: '/d/myelin.yaml', named: false });
  assert.deepEqual(configPathOf({ env: { MYELIN_DATA_DIR: '/d', MYELIN_CONFIG: '/c.yaml' }, args: [] }), { path: '/c.yaml', named: true });
  assert.deepEqual(configPathOf({ env: { MYELIN_CONFIG: '/c.yaml' }, args: ['--config', '/e.yaml'] }), { path: '/e.yaml', named: true });
  const read: string[] = [];
  loadSettings({ env: {}, args: ['--config=/e.yaml'], readFile: (path) => (read.push(path), '') });
  assert.deepEqual(read, ['/e.yaml']);
});

const REGISTRATION = 'but must be one of open, token, closed';
const WRONG: [Sources, string][] = [
  [{ env: { MYELIN_REGISTRATION: 'opne' } }, `registration (environment variable MYELIN_REGISTRATION) is "opne", ${REGISTRATION}; did you mean open?`],
  [{ args: ['--registration', 'x'] }, `registration (argument --registration) is "x", ${REGISTRATION}`],
  [{ file: 'listen: 127.0.0.1:8008\n\nregistration: Open\n' }, `registration (data/myelin.yaml line 3) is "Open", ${REGISTRATION}; did you mean open?`],
  [{ file: '# x\nregstration: open\n' }, 'regstration (data/myelin.yaml line 2) is not a setting; did you mean registration?'],
  [{ file: 'sever-name: x\n' }, 'sever-name (data/myelin.yaml line 1) is not a setting; did you mean server_name?'],
  [{ file: 'something_else_entirely: x\n' }, 'something_else_entirely (data/myelin.yaml line 1) is not a setting'],
  [{ file: 'a: [\n' }, 'data/myelin.yaml line 2 is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  [{ file: 'listen: a:1\nlisten: b:2\n' }, 'data/myelin.yaml line 2 is not valid YAML: Map keys must be unique'],
  [{ file: '- listen\n' }, 'data/myelin.yaml must hold lines of the form "setting: value"'],
  [{ file: 'listen:\n  host: x\n' }, 'listen (data/myelin.yaml line 1) must be a single value or a list of values'],
  [{ file: 'listen:\n' }, 'listen (data/myelin.yaml line 1) is "", but must be host:port, for example 127.0.0.1:8008 or [::]:8008'],
  [{ env: { MYELIN_REGISTRATON: 'open' } }, 'the environment variable MYELIN_REGISTRATON is not a setting; did you mean MYELIN_REGISTRATION?'],
  [{ args: ['--role', 'syncapi'] }, 'the argument "--role" is not known; did you mean --roles?'],
  [{ args: ['--roles'] }, 'the argument --roles needs a value'],
  [{ args: ['--listen', '--partitions=4'] }, 'the argument --listen needs a value'],
  [{ args: ['start'] }, 'the argument "start" is not known'],
  [{ args: ['--config', 'no.yaml'] }, 'there is no config file no.yaml (argument --config)'],
  [{ env: { MYELIN_CONFIG: 'no.yaml' } }, 'there is no config file no.yaml (environment variable MYELIN_CONFIG)'],
  [{ env: { MYELIN_LISTEN: '8008' } }, 'listen (environment variable MYELIN_LISTEN) is "8008", but must be host:port, for example 127.0.0.1:8008 or [::]:8008'],
  [{ env: { MYELIN_LISTEN: 'h:65536' } }, 'listen (environment variable MYELIN_LISTEN) is "h:65536", but must be host:port, for example 127.0.0.1:8008 or [::]:8008'],
  [{ env: { MYELIN_PARTITIONS: '0' } }, 'partitions (environment variable MYELIN_PARTITIONS) is "0", but must be a whole number from 1 to 1024'],
  [{ env: { MYELIN_LOG: 'nats' } }, 'log (environment variable MYELIN_LOG) is "nats", but must be embedded, nats://host:port or kafka://host:port (several with commas)'],
  [{ env: { MYELIN_LOG: 'kafka://host' } }, 'log (environment variable MYELIN_LOG) is "kafka://host", but must be embedded, nats://host:port or kafka://host:port (several with commas)'],
  [{ env: { MYELIN_DATABASE: 'mysql://root:hunter2@h/d' } },
    'database (environment variable MYELIN_DATABASE) has a value (not shown) that is not allowed, but must be sqlite, or a URL such as postgres://user:password@host:5432/database'],
  [{ env: { MYELIN_DEFAULT_ROOM_VERSION: 'newest' } }, 'default_room_version (environment variable MYELIN_DEFAULT_ROOM_VERSION) is "newest", but must be one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12'],
  [{ env: { MYELIN_ROLES: 'syncapi,rooms' } }, 'roles (environment variable MYELIN_ROLES) is "syncapi,rooms", but must be all, or a list (with commas) of roomserver, userapi, clientapi, syncapi, federationapi'],
  [{ env: { MYELIN_REGISTRATION: 'open' } },
    'registration (environment variable MYELIN_REGISTRATION) is open, so that robots too can make accounts; use token, or, if that is meant, set registration_open_without_verification with '
    + 'MYELIN_REGISTRATION_OPEN_WITHOUT_VERIFICATION, --registration-open-without-verification or in the config file'],
  [{ args: ['--roles', 'syncapi'], env: { MYELIN_DATABASE: 'postgres://h/d' } },
    'log (default) is embedded, which needs all roles in one process, but roles (argument --roles) is only syncapi; use nats:// or kafka://, or run all roles'],
  [{ args: ['--roles', 'syncapi,userapi'], file: 'log: nats://h:4222\n' },
    'database (default) is sqlite, which one process alone can use, but roles (argument --roles) is only userapi, syncapi; use a postgres:// URL, or run all roles'],
  [{ env: { MYELIN_FEDERATION_RETRY_MAX_MS: '1000' } },
    'federation_retry_first_ms (default) is 2000, which is more than federation_retry_max_ms (environment variable MYELIN_FEDERATION_RETRY_MAX_MS), 1000'],
];
for (const [sources, sentence] of WRONG) {
  test(`${JSON.stringify(sources)} is refused in one sentence`, () => assert.deepEqual(problemsOf(sources), [sentence]));
}

test('several wrong settings get a sentence each', () => {
  const problems = problemsOf({ env: { MYELIN_LISTEN: 'x', MYELIN_LOGG: 'y' }, file: 'partitions: many\n' });
  assert.equal(problems.length, 3);
});

test('server names', () => {
  const allowed = (name: string) => problemsOf({ args: [`--server-name=${name}`] }).length === 0;
  for (const name of ['example.org', 'localhost:8448', '1.2.3.4', '[2001:db8::1]:443', 'xn--bcher-kva.example']) assert.ok(allowed(name), name);
  for (const name of ['', 'under_score.org', 'https://example.org', 'a b', '@alice:example.org', 'x'.repeat(231), '1.2.3.999', 'example.org:99999']) assert.ok(!allowed(name), name);
});

test('a secret is never in a sentence', () => {
  const problems = problemsOf({ env: { MYELIN_DATABASE: 'postgre://u:hunter2@h/d', MYELIN_REGISTRATION_TOKEN: 'hunter2 hunter2' } });
  assert.equal(problems.length, 2);
  assert.doesNotMatch(problems.join(), /hunter2/);
});

test('variables of tests, tools and Kubernetes are not ours', () => {
  const env = { MYELIN_TEST_REQUIRE: 'nats', MYELIN_SERVICE_HOST: '10.0.0.1', MYELIN_SERVICE_PORT_HTTP: '1', MYELIN_PORT: 'tcp://10.0.0.1:8008', MYELIN_PORT_8008_TCP_ADDR: '10.0.0.1', PATH: '/bin' };
  assert.deepEqual(load({ env }), DEFAULTS);
});

test('the base URL is made from what is listened on', () => {
  const urlOf = (listen: string) => load({ args: ['--listen', listen] }).publicBaseUrl;
  assert.deepEqual(['0.0.0.0:80', '[::]:8008', '[::1]:8008', 'chat.example:1', '127.0.0.1:0'].map(urlOf),
    ['http://localhost:80', 'http://localhost:8008', 'http://[::1]:8008', 'http://chat.example:1', '']);
});
