/** Reads the registration files of application services (Application Service API, "Registration"). */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import * as z from 'zod';
import { localpartProblem } from '../../../pkg/matrix/ids/user-id.ts';
import type { AppserviceRegistration } from '../../../schemas/config/appservice.ts';
import { SettingsError } from './settings-error.ts';

/** Every `*.yaml` and `*.yml` of the folder, in order of their names; none when `folder` is empty. Throws `SettingsError` with one sentence for each fault. */
export function loadAppservices(folder: string, serverName: string): AppserviceRegistration[] {
  if (folder === '') return [];
  return parseAppservices(readFiles(folder), serverName);
}

function readFiles(folder: string): { name: string; text: string }[] {
  try {
    const names = readdirSync(folder).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort();
    return names.map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
  } catch (error) {
    throw new SettingsError([`appservice_dir: ${folder} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`]);
  }
}

/** The same from texts. */
export function parseAppservices(files: readonly { readonly name: string; readonly text: string }[], serverName: string): AppserviceRegistration[] {
  const problems: string[] = [];
  const parsed = files.flatMap(({ name, text }) => {
    const registration = parseOne(text, serverName, (problem) => problems.push(`${name}: ${problem}`));
    return registration === undefined ? [] : [{ name, registration }];
  });
  problems.push(...duplicates(parsed));
  if (problems.length > 0) throw new SettingsError(problems);
  return parsed.map(({ registration }) => registration);
}

const text = z.string('must be a text').min(1, 'must not be empty');
const token = z.string('must be a text').regex(/^[\x21-\x7e]+$/, 'must be of visible characters of ASCII');
const namespace = z.object({ regex: text.refine(isRegex, 'is not a regular expression'), exclusive: z.boolean('must be true or false').default(false) }, 'must have a regex');
const namespaces = z.array(namespace, 'must be a list').nullish();

function registrationSchema(serverName: string) {
  return z.object({
    id: text,
    url: z.string('must be a URL or null').refine(isWebUrl, 'must be an http or https URL, or null').nullable(),
    as_token: token,
    hs_token: token,
    sender_localpart: text.superRefine((localpart, context) => {
      const problem = localpartProblem(localpart, serverName);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: `cannot be a user's name: ${problem}` });
    }),
    namespaces: z.object({ users: namespaces, aliases: namespaces, rooms: namespaces }, 'must hold users, aliases and rooms'),
    rate_limited: z.boolean('must be true or false').nullish(),
    receive_ephemeral: z.boolean('must be true or false').nullish(),
    protocols: z.array(text, 'must be a list').nullish(),
  }, 'must hold lines of the form "field: value"');
}

function parseOne(source: string, serverName: string, say: (problem: string) => void): AppserviceRegistration | undefined {
  const document = parseDocument(source, { prettyErrors: false });
  if (document.errors[0] !== undefined) {
    say(`this is not valid YAML: ${document.errors[0].message.replace(/\.$/, '')}`);
    return undefined;
  }
  const value = document.toJS() as unknown;
  const { data, error } = registrationSchema(serverName).safeParse(value);
  if (data === undefined) {
    for (const issue of error.issues) say(`${pathText(issue.path)} ${isAbsent(value, issue.path) ? 'is missing' : issue.message}`);
    return undefined;
  }
  const listOf = (list: z.infer<typeof namespaces>) => (list ?? []).map(({ regex, exclusive }) => ({ regex, isExclusive: exclusive }));
  return {
    id: data.id,
    url: data.url === null ? null : data.url.replace(/\/+$/, ''),
    asToken: data.as_token,
    hsToken: data.hs_token,
    senderLocalpart: data.sender_localpart,
    namespaces: { users: listOf(data.namespaces.users), aliases: listOf(data.namespaces.aliases), rooms: listOf(data.namespaces.rooms) },
    isRateLimited: data.rate_limited ?? false,
    protocols: data.protocols ?? [],
    receivesEphemeral: data.receive_ephemeral ?? false,
  };
}

function pathText(path: readonly PropertyKey[]): string {
  const joined = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return joined === '' ? 'the file' : joined.slice(1);
}

function isAbsent(value: unknown, path: readonly PropertyKey[]): boolean {
  const found = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
  return path.length > 0 && found === undefined;
}

function isRegex(regex: string): boolean {
  try {
    return new RegExp(`^(?:${regex})`) instanceof RegExp;
  } catch {
    return false;
  }
}

function isWebUrl(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}

function duplicates(parsed: readonly { readonly name: string; readonly registration: AppserviceRegistration }[]): string[] {
  const fields = { id: 'id', as_token: 'asToken', hs_token: 'hsToken', sender_localpart: 'senderLocalpart' } as const;
  return Object.entries(fields).flatMap(([field, key]) => parsed.flatMap(({ name, registration }, index) => {
    const first = parsed.slice(0, index).find((other) => other.registration[key] === registration[key]);
    return first === undefined ? [] : [`${name}: ${field} is the same as in ${first.name}`];
  }));
}
