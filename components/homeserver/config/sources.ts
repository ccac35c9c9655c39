/** Step 1: what each source says, as text, and where it says it. Nothing is interpreted yet but names. */
import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Node, type Pair } from 'yaml';
import { argumentOf, envNameOf, isSettingKey, SETTING_KEYS, type SettingKey } from './setting-table.ts';
import { didYouMean } from './suggest.ts';

export interface Found {
  readonly text: string;
  /** Where it stands, for sentences: `data/myelin.yaml line 3`, `environment variable MYELIN_LISTEN`, `argument --listen`. */
  readonly origin: string;
}

export interface Source {
  readonly found: ReadonlyMap<SettingKey, Found>;
  /** One sentence each. */
  readonly problems: readonly string[];
}

export const CONFIG_ENV = 'MYELIN_CONFIG';
export const CONFIG_ARGUMENT = '--config';
/** Arguments without a value, for the program itself. */
const FLAGS = ['--help', '--version'];

/** Names of the environment that are not settings but may be there: of the tests and tools, and what a Kubernetes service named myelin brings. */
const FOREIGN_ENV = /^MYELIN_(TEST|BENCH|SIM)_|^MYELIN_(KAFKA_LIBS|LAUNCHED_BY)$|^MYELIN_SERVICE_(HOST|PORT)|^MYELIN_PORT(_\d+_(TCP|UDP))?/;

/** `--key value` or `--key=value`. `config` is what --config says. */
export function readArguments(args: readonly string[]): Source & { readonly config?: string } {
  const keyByArgument = new Map(SETTING_KEYS.map((key) => [argumentOf(key), key]));
  const known = [...keyByArgument.keys(), CONFIG_ARGUMENT];
  const found = new Map<SettingKey, Found>();
  const problems: string[] = [];
  let config: string | undefined;
  for (const { name, value } of pairsOf(args)) {
    const key = keyByArgument.get(name);
    if (FLAGS.includes(name) && value === undefined) continue;
    if (!known.includes(name)) problems.push(`the argument ${JSON.stringify(name)} is not known${didYouMean(name, [...known, ...FLAGS])}`);
    else if (value === undefined) problems.push(`the argument ${name} needs a value`);
    else if (key === undefined) config = value;
    else found.set(key, { text: value, origin: `argument ${name}` });
  }
  return { found, problems, config };
}

/** Names with the values that follow them; a name is followed by another name when it has none. */
function pairsOf(args: readonly string[]): { name: string; value: string | undefined }[] {
  const pairs: { name: string; value: string | undefined }[] = [];
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i] as string;
    const equals = arg.indexOf('=');
    if (arg.startsWith('--') && equals > 0) {
      pairs.push({ name: arg.slice(0, equals), value: arg.slice(equals + 1) });
      continue;
    }
    const next = args[i + 1];
    const takesNext = arg.startsWith('--') && !FLAGS.includes(arg) && next !== undefined && !next.startsWith('--');
    pairs.push({ name: arg, value: takesNext ? next : undefined });
    if (takesNext) i += 1;
  }
  return pairs;
}

/** Variables whose names begin with MYELIN_; an empty one counts as not there. `config` is what MYELIN_CONFIG says. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Source & { readonly config?: string } {
  const keyByName = new Map(SETTING_KEYS.map((key) => [envNameOf(key), key]));
  const found = new Map<SettingKey, Found>();
  const problems: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('MYELIN_') || name === CONFIG_ENV || text === undefined) continue;
    const key = keyByName.get(name);
    if (key !== undefined) {
      if (text !== '') found.set(key, { text, origin: `environment variable ${name}` });
    } else if (!FOREIGN_ENV.test(name)) {
      problems.push(`the environment variable ${name} is not a setting${didYouMean(name, [...keyByName.keys(), CONFIG_ENV])}`);
    }
  }
  return { found, problems, config: env[CONFIG_ENV] || undefined };
}

/** A YAML file of `key: value` lines. `path` is how sentences call it. */
export function readFileText(text: string, path: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (node: unknown) => lines.linePos((node as Node | undefined)?.range?.[0] ?? 0).line;
  const found = new Map<SettingKey, Found>();
  const problems = document.errors.map((error) =>
    `${path} line ${lines.linePos(error.pos[0]).line} is not valid YAML: ${error.message.replace(/\.$/, '')}`);
  if (problems.length > 0) return { found, problems: problems.slice(0, 1) };
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return { found, problems };
  if (!isMap(root)) return { found, problems: [`${path} must hold lines of the form "setting: value"`] };
  for (const pair of root.items as Pair<unknown, unknown>[]) {
    const name = isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
    const origin = `${path} line ${lineOf(pair.key)}`;
    const value = textOf(pair.value);
    if (!isSettingKey(name)) problems.push(`${name} (${origin}) is not a setting${didYouMean(name, SETTING_KEYS)}`);
    else if (value === undefined) problems.push(`${name} (${origin}) must be a single value or a list of values`);
    else found.set(name, { text: value, origin });
  }
  return { found, problems };
}

/** A scalar as it is written, a list of them with commas; undefined for anything else. */
function textOf(node: unknown): string | undefined {
  if (node === null) return '';
  if (isScalar(node)) return typeof node.value === 'string' ? node.value : node.value === null ? '' : (node.source ?? String(node.value));
  if (!isSeq(node)) return undefined;
  const parts = node.items.map((item) => (isScalar(item) ? textOf(item) : undefined));
  return parts.every((part) => part !== undefined) ? parts.join(',') : undefined;
}
