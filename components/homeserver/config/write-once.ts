/** Writing a file that must never be replaced. */
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SettingsError } from './settings-error.ts';

/** The text of the file; undefined when there is none. Throws `SettingsError` when it cannot be read. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new SettingsError([`cannot read ${path}: ${reasonOf(error)}`]);
  }
}

/** Makes the folder, readable for this user only. Throws `SettingsError`. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new SettingsError([`cannot make the folder ${path}: ${reasonOf(error)}`]);
  }
}

/**
 * Writes `text` to a new file, mode 0600, whole or not at all, and on disk when this resolves. False, and nothing changed, when `path` is there already, also
 * when another process made it at the same time. `suffix` makes the name of the draft beside it unique. Throws `SettingsError` when it cannot be written.
 */
export async function writeOnce(path: string, text: string, suffix: string): Promise<boolean> {
  const draft = `${path}.${suffix}.tmp`;
  try {
    await writeSynced(draft, text);
    // Unlike a rename, a link never replaces what is there.
    await link(draft, path);
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw new SettingsError([`cannot write ${path}: ${reasonOf(error)}`]);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not', EPERM: 'this user may not', ENOSPC: 'the disk is full', EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder', ENOTDIR: 'a part of the path is not a folder', EEXIST: 'there is a file of that name',
};

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  return REASONS[code ?? ''] ?? code ?? String(error);
}
