/**
 * Synapse for tests and benchmarks: another homeserver, on SQLite or PostgreSQL, in a temporary folder. Its Python is the one that MYELIN_TEST_SYNAPSE_PYTHON names, or that of
 * the virtual environment `.cache/synapse` in the repository, which `.ci/run` fills.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formatSigningKeyFile, SEED_BYTES } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Authority } from '../certificates.ts';
import { freePort, makeServerFolder, startServerProcess, type RunningServer } from './server-process.ts';

export interface RunningSynapse extends RunningServer {
  /** `localhost:port`: other servers find it there without any lookup. */
  readonly serverName: string;
  /** The same APIs without TLS. */
  readonly baseUrl: string;
}

export interface SynapseOptions {
  /** Has issued the certificates of all servers that take part; nobody else is trusted. */
  readonly authority: Authority;
  /** The port in its name when something stands before it: then it listens without TLS only. */
  readonly publicPort?: number;
  /** Registration files of application services (YAML). */
  readonly appservices?: readonly string[];
  /** Whether it tells of presence, which costs it much; it does not when it is not said. */
  readonly presence?: boolean;
  /** URL of an empty PostgreSQL database with the C locale; SQLite when it is not said. */
  readonly postgres?: string;
}

const REPOSITORY = resolve(import.meta.dirname, '../../..');
/** With it, accounts are made without asking. */
export const SHARED_SECRET = 'secret of the tests';
const PLENTY = { per_second: 100_000, burst_count: 100_000 };

/** The Python that has Synapse, whether or not it is there. */
export function synapsePython(): string {
  return process.env['MYELIN_TEST_SYNAPSE_PYTHON'] ?? join(REPOSITORY, '.cache/synapse/bin/python');
}

/** Why Synapse cannot be started here, or undefined when it can. */
export function available(): string | undefined {
  const python = synapsePython();
  if (python.includes('/') && !existsSync(python)) return `there is no ${python} (run .ci/run once, or set MYELIN_TEST_SYNAPSE_PYTHON)`;
  const { status } = spawnSync(python, ['-c', 'import importlib.util, sys; sys.exit(importlib.util.find_spec("synapse.app") is None)'], { stdio: 'ignore' });
  return status === 0 ? undefined : `${python} has no Synapse`;
}

/** Why it cannot use PostgreSQL, or undefined when it can. */
export function postgresMissing(): string | undefined {
  const missing = available();
  if (missing !== undefined) return missing;
  const { status } = spawnSync(synapsePython(), ['-c', 'import psycopg2'], { stdio: 'ignore' });
  return status === 0 ? undefined : `${synapsePython()} has no psycopg2`;
}

/** Of the installed Synapse. */
export function synapseVersion(): string {
  return spawnSync(synapsePython(), ['-c', 'import importlib.metadata; print(importlib.metadata.version("matrix-synapse"))'], { encoding: 'utf8' }).stdout.trim();
}

/** Starts a server of its own (about 4 s). Its registration is open, nothing is limited, and it tries a server that failed again after half a second. */
export async function startSynapse(options: SynapseOptions): Promise<RunningSynapse> {
  const missing = available();
  if (missing !== undefined) throw new Error(missing);
  const folder = makeServerFolder('synapse');
  const ports = { plain: await freePort(), tls: options.publicPort ?? await freePort() };
  const serverName = `localhost:${ports.tls}`;
  const { cert, key } = options.authority.issue(['localhost']);
  const files = { 'server.pem': cert, 'server.key': key, 'authority.pem': options.authority.cert, 'signing.key': formatSigningKeyFile('a_test', randomBytes(SEED_BYTES)) };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const appservices = (options.appservices ?? []).map((content, index) => {
    const path = join(folder, `appservice${index}.yaml`);
    writeFileSync(path, content);
    return path;
  });
  mkdirSync(join(folder, 'media'));
  writeFileSync(join(folder, 'log.json'), JSON.stringify(logging()));
  // JSON is YAML too.
  writeFileSync(join(folder, 'homeserver.yaml'), JSON.stringify({ ...settings(folder, serverName), database: database(folder, options.postgres), listeners: listeners(ports, options.publicPort === undefined), app_service_config_files: appservices, presence: { enabled: options.presence === true } }, null, 1));
  const server = await startServerProcess({
    name: 'Synapse', folder, command: synapsePython(),
    args: ['-m', 'synapse.app.homeserver', '--config-path', join(folder, 'homeserver.yaml')],
    ready: new RegExp(`now listening on TCP port ${ports.plain}$`),
  });
  return Object.assign(server, { serverName, baseUrl: `http://127.0.0.1:${ports.plain}` });
}

