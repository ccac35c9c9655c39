/** Reads the file with the terms that users have to accept (Client-Server API, "Terms of service at registration"). */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import * as z from 'zod';
import type { Policy, Terms } from '../../../schemas/config/settings.ts';
import { SettingsError } from './settings-error.ts';

/** The appendices' "Opaque Identifiers". */
const opaque = z.string('must be a text').regex(/^[A-Za-z0-9._~-]{1,255}$/, 'may have letters, digits and . _ ~ - only, at most 255');
const translation = z.strictObject({ name: z.string('must be a text').min(1, 'must not be empty'), url: z.string('must be a URL').refine(isWebUrl, 'must be an http or https URL') }, 'must have name and url');
const terms = z.record(opaque, z.looseObject({ version: opaque }, 'must have a version').transform(({ version, ...languages }) => ({ version, languages }))
  .pipe(z.object({ version: z.string(), languages: z.record(z.string(), translation).refine((languages) => Object.keys(languages).length > 0, 'must be there in one language at least') })), 'must be policies by their IDs');

/** undefined when `path` is empty. Throws `SettingsError` with one sentence for each fault. */
export function loadTerms(path: string): Terms | undefined {
  if (path === '') return undefined;
  try {
    return parseTerms(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof SettingsError) throw error;
    throw new SettingsError([`terms_file: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`]);
  }
}

/** The same from a text. `path` is named in the sentences. */
export function parseTerms(text: string, path: string): Terms {
  const document = parseDocument(text, { prettyErrors: false });
  const [fault] = document.errors;
  if (fault !== undefined) throw new SettingsError([`terms_file: ${path} is not valid YAML: ${fault.message}`]);
  const parsed = terms.safeParse(document.toJS() ?? {});
  if (!parsed.success) throw new SettingsError(parsed.error.issues.map(({ path: at, message }) => `terms_file: ${path}: ${at.map(String).join('.') || 'the file'} ${message}`));
  if (Object.keys(parsed.data).length === 0) throw new SettingsError([`terms_file: ${path} holds no policy; leave terms_file empty when there are none`]);
  return parsed.data as Readonly<Record<string, Policy>>;
}

function isWebUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}
