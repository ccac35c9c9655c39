/**
 * Schemathesis for tests: sends a server what an OpenAPI description allows, and what it does not. It is the program that MYELIN_TEST_SCHEMATHESIS names, or that of the virtual
 * environment `.cache/schemathesis` in the repository, which `.ci/run` fills.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const REPOSITORY = resolve(import.meta.dirname, '../../..');

/** The program, whether or not it is there. */
export function schemathesisProgram(): string {
  return process.env['MYELIN_TEST_SCHEMATHESIS'] ?? join(REPOSITORY, '.cache/schemathesis/bin/schemathesis');
}

/** Why it cannot be run here, or undefined when it can. */
export function available(): string | undefined {
  const program = schemathesisProgram();
  return existsSync(program) ? undefined : `there is no ${program} (run .ci/run once, or set MYELIN_TEST_SCHEMATHESIS)`;
}
