/** Which test files there are, and which of them a command line means. */
import { readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

export const REPOSITORY = resolve(import.meta.dirname, '..');
const TOP_FOLDERS = ['components', 'pkg', 'schemas', 'test', 'bench'];

/** Paths of all files below the top folders whose names end with `ending`, relative to the repository, sorted. */
export function findFiles(ending: string, folders: readonly string[] = TOP_FOLDERS): string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && entry.name !== 'node_modules') walk(path);
      else if (entry.isFile() && entry.name.endsWith(ending)) found.push(relative(REPOSITORY, path));
    }
  };
  for (const folder of folders) walk(join(REPOSITORY, folder));
  return found.sort();
}

/** The files that hold one of the patterns in their path; all without a pattern. */
export function selectFiles(files: readonly string[], patterns: readonly string[]): string[] {
  if (patterns.length === 0) return [...files];
  const wanted = patterns.map((pattern) => pattern.replace(/^\.\//, '').replace(/\*+.*$/, ''));
  return files.filter((file) => wanted.some((pattern) => file.includes(pattern)));
}
