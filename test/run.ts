/**
 * `npm test`: all suites against real servers. `npm test -- pkg/log test/sim` runs the files whose paths hold one of the words.
 * The last line is `N passed, N failed` (and `, N skipped` if any); exit code 1 when something failed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endWithParent } from '../bin/launch.mjs';
import { findFiles, REPOSITORY, selectFiles } from './run-files.ts';
import { startSharedServers } from './run-servers.ts';
import { runSuites } from './run-suites.ts';

const CONCURRENCY = 2;
/** The whole form of test/e2e/encryption-across.test.ts takes longer than any other file. */
const FILE_TIMEOUT_MS = (process.env['MYELIN_E2EE'] === 'full' ? 60 : 8) * 60_000;

const patterns = process.argv.slice(2);
const files = selectFiles(findFiles('.test.ts'), patterns);
const print = (text: string): void => { process.stdout.write(`${text}\n`); };

if (files.length === 0) {
  print(`no test file has one of these in its path: ${patterns.join(', ')}`);
  process.exit(1);
}

endWithParent();
const servers = await startSharedServers((word) => patterns.length === 0 || files.some((file) => mentionsServer(file, word)));
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

for (const sentence of servers.notTested) print(`NOT TESTED: ${sentence}`);
const totals = await runSuites(files, { concurrency: CONCURRENCY, timeoutMs: FILE_TIMEOUT_MS, print });
await servers.stop();

print('');
for (const sentence of servers.notTested) print(`NOT TESTED: ${sentence}`);
for (const sentence of servers.missing) print(`FAILED, because MYELIN_TEST_REQUIRE names it: ${sentence}`);
const failed = totals.failed + servers.missing.length;
print(`${totals.passed} passed, ${failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}`);
process.exit(failed > 0 ? 1 : 0);

/** For a part of the suites only the servers that they speak of are worth their start; a suite that needs another starts its own. */
function mentionsServer(file: string, word: string): boolean {
  return new RegExp(`shared${word}|MYELIN_TEST_${word}`, 'i').test(readFileSync(join(REPOSITORY, file), 'utf8'));
}
