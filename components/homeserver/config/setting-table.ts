/**
 * Every setting: its type, its default and what it is for. The file, the environment, the arguments, the reference page and the first config file are
 * all made from this table.
 */
import { BACKOFF_DEFAULT } from '../../../pkg/federation/backoff.ts';
import { DENIED_RANGES_DEFAULT } from '../../../pkg/federation/ip-ranges.ts';
import { LIMITS_DEFAULT } from '../../../pkg/http/limit-classes.ts';
import { DEFAULT_PARTITIONS } from '../../../pkg/log/partition-map.ts';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { ROLES, type Role } from '../../../schemas/config/settings.ts';
import { extraFields, supportContacts } from './discovery-types.ts';
import { classLimits, userLimits } from './limit-types.ts';
import { localpartOrNone, mxcUriOrNone, shownText } from './notice-types.ts';
import {
  choice, databaseKind, fileOrNone, files, folder, hostAndPort, hostAndPortOrOff, integer, ipRanges, listOf, logKind,
  logPrefix, onOff, optionalFolder, overrides, proxies, registrationToken, serverName, serverNameOrNone, serverNames, serverPatterns, sharedSecret, webUrl, type SettingType,
} from './setting-types.ts';

export interface Setting<T> {
  readonly type: SettingType<T>;
  /** As text, as one would write it in the file. */
  readonly default: string;
  /** What it does and when one changes it. Whole sentences, plain Markdown. */
  readonly help: string;
  /** Its value is never shown. */
  readonly secret?: boolean;
}

/** Checks that `setting` is one and keeps the type of its value. */
function setting<T>(definition: Setting<T>): Setting<T> {
  return definition;
}

