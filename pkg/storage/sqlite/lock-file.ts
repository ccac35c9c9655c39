/**
 * Keeps a database file for one process. The mark is an exclusive lock of the operating system on `<file>.lock` (held by SQLite, in a
 * transaction that never ends): it goes with the process however that ends, so there is nothing to clean up after kill -9. The file itself
 * stays; deleting it would let two processes lock two files of one name. Not for network file systems without locks.
 */
import { closeSync, openSync } from 'node:fs';
import { StorageError } from '../database.ts';
import { connect, type Connection } from './connection.ts';

/** Takes the mark. Throws `StorageError` of kind `unavailable` when another process, or this one, has the database open. */
export function takeLock(file: string): Connection {
  const lockFile = `${file}.lock`;
  createPrivate(lockFile);
  let lock: Connection | undefined;
  try {
    // Kept in memory, the journal leaves no second file behind.
    lock = connect(lockFile, { busyTimeoutMs: 0, pragmas: ['journal_mode = MEMORY'] });
    lock.control('BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    if (!(error instanceof StorageError) || error.kind !== 'conflict') throw error;
    throw new StorageError('unavailable', `the database ${file} is in use by another process: is the server already running?`, { cause: error });
  }
}

/**
 * Creates `file`, empty and readable by its owner only, unless it is there. A file that is there is not even opened: closing it again would
 * drop the locks that this process may hold on it.
 */
export function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    throw new StorageError(code === 'ENOSPC' ? 'full' : 'unavailable', `cannot create ${file}: ${message}`, { cause });
  }
}
