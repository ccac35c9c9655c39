/** `npm run docs`: writes the pages that are made from the program itself. `--check` writes nothing and fails when a page is out of date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './prepare.mjs';

/** Path of each generated page, and how its text is made. */
export const PAGES = {
  'docs/settings.md': async () => (await import('../components/homeserver/config/reference.ts')).settingsReference(),
};

/** The pages whose file differs from what the program says now. */
export async function outdatedPages() {
  const outdated = [];
  for (const [path, make] of Object.entries(PAGES)) {
    if (readPage(path) !== withFinalNewline(await make())) outdated.push(path);
  }
  return outdated;
}

function readPage(path) {
  try {
    return readFileSync(join(REPOSITORY, path), 'utf8');
  } catch {
    return undefined;
  }
}

function withFinalNewline(text) {
  return text.endsWith('\n') ? text : `${text}\n`;
}

if (import.meta.url === `file://${process.argv[1]}` || import.meta.filename === process.argv[1]) {
  const outdated = await outdatedPages();
  const isCheck = process.argv.includes('--check');
  for (const path of outdated) {
    if (!isCheck) writeFileSync(join(REPOSITORY, path), withFinalNewline(await PAGES[path]()));
    console.log(`${path} ${isCheck ? 'is out of date: run npm run docs' : 'written'}`);
  }
  if (outdated.length === 0) console.log('every generated page is up to date');
  process.exit(isCheck && outdated.length > 0 ? 1 : 0);
}