function database(folder: string, postgres: string | undefined): unknown {
  if (postgres === undefined) return { name: 'sqlite3', args: { database: join(folder, 'synapse.db') } };
  const { username, password, hostname, port, pathname } = new URL(postgres);
  return { name: 'psycopg2', args: { user: decodeURIComponent(username), password: decodeURIComponent(password), dbname: pathname.slice(1), host: hostname, port: Number(port || 5432), cp_min: 5, cp_max: 10 } };
}

/** The plain one last: when it is there, all are. */
function listeners(ports: { plain: number; tls: number }, withTls: boolean): unknown[] {
  const listener = (port: number, tls: boolean): unknown => ({ port, tls, type: 'http', bind_addresses: ['127.0.0.1'], resources: [{ names: ['client', 'federation'], compress: false }] });
  return [...(withTls ? [listener(ports.tls, true)] : []), listener(ports.plain, false)];
}

function settings(folder: string, serverName: string): Record<string, unknown> {
  return {
    server_name: serverName,
    pid_file: join(folder, 'pid'),
    signing_key_path: join(folder, 'signing.key'),
    media_store_path: join(folder, 'media'),
    log_config: join(folder, 'log.json'),
    report_stats: false,
    tls_certificate_path: join(folder, 'server.pem'),
    tls_private_key_path: join(folder, 'server.key'),
    federation_custom_ca_list: [join(folder, 'authority.pem')],
    ip_range_blacklist: [],
    federation_ip_range_blacklist: [],
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    federation: {
      client_timeout: 20_000, max_long_retry_delay: 1000, max_short_retry_delay: 500, max_long_retries: 3, max_short_retries: 2,
      destination_min_retry_interval: 500, destination_retry_multiplier: 1, destination_max_retry_interval: 2000,
    },
    allow_public_rooms_over_federation: true,
    room_list_publication_rules: [{ action: 'allow' }],
    enable_registration: true,
    enable_registration_without_verification: true,
    registration_shared_secret: SHARED_SECRET,
    macaroon_secret_key: SHARED_SECRET,
    form_secret: SHARED_SECRET,
    bcrypt_rounds: 4,
    filter_timeline_limit: 5000,
    ...limits(),
  };
}

function limits(): Record<string, unknown> {
  const plain = ['message', 'registration', 'registration_token_validity', 'admin_redaction', 'joins_per_room', 'key_requests', '3pid_validation', 'third_party_invite', 'room_creation', 'media_create', 'delayed_event_mgmt', 'reports', 'user_directory', 'profile'];
  return {
    ...Object.fromEntries(plain.map((name) => [`rc_${name}`, PLENTY])),
    rc_login: { address: PLENTY, account: PLENTY, failed_attempts: PLENTY },
    rc_joins: { local: PLENTY, remote: PLENTY },
    rc_invites: { per_room: PLENTY, per_user: PLENTY, per_issuer: PLENTY },
    rc_presence: { per_user: PLENTY },
    rc_federation: { window_size: 1, sleep_limit: 100_000, sleep_delay: 1, reject_limit: 100_000, concurrent: 100 },
  };
}

function logging(): unknown {
  return {
    version: 1,
    formatters: { line: { format: '%(levelname)s %(name)s %(request)s %(message)s' } },
    filters: { context: { '()': 'synapse.logging.context.LoggingContextFilter' } },
    handlers: { console: { class: 'logging.StreamHandler', formatter: 'line', filters: ['context'] } },
    loggers: { 'synapse.app': { level: 'INFO' } },
    root: { level: 'WARNING', handlers: ['console'] },
    disable_existing_loggers: false,
  };
}
