/** `myelin rotate-signing-key`: gives the server a new signing key from its next start on, and writes down the one before for other servers. */
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, link, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseSigningKeyFile } from '../../pkg/matrix/signing/signing-key.ts';
import { createRandom } from '../../pkg/runtime/real/random.ts';
import { loadSettings } from './config/load-settings.ts';
import { newSigningKeyText } from './config/new-signing-key.ts';
import { formatOldSigningKey, OLD_SIGNING_KEYS_FILE, parseOldSigningKeys } from './config/old-signing-keys.ts';
import { SettingsError } from './config/settings-error.ts';
import { readIfPresent } from './config/write-once.ts';

const USAGE = `myelin rotate-signing-key [--minutes N] [settings]

Makes a new signing.key in the data folder and adds the public part of the one before to ${OLD_SIGNING_KEYS_FILE} there. Running processes go on with the key before; restart all of them
within N minutes (60 when it is not said), with both files: for so long other servers take what either key signs. The file of the key before is kept as signing.key.<its version>.
`;
const MINUTE_MS = 60_000;

/** Resolves with the exit code. Rejects with `SettingsError`. */
export async function rotateSigningKey(args: readonly string[], nowMs: number): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { minutes, rest } = readArguments(args);
  const { dataDir } = loadSettings({ env: process.env, args: rest, readFile: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined) });
  const [path, oldPath] = [join(dataDir, 'signing.key'), join(dataDir, OLD_SIGNING_KEYS_FILE)];
  const text = await readIfPresent(path);
  if (text === undefined) throw new SettingsError([`there is no ${path} yet; the first start makes it`]);
  const before = parseSigningKeyFile(text);
  const known = parseOldSigningKeys(await readIfPresent(oldPath), oldPath);
  // A run that was cut off left the line already: then only the new key is missing.
  if (!known.some(({ keyId }) => keyId === before.keyId)) await appendFile(oldPath, formatOldSigningKey({ ...before, expiredAtMs: nowMs + minutes * MINUTE_MS }), { mode: 0o600, flush: true });
  const random = createRandom();
  const draft = `${path}.new`;
  await writeFile(draft, newSigningKeyText(random), { mode: 0o600, flush: true });
  await link(path, `${path}.${before.keyId.slice('ed25519:'.length)}`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rename(draft, path);
  process.stdout.write(`the new signing key is ${parseSigningKeyFile(readFileSync(path, 'utf8')).keyId}; restart all processes within ${minutes} minutes, with ${path} and ${oldPath}\n`);
  return 0;
}

function readArguments(args: readonly string[]): { minutes: number; rest: string[] } {
  const { values, tokens } = parseArgs({ args: [...args], options: { minutes: { type: 'string', default: '60' } }, strict: false, tokens: true });
  const minutes = typeof values.minutes === 'string' && /^\d{1,6}$/.test(values.minutes) ? Number(values.minutes) : undefined;
  if (minutes === undefined) throw new SettingsError([USAGE]);
  const own = new Set(tokens.flatMap((token) => (token.kind === 'option' && token.name === 'minutes' ? [token.index, ...(token.inlineValue === false ? [token.index + 1] : [])] : [])));
  return { minutes, rest: args.filter((_arg, index) => !own.has(index)) };
}
