/** PURE. From the arguments of `myelin user` to a wish for the server. */
import { SettingsError } from '../config/settings-error.ts';

export interface UserArguments {
  /** For the server, but for a password that is yet to be asked for. */
  readonly wish: Readonly<Record<string, unknown>>;
  readonly needsPassword: 'prompt' | 'stdin' | undefined;
  readonly json: boolean;
  /** Settings. */
  readonly rest: string[];
}

interface Shape {
  /** Names of what follows the command, in order; with `?` those that may be left out. */
  readonly words: readonly string[];
  readonly flags?: readonly string[];
  readonly values?: readonly string[];
  readonly hasPassword?: boolean;
}

const OF_USER: Shape = { words: ['user'] };
const SHAPES: Readonly<Record<string, Shape>> = {
  create: { words: ['user'], flags: ['--admin'], hasPassword: true },
  list: { words: ['search?'] },
  show: OF_USER,
  'set-password': { words: ['user'], flags: ['--keep-devices'], hasPassword: true },
  deactivate: { words: ['user'], flags: ['--erase'] },
  logout: OF_USER, lock: OF_USER, unlock: OF_USER, suspend: OF_USER, unsuspend: OF_USER, 'make-admin': OF_USER, 'revoke-admin': OF_USER,
  'tokens add': { words: ['token?'], values: ['--uses', '--expires'] },
  'tokens list': { words: [] },
  'tokens remove': { words: ['token'] },
};

const SEE_HELP = 'see myelin user --help';

/** Throws `SettingsError` with one sentence. */
export function readUserArguments(args: readonly string[]): UserArguments {
  const isTokens = args[0] === 'tokens';
  const command = isTokens ? `tokens ${args[1] ?? ''}` : (args[0] ?? '');
  const shape = Object.hasOwn(SHAPES, command) ? SHAPES[command] : undefined;
  if (shape === undefined) throw new SettingsError([`there is no ${JSON.stringify(`myelin user ${command}`.trim())}; ${SEE_HELP}`]);
  const rest = args.slice(isTokens ? 2 : 1);
  const wish: Record<string, unknown> = { command: command.replace(' ', '-') };
  for (const word of shape.words) takeWord(wish, rest, { word, command });
  for (const flag of shape.flags ?? []) if (takeFlag(rest, flag)) wish[keyOf(flag)] = true;
  for (const name of shape.values ?? []) takeNumber(wish, rest, name);
  const json = takeFlag(rest, '--json');
  return { wish, json, rest, needsPassword: shape.hasPassword === true ? howToPassword(wish, rest) : undefined };
}

function takeWord(wish: Record<string, unknown>, rest: string[], { word, command }: { word: string; command: string }): void {
  const isOptional = word.endsWith('?');
  const found = rest[0] !== undefined && !rest[0].startsWith('--') ? rest.shift() : undefined;
  if (found !== undefined) wish[word.replace('?', '')] = found;
  else if (!isOptional) throw new SettingsError([`myelin user ${command} needs a ${word}; ${SEE_HELP}`]);
}

function takeFlag(rest: string[], name: string): boolean {
  const at = rest.indexOf(name);
  if (at >= 0) rest.splice(at, 1);
  return at >= 0;
}

/** A number, or of `--expires` a date. */
function takeNumber(wish: Record<string, unknown>, rest: string[], name: string): void {
  const at = rest.indexOf(name);
  if (at < 0) return;
  const [, text] = rest.splice(at, 2);
  const number = text !== undefined && /^\d+$/.test(text) ? Number(text) : name === '--expires' ? Date.parse(text ?? '') : NaN;
  if (!Number.isSafeInteger(number) || number < 0) throw new SettingsError([`${name} is ${JSON.stringify(text ?? '')}, but must be a number${name === '--expires' ? ' of ms since 1970, or a date' : ''}`]);
  wish[keyOf(name)] = number;
}

function howToPassword(wish: Record<string, unknown>, rest: string[]): UserArguments['needsPassword'] {
  const [isRandom, isStdin] = [takeFlag(rest, '--random-password'), takeFlag(rest, '--password-stdin')];
  if (isRandom && isStdin) throw new SettingsError([`--random-password and --password-stdin do not go together; ${SEE_HELP}`]);
  if (isRandom) wish['random_password'] = true;
  return isRandom ? undefined : isStdin ? 'stdin' : 'prompt';
}

function keyOf(name: string): string {
  return name.slice(2).replaceAll('-', '_');
}
