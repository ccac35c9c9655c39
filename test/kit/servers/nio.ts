/**
 * matrix-nio for tests: a Matrix client in Python. Its Python is the one that MYELIN_TEST_NIO_PYTHON names, or that of the virtual environment `.cache/nio` in the repository, which
 * `.ci/run` fills.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** The Python that has matrix-nio, whether or not it is there. */
export function nioPython(): string {
  return process.env['MYELIN_TEST_NIO_PYTHON'] ?? join(REPOSITORY, '.cache/nio/bin/python');
}

/** Why it cannot be run here, or undefined when it can. */
export function available(): string | undefined {
  const python = nioPython();
  return existsSync(python) ? undefined : `there is no ${python} (run .ci/run once, or set MYELIN_TEST_NIO_PYTHON)`;
}

/** Why it cannot encrypt here, or undefined when it can. */
export function canEncrypt(): string | undefined {
  const { status } = spawnSync(nioPython(), ['-c', 'import nio.crypto, sys; sys.exit(not nio.crypto.ENCRYPTION_ENABLED)'], { stdio: 'ignore' });
  return status === 0 ? undefined : `${nioPython()} has no matrix-nio[e2e]`;
}
