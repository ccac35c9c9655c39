/**
 * `npm run check`: types, lint, import directions, tidiness and the unit tests beside the sources, side by side; about a minute.
 * `npm run check -- --no-tests` leaves the tests out: where `npm test` follows, it runs them too.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findFiles, REPOSITORY } from './run-files.ts';
import { runSuites } from './run-suites.ts';

interface Verdict {
  readonly name: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** What it printed, or its counts. */
  readonly text: string;
}

const tool = (path: string): string => join(REPOSITORY, 'node_modules', path);
const UNIT_TIMEOUT_MS = 60_000;

const started = performance.now();
// The tools one after the other, beside them the tests.
const withTests = !process.argv.includes('--no-tests');
const [tools, unit] = await Promise.all([runTools(), withTests ? runUnitTests().then((verdict) => [verdict]) : []]);
const verdicts = [...tools, ...unit];

for (const verdict of verdicts.filter(({ ok }) => !ok)) console.log(`\n${verdict.name}:\n${verdict.text}`);
console.log('');
for (const { name, ok, seconds, text } of verdicts) console.log(`${ok ? 'ok  ' : 'FAIL'} ${seconds.toFixed(1).padStart(6)} s  ${name}${name === 'unit tests' ? `  (${text.split('\n').at(-1)})` : ''}`);
console.log(`${verdicts.every(({ ok }) => ok) ? 'All is well' : 'Something is wrong'}, in ${((performance.now() - started) / 1000).toFixed(1)} s`);
process.exit(verdicts.every(({ ok }) => ok) ? 0 : 1);

async function runTools(): Promise<Verdict[]> {
  return [
    await runTool('types (tsc)', [tool('typescript/bin/tsc'), '-p', '.']),
    await runTool('types of what runs in browsers (tsc)', [tool('typescript/bin/tsc'), '-p', 'test/e2e/web-client']),
    await runTool('import directions (dependency-cruiser)', [tool('dependency-cruiser/bin/dependency-cruiser.mjs'), '--config', 'test/lint/depcruise.mjs', 'components', 'pkg', 'schemas', 'test', 'bench']),
    await runTool('style (eslint)', [tool('eslint/bin/eslint.js'), '--max-warnings', '0', '.']),
  ];
}

function runTool(name: string, args: readonly string[]): Promise<Verdict> {
  const began = performance.now();
  return new Promise((resolve) => {
    let text = '';
    const child = spawn(process.execPath, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
    child.once('error', (error) => { text += error.message; });
    child.once('close', (code) => { resolve({ name, ok: code === 0, seconds: (performance.now() - began) / 1000, text }); });
  });
}

async function runUnitTests(): Promise<Verdict> {
  const began = performance.now();
  const files = [...findFiles('.test.ts', ['components', 'pkg', 'schemas']), 'test/lint/tidy.test.ts', 'test/lint/docs.test.ts'];
  let text = '';
  const totals = await runSuites(files, { concurrency: 2, timeoutMs: UNIT_TIMEOUT_MS, print: (line) => { if (line.startsWith('FAIL')) text += `${line}\n`; } });
  return { name: 'unit tests', ok: totals.failed === 0, seconds: (performance.now() - began) / 1000, text: `${text}${totals.passed} passed, ${totals.failed} failed` };
}
