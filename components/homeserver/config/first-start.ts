/**
 * Opens the settings; on the first start it makes the config file and the signing key before that. Neither is ever replaced: a server with another key
 * is another server to everybody who knows it.
 */
import { readdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import type { RetiredKey } from '../../../pkg/federation/server-keys.ts';
import type { Random } from '../../../pkg/runtime/runtime.ts';
import type { Settings } from '../../../schemas/config/settings.ts';
import { configFileText } from './config-file.ts';
import { configPathOf, givenSettings, loadSettings, type SettingsInput } from './load-settings.ts';
import { OLD_SIGNING_KEYS_FILE, parseOldSigningKeys } from './old-signing-keys.ts';
import type { SettingKey } from './setting-table.ts';
import { SettingsError } from './settings-error.ts';
import { makeFolder, readIfPresent, writeOnce } from './write-once.ts';

export interface OpenedSettings {
  readonly settings: Settings;
  /** Content of `signing.key`. */
  readonly signingKeyText: string;
  /** What it has signed with before. */
  readonly oldSigningKeys: readonly RetiredKey[];
  readonly configPath: string;
  readonly signingKeyPath: string;
  /** What was made now because it was not there. */
  readonly created: { readonly config: boolean; readonly signingKey: boolean };
}

export interface OpenSettingsInput extends SettingsInput {
  readonly random: Pick<Random, 'token'>;
  /** Text of a new signing key file. */
  readonly newSigningKey: () => string;
}

const REGISTRATION_TOKEN_LENGTH = 24;
const DATABASE_FILE = /\.(db|sqlite3?)$/;

/** Throws `SettingsError` when the settings are wrong or a file cannot be read or written; nothing is made before the settings are right. */
export async function openSettings(input: OpenSettingsInput): Promise<OpenedSettings> {
  let settings = loadSettings({ ...input, readFile });
  await makeFolder(settings.dataDir);
  const { path: configPath, named } = configPathOf(input);
  const config = !named && (await makeConfigFile(configPath, input, settings));
  // The file decides who may register, so it is read again also when another process made it just now.
  if (!named) settings = loadSettings({ ...input, readFile });
  const folder = settings.dataDir.replace(/\/+$/, '');
  const signingKeyPath = `${folder}/signing.key`;
  const oldPath = `${folder}/${OLD_SIGNING_KEYS_FILE}`;
  const signingKey = await makeSigningKey(signingKeyPath, input, settings);
  const signingKeyText = await readIfPresent(signingKeyPath);
  if (signingKeyText === undefined) throw new SettingsError([`the signing key ${signingKeyPath} has just been removed`]);
  const oldSigningKeys = parseOldSigningKeys(await readIfPresent(oldPath), oldPath);
  return { settings, signingKeyText, oldSigningKeys, configPath, signingKeyPath, created: { config, signingKey } };
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new SettingsError([`cannot read the config file ${path}: ${code ?? String(error)}`]);
  }
}

async function makeConfigFile(path: string, input: OpenSettingsInput, settings: Settings): Promise<boolean> {
  if (readFile(path) !== undefined) return false;
  // The name is in every event from now on, wherever it came from today.
  const decided = new Map<SettingKey, string>([['server_name', settings.serverName]]);
  if (!givenSettings(input).has('registration')) {
    decided.set('registration', 'token');
    decided.set('registration_token', input.random.token(REGISTRATION_TOKEN_LENGTH));
  }
  return writeOnce(path, configFileText(decided), input.random.token(8));
}

async function makeSigningKey(path: string, input: OpenSettingsInput, settings: Settings): Promise<boolean> {
  if ((await readIfPresent(path)) !== undefined) return false;
  const databases = (await readdir(settings.dataDir)).filter((name) => DATABASE_FILE.test(name));
  if (databases.length > 0) {
    throw new SettingsError([`the signing key ${path} is gone but there are databases (${databases.join(', ')}) signed with it; bring it back from a backup`]);
  }
  return writeOnce(path, input.newSigningKey(), input.random.token(8));
}