export const SETTINGS = {
  server_name: setting({
    type: serverName,
    default: 'localhost',
    help: 'The name of this server: the part after the colon of its users\' IDs, as in @alice:example.org. It is in every event ever sent, so it cannot be changed after the first start.',
  }),
  data_dir: setting({
    type: folder,
    default: 'data',
    help: 'The folder with the signing key, the SQLite databases and, unless another one is named, the config file. It is made when it is not there. Back it up: without the signing key the server cannot prove who it is.',
  }),
  listen: setting({
    type: hostAndPort,
    default: '127.0.0.1:8008',
    help: 'Where HTTP is served. The default can be reached from this machine only; put a TLS proxy before it, or use 0.0.0.0:8008 to be reached from outside. Port 0 takes any free port. /health, /ready and /metrics are served there too: do not let the proxy pass them on to the world.',
  }),
  public_base_url: setting({
    type: webUrl,
    default: '',
    help: 'The URL at which clients reach this server, announced in /.well-known/matrix/client. Empty: http:// and what `listen` says.',
  }),
  identity_server: setting({
    type: webUrl,
    default: '',
    help: 'The URL of an identity server that clients may use, announced in /.well-known/matrix/client. Empty: none.',
  }),
  invite_identity_servers: setting({
    type: serverNames,
    default: '',
    help: 'Identity servers (host names) with which users may invite people by e-mail address or telephone number. This server asks them who that is, and has them write to whoever nobody knows. Empty: none; such invites are refused then.',
  }),
  well_known_client: setting({
    type: extraFields,
    default: '',
    help: 'What /.well-known/matrix/client says beside `public_base_url` and `identity_server`, as a JSON object. Empty: nothing.',
  }),
  support_contacts: setting({
    type: supportContacts,
    default: '',
    help: 'Whom users and other operators can ask for help, announced in /.well-known/matrix/support, as a JSON list. Empty, and without `support_page`: that answers 404.',
  }),
  support_page: setting({
    type: webUrl,
    default: '',
    help: 'The URL of a page that helps users, announced in /.well-known/matrix/support. Empty: none.',
  }),
  trusted_proxies: setting({
    type: proxies,
    default: '',
    help: 'Proxies whose X-Forwarded-For header is believed when it says where a client comes from (used for rate limits). Empty: none.',
  }),
  roles: setting<readonly Role[]>({
    type: listOf(...ROLES as readonly [Role, ...Role[]]),
    default: 'all',
    help: 'Which components this process runs. One process that runs all is the usual thing; several processes with some roles each need `database` on PostgreSQL and `log` on NATS or Kafka.',
  }),
  database: setting({
    type: databaseKind,
    default: 'sqlite',
    help: 'Where the tables are: `sqlite` keeps a file for each component in the data folder; a PostgreSQL URL keeps a schema for each component in that database.',
    secret: true,
  }),
  log: setting({
    type: logKind,
    default: 'embedded',
    help: 'What carries the records from one component to the next: `embedded` needs nothing else but all roles in one process; NATS (JetStream) and Kafka connect several processes. How much is logged for people to read is `log_level`.',
  }),
  log_prefix: setting({
    type: logPrefix,
    default: 'myelin',
    help: 'What the names of streams (NATS) and topics (Kafka) begin with. Servers that share a broker need different ones.',
  }),
  partitions: setting({
    type: integer(1, 1024),
    default: String(DEFAULT_PARTITIONS),
    help: 'Into how many partitions rooms and users are divided: as many processes can share the work of a component at most. It cannot be changed after the first start.',
  }),
  registration: setting({
    type: choice('open', 'token', 'closed'),
    default: 'closed',
    help: 'Who may make an account: `open`: everybody who reaches the server; `token`: who knows `registration_token`; `closed`: nobody.',
  }),
  registration_open_without_verification: setting({
    type: onOff,
    default: 'off',
    help: 'Has to be on for `registration: open`, which lets robots make accounts as well as people: a server that is reached from outside is soon full of them. On is for tests and for servers that only friends reach.',
  }),
  guests: setting({
    type: onOff,
    default: 'off',
    help: 'Whether who has no account may get a guest\'s, which can look around and speak in the rooms that let guests in.',
  }),
  terms_file: setting({
    type: fileOrNone,
    default: '',
    help: 'A YAML file with the terms that users have to accept: for each policy (`privacy_policy` and so on) its `version` and, for each language, its `name` and `url`. New users accept them when they register. When a version changes, all accept it again before they send anything; a page of this server asks them. It is read at the start; every process needs the same. Empty: none.',
  }),
  registration_token: setting({
    type: registrationToken,
    default: '',
    help: 'What one has to know to make an account when `registration` is `token`; beside it, `myelin user tokens` gives out tokens that end. Empty: those only.',
    secret: true,
  }),
  registration_shared_secret: setting({
    type: sharedSecret,
    default: '',
    help: 'Whoever knows it can make accounts, administrators too, whatever `registration` says, over /_synapse/admin/v1/register: the way in of `register_new_matrix_user` and other tools made for Synapse. Empty: off.',
    secret: true,
  }),
  appservice_dir: setting({
    type: optionalFolder,
    default: '',
    help: 'A folder with the registration files (`*.yaml`) of application services such as bridges. They are read at the start; every process needs the same. Empty: none.',
  }),
  rate_limits: setting({
    type: onOff,
    default: 'on',
    help: 'Whether clients that ask too often, and servers that invite too often, are told to wait. Off is for tests and benchmarks.',
  }),
  rate_limit_classes: setting({
    type: classLimits,
    default: '',
    help: `How often clients may ask, where it should differ from this: ${Object.entries(LIMITS_DEFAULT).map(([name, { perSecond, burst }]) => `${name}=${perSecond}/${burst}`).join(', ')}. Each is how many requests of the class come free each second, and how many may be made at once; all processes with the roles clientapi, syncapi and federationapi together let that through. Invites that come from other servers are counted by the inviting server (server-invite) and by the invited user (invited-user).`,
  }),
  rate_limit_users: setting({
    type: userLimits,
    default: '',
    help: 'Users of this server for whom other limits hold, such as bots: none with `exempt`, else one for a class (`@bot:example.org=message:50/500`). The limits of log-ins and registrations hold for everybody. Empty: no exceptions.',
  }),
  access_tokens_in_query: setting({
    type: onOff,
    default: 'off',
    help: 'Whether access tokens count that stand in URLs, as ?access_token=, and not in the Authorization header. The spec has given that up, because URLs get into logs; on is for old clients and application services.',
  }),
  access_token_minutes: setting({
    type: integer(1, 525_600),
    default: '60',
    help: 'How long (in minutes) an access token is good whose client can refresh it. Clients then fetch a new one; one that was stolen is of no use for long.',
  }),
  refresh_token_days: setting({
    type: integer(0, 3650),
    default: '0',
    help: 'How long (in days) a client that can refresh its access token may stay away until its user has to log in again. 0: for ever.',
  }),
  session_days: setting({
    type: integer(0, 3650),
    default: '0',
    help: 'How long (in days) the access token is good of a client that cannot refresh it; then its user has to log in again. 0: for ever.',
  }),
  login_tokens: setting({
    type: onOff,
    default: 'on',
    help: 'Whether users may, after they have entered their password once more, log in another client by a token that is good once and for two minutes (`POST /login/get_token`), for example by a QR code.',
  }),
  default_room_version: setting({
    type: choice(...ROOM_VERSIONS.map((version) => version.id)),
    default: DEFAULT_ROOM_VERSION,
    help: 'The version of new rooms whose creator asks for none.',
  }),
  forget_on_leave: setting({
    type: onOff,
    default: 'off',
    help: 'Whether who leaves a room forgets it at once, so that it is no longer among the rooms that they have left. Clients are told of it (the capability `m.forget_forced_upon_leave`).',
  }),
  device_keys_guard: setting({
    type: choice('off', 'other_servers', 'everyone'),
    default: 'off',
    help: 'Who learns nothing of the devices and keys of users here with whom they share no room (an invite into a room of theirs counts): nobody (`off`), users of other servers, or everybody, users here too. Then nobody can find out which users there are by asking for their keys. Those who are hidden cannot be sent encrypted messages outside of rooms.',
  }),
  encrypted_rooms: setting({
    type: choice('off', 'private', 'all'),
    default: 'off',
    help: 'Which rooms are encrypted from the beginning although the client that creates them does not ask for it: none (`off`), those that are made by invitation (`private`), or all but spaces. Clients without encryption can say nothing there.',
  }),
  presence: setting({
    type: onOff,
    default: 'on',
    help: 'Whether users are told of each other who is there, idle or away. It is kept in memory and costs the database nothing; switch it off where /sync is to be as quiet as can be. Off: everybody is offline to everybody, also to other servers.',
  }),
  presence_room_members_max: setting({
    type: integer(2, 100_000),
    default: '200',
    help: 'Rooms with more members tell nobody who is there: those who share only such rooms do not see it. A change of one user wakes the waiting clients of all rooms up to this size that they are in.',
  }),
  server_notices_localpart: setting({
    type: localpartOrNone,
    default: '',
    help: 'The localpart of the user by whom this server speaks to its users, each in a room of their own; for example `notices`. An administrator sends a notice by /_synapse/admin/v1/send_server_notice. The account is made with the first one. Empty: there are no notices.',
  }),
  server_notices_display_name: setting({
    type: shownText,
    default: 'Server notices',
    help: 'What the user is called who sends the notices of this server.',
  }),
  server_notices_room_name: setting({
    type: shownText,
    default: 'Server notices',
    help: 'What the rooms are called that this server sends its notices to.',
  }),
  server_notices_avatar: setting({
    type: mxcUriOrNone,
    default: '',
    help: 'The avatar of the user who sends the notices of this server, and of the rooms that they are sent to, as an mxc:// URI. Empty: none.',
  }),
  room_heads_mb: setting({
    type: integer(1, 65_536),
    default: '64',
    help: 'How much memory (in MB) the heads of rooms may take in each process with the role roomserver: what the next event of a room stands on. The rooms that were used least lately are read again when they are needed.',
  }),
  forward_extremities_max: setting({
    type: integer(1, 20),
    default: '10',
    help: 'How many open ends of its history a room may keep. When there have been more for a while, this server joins them by an event that clients are not shown. Few ends make the state of a room cheap to know.',
  }),
  to_device_waiting_max: setting({
    type: integer(100, 100_000_000),
    default: '10000',
    help: 'How many messages (keys of encrypted rooms, most of them) may wait for a device that has not been used for 30 days. Of those beyond that the oldest are dropped. A device that is used loses none, however many wait for it, nor does a dehydrated one.',
  }),
  tls_listen: setting({
    type: hostAndPortOrOff,
    default: '',
    help: 'Where the same is served over HTTPS, beside `listen`; other servers look for this one at port 8448 unless they are told otherwise. Empty: nowhere; a proxy does it.',
  }),
  tls_certificate: setting({
    type: fileOrNone,
    default: '',
    help: 'The file with the certificate (PEM) for `tls_listen`, followed by those that lead to a known authority. SIGHUP has it and the key read again.',
  }),
  tls_key: setting({
    type: fileOrNone,
    default: '',
    help: 'The file with the private key (PEM) of `tls_certificate`.',
  }),
  well_known_server: setting({
    type: serverNameOrNone,
    default: '',
    help: 'What /.well-known/matrix/server tells other servers: where this one is found, when that is not port 8448 of `server_name`. Empty: it answers 404.',
  }),
  trusted_key_servers: setting({
    type: serverNames,
    default: '',
    help: 'Servers that are asked for the keys of servers that do not answer themselves, in this order. Empty: none; then what a server that is gone has signed may not be checked.',
  }),
  trusted_key_servers_first: setting({
    type: onOff,
    default: 'off',
    help: 'Whether `trusted_key_servers` are asked before the servers themselves. Off: they are asked first only when the keys of many servers are needed at once, as for the history of a large room.',
  }),
  federation_denied_servers: setting({
    type: serverPatterns,
    default: '',
    help: 'Servers that are neither answered nor asked. Empty: none.',
  }),
  federation_allowed_servers: setting({
    type: serverPatterns,
    default: '',
    help: 'The only servers that are answered and asked, for a federation of your own; those in `federation_denied_servers` are not, all the same. Empty: all.',
  }),
  pending_invites_max: setting({
    type: integer(1, 100_000),
    default: '500',
    help: 'How many invites by other servers, into rooms that nobody here is in, may wait for one user. Further ones are refused until the user has taken or declined some.',
  }),
  federation_ca_files: setting({
    type: files,
    default: '',
    help: 'Files with certificates (PEM) of authorities that are trusted for other servers, beside those of the system.',
  }),
  federation_ip_denied: setting({
    type: ipRanges,
    default: DENIED_RANGES_DEFAULT.join(','),
    help: 'Addresses that no other server\'s name may lead to. The default is all that is not the public internet, so that nobody can make this server ask its own network.',
  }),
  federation_ip_allowed: setting({
    type: ipRanges,
    default: '',
    help: 'Exceptions from `federation_ip_denied`, for other servers in the own network.',
  }),
  federation_overrides: setting({
    type: overrides,
    default: '',
    help: 'Where other servers are found, whatever their names say; their certificates must still be those of their names. For tests and for servers in the own network.',
  }),
  federation_retry_first_ms: setting({
    type: integer(10, 3_600_000),
    default: String(BACKOFF_DEFAULT.firstMs),
    help: 'How long (in ms) a server that could not be reached is left alone before it is tried again. Each further failure doubles the pause.',
  }),
  federation_retry_max_ms: setting({
    type: integer(10, 7 * 86_400_000),
    default: String(BACKOFF_DEFAULT.maxMs),
    help: 'The longest pause (in ms) of a server that cannot be reached. It ends early when that server asks this one something.',
  }),
  log_level: setting({
    type: choice('debug', 'info', 'warn', 'error'),
    default: 'info',
    help: 'The least important lines that are written to standard output.',
  }),
  log_format: setting({
    type: choice('pretty', 'json'),
    default: 'pretty',
    help: 'How lines are written: `pretty` for people at a terminal, `json` (one object a line) for programs that collect them.',
  }),
} as const;

export type SettingKey = keyof typeof SETTINGS;
export type SettingValues = { readonly [Key in SettingKey]: (typeof SETTINGS)[Key] extends Setting<infer T> ? T : never };
export const SETTING_KEYS = Object.keys(SETTINGS) as readonly SettingKey[];

export function isSettingKey(name: string): name is SettingKey {
  return Object.hasOwn(SETTINGS, name);
}

/** MYELIN_SERVER_NAME of server_name. */
export function envNameOf(key: SettingKey): string {
  return `MYELIN_${key.toUpperCase()}`;
}

/** --server-name of server_name. */
export function argumentOf(key: SettingKey): string {
  return `--${key.replaceAll('_', '-')}`;
}
