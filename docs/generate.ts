/** `npm run docs`: writes the pages that are made from the source. A unit test of each says when its page is old. */
import { writeFile } from 'node:fs/promises';
import { settingsReference } from '../components/homeserver/config/reference.ts';

const PAGES: readonly { readonly file: string; readonly text: () => string }[] = [{ file: 'settings.md', text: settingsReference }];

for (const { file, text } of PAGES) await writeFile(new URL(file, import.meta.url), text());
