/**
 * From environment, arguments and one file to `Settings`, in three pure steps: find the texts (`sources.ts`), make values of them (here), see that
 * they go together (`check-together.ts`). Arguments win over the environment, that over the file, that over the defaults.
 */
import type { Settings } from '../../../schemas/config/settings.ts';
import { checkTogether } from './check-together.ts';
import { SETTING_KEYS, SETTINGS, type Setting, type SettingKey, type SettingValues } from './setting-table.ts';
import { SettingsError } from './settings-error.ts';
import { CONFIG_ARGUMENT, CONFIG_ENV, readArguments, readEnvironment, readFileText, type Found, type Source } from './sources.ts';
import { didYouMean } from './suggest.ts';

const DAY_MS = 86_400_000;

export interface SettingsInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Without the program's own name. */
  readonly args: readonly string[];
}

export interface ConfigPath {
  readonly path: string;
  /** The operator has named it, so it must be there. */
  readonly named: boolean;
}

/** Where the config file is: what --config or MYELIN_CONFIG says, else `myelin.yaml` in the data folder. */
export function configPathOf(input: SettingsInput): ConfigPath {
  const [args, env] = [readArguments(input.args), readEnvironment(input.env)];
  const named = args.config ?? env.config;
  if (named !== undefined) return { path: named, named: true };
  const dataDir = args.found.get('data_dir') ?? env.found.get('data_dir');
  return { path: `${(dataDir?.text ?? SETTINGS.data_dir.default).replace(/\/+$/, '')}/myelin.yaml`, named: false };
}

/**
 * The settings. `readFile` gives the text of a file, undefined when there is none. Throws `SettingsError` with one sentence for each thing that is
 * wrong: it names the setting, where it stands, what was found and what is allowed.
 */
export function loadSettings(input: SettingsInput & { readonly readFile: (path: string) => string | undefined }): Settings {
  const [args, env] = [readArguments(input.args), readEnvironment(input.env)];
  const file = readConfigFile(configPathOf(input), input);
  const problems = [...args.problems, ...env.problems, ...file.problems];
  const found = new Map([...file.found, ...env.found, ...args.found]);
  const values = valuesOf(found, problems);
  if (values !== undefined && problems.length === 0) {
    problems.push(...checkTogether(values, new Map([...found].map(([key, { origin }]) => [key, origin]))));
  }
  if (values === undefined || problems.length > 0) throw new SettingsError(problems);
  return settingsOf(values);
}

/** Which settings are given anywhere, for the first config file. */
export function givenSettings(input: SettingsInput): ReadonlyMap<SettingKey, Found> {
  return new Map([...readEnvironment(input.env).found, ...readArguments(input.args).found]);
}

function readConfigFile({ path, named }: ConfigPath, input: SettingsInput & { readonly readFile: (path: string) => string | undefined }): Source {
  const text = input.readFile(path);
  if (text !== undefined) return readFileText(text, path);
  const by = readArguments(input.args).config !== undefined ? `argument ${CONFIG_ARGUMENT}` : `environment variable ${CONFIG_ENV}`;
  return { found: new Map(), problems: named ? [`there is no config file ${path} (${by})`] : [] };
}

/** undefined when a value is not allowed; the sentences are added to `problems`. */
function valuesOf(found: ReadonlyMap<SettingKey, Found>, problems: string[]): SettingValues | undefined {
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of SETTING_KEYS) {
    const setting: Setting<unknown> = SETTINGS[key];
    const given = found.get(key);
    const value = setting.type.parse(given?.text ?? setting.default);
    if (value === undefined) problems.push(notAllowed(key, setting, given as Found));
    values[key] = value;
  }
  return SETTING_KEYS.every((key) => values[key] !== undefined) ? (values as SettingValues) : undefined;
}

function notAllowed(key: SettingKey, setting: Setting<unknown>, given: Found): string {
  const is = setting.secret === true ? 'has a value (not shown) that is not allowed' : `is ${JSON.stringify(given.text.slice(0, 200))}`;
  const words = setting.secret === true ? [] : (setting.type.words ?? []);
  return `${key} (${given.origin}) ${is}, but must be ${setting.type.allowed}${didYouMean(given.text, words)}`;
}

function settingsOf(values: SettingValues): Settings {
  return {
    serverName: values.server_name,
    dataDir: values.data_dir,
    listen: values.listen,
    publicBaseUrl: values.public_base_url === '' ? baseUrlOf(values.listen) : values.public_base_url,
    trustedProxies: values.trusted_proxies,
    roles: values.roles,
    database: values.database,
    log: values.log,
    logPrefix: values.log_prefix,
    partitions: values.partitions,
    registration: values.registration,
    registrationToken: values.registration_token,
    guests: values.guests,
    termsFile: values.terms_file,
    registrationSharedSecret: values.registration_shared_secret,
    appserviceDir: values.appservice_dir,
    rateLimits: values.rate_limits,
    classLimits: values.rate_limit_classes,
    userLimits: values.rate_limit_users,
    queryTokens: values.access_tokens_in_query,
    inviteIdentityServers: values.invite_identity_servers,
    discovery: { identityServer: values.identity_server, clientFields: values.well_known_client, supportContacts: values.support_contacts, supportPage: values.support_page },
    sessions: {
      accessTokenMs: values.access_token_minutes * 60_000, refreshTokenMs: values.refresh_token_days * DAY_MS, plainTokenMs: values.session_days * DAY_MS, loginTokens: values.login_tokens,
    },
    defaultRoomVersion: values.default_room_version,
    forgetOnLeave: values.forget_on_leave,
    deviceKeysGuard: values.device_keys_guard,
    encryptedRooms: values.encrypted_rooms,
    presence: values.presence ? { roomMembersMax: values.presence_room_members_max } : undefined,
    serverNotices: noticesOf(values),
    roomHeadsBytes: values.room_heads_mb * 1024 * 1024,
    forwardExtremitiesMax: values.forward_extremities_max,
    toDeviceWaitingMax: values.to_device_waiting_max,
    tls: values.tls_listen === null ? undefined : { ...values.tls_listen, certificateFile: values.tls_certificate, keyFile: values.tls_key },
    federation: {
      wellKnownServer: values.well_known_server,
      trustedKeyServers: values.trusted_key_servers,
      trustedKeyServersFirst: values.trusted_key_servers_first,
      deniedServers: values.federation_denied_servers,
      allowedServers: values.federation_allowed_servers,
      pendingInvitesMax: values.pending_invites_max,
      caFiles: values.federation_ca_files,
      ipDenied: values.federation_ip_denied,
      ipAllowed: values.federation_ip_allowed,
      overrides: values.federation_overrides,
      retry: { firstMs: values.federation_retry_first_ms, maxMs: values.federation_retry_max_ms },
    },
    logging: { level: values.log_level, format: values.log_format },
  };
}

function noticesOf(values: SettingValues): Settings['serverNotices'] {
  if (values.server_notices_localpart === '') return undefined;
  return {
    localpart: values.server_notices_localpart, displayName: values.server_notices_display_name, roomName: values.server_notices_room_name, avatarUrl: values.server_notices_avatar,
  };
}

/** Empty when the port is not known yet. An address that means "all of this machine's" is no address to connect to. */
function baseUrlOf(listen: Settings['listen']): string {
  if (listen.port === 0) return '';
  const host = ['0.0.0.0', '::'].includes(listen.host) ? 'localhost' : listen.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
}
