/** Chromium for tests: shows pages as people see them. It is the program that MYELIN_TEST_CHROMIUM names, or that of the Debian package `chromium`, which `.ci/run` installs. */
import { existsSync } from 'node:fs';

/** The program, whether or not it is there. */
export function chromiumProgram(): string {
  return process.env['MYELIN_TEST_CHROMIUM'] ?? '/usr/bin/chromium';
}

/** Why it cannot be run here, or undefined when it can. */
export function available(): string | undefined {
  const program = chromiumProgram();
  return existsSync(program) ? undefined : `there is no ${program} (run .ci/run once, or set MYELIN_TEST_CHROMIUM)`;
}
