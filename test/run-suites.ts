/** Runs test files, each in a process of its own, a few at a time, and reports them as they end. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { run } from 'node:test';
import type { EventData } from 'node:test';
import { inspect } from 'node:util';
import { REPOSITORY } from './run-files.ts';

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

export interface SuiteOptions {
  /** How many files at a time. */
  readonly concurrency: number;
  /** Milliseconds that one file may take. */
  readonly timeoutMs: number;
  readonly print: (text: string) => void;
  /** Keep how long each file took, for the order of the next run; default true. */
  readonly remember?: boolean;
}

interface FileResult extends Totals {
  readonly file: string;
  readonly durationMs: number;
  readonly failures: string[];
  readonly output: string;
}

/** How long after its last test may run a file's process may stay. */
const STAYING_MS = 5_000;
const OUTPUT_LINES_MAX = 60;
const OUTPUT_COLUMNS_MAX = 400;
const TIMES = join(REPOSITORY, '.cache/test-times.json');
const COMPILED = join(REPOSITORY, '.cache/compiled');

/** Runs the files (paths from the repository's root) and gives the sum of their tests. Files that took long the last time go first. */
export async function runSuites(files: readonly string[], options: SuiteOptions): Promise<Totals> {
  // What one process has stripped of its types and compiled, the next need not: most of the time of a short suite.
  process.env['NODE_COMPILE_CACHE'] ??= COMPILED;
  const times = readTimes();
  const waiting = [...files].sort((a, b) => (times[b] ?? 0) - (times[a] ?? 0));
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const work = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(file, options.timeoutMs);
      times[file] = result.durationMs;
      totals.passed += result.passed;
      totals.failed += result.failed;
      totals.skipped += result.skipped;
      options.print(describe(result));
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  if (options.remember !== false) rememberTimes(times);
  return totals;
}

async function runFile(file: string, timeoutMs: number): Promise<FileResult> {
  const path = resolve(REPOSITORY, file);
  const started = performance.now();
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  let output = '';
  // node:test speaks up for a file as a whole too: that it ended badly counts, that it ended well is not a test.
  const isFileItself = (data: EventData.TestPass | EventData.TestFail): boolean => data.nesting === 0 && (data.name === path || data.name === file);
  // `timeout` ends a test that hangs and lets the others of its file go on; the signal ends a process that stays although its tests are done.
  const ended = new AbortController();
  const timer = setTimeout(() => { ended.abort(); }, timeoutMs + STAYING_MS);
  const events = run({ files: [path], concurrency: 1, timeout: timeoutMs, signal: ended.signal });
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') output += data.message;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (type === 'test:pass') {
      const isSkipped = data.skip !== undefined && data.skip !== false;
      // A suite that is skipped as a whole never tells what tests it has.
      if ((data.details.type === 'suite' && !isSkipped) || isFileItself(data)) continue;
      if (isSkipped) totals.skipped += 1;
      else totals.passed += 1;
      continue;
    }
    const { error } = data.details;
    const subtestsOnly = (error as { failureType?: string }).failureType === 'subtestsFailed';
    if (subtestsOnly && (data.details.type === 'suite' || isFileItself(data))) continue;
    totals.failed += 1;
    if (!subtestsOnly) failures.push(`${isFileItself(data) ? 'the file' : data.name}\n${inspectError(error)}`);
  }
  clearTimeout(timer);
  if (ended.signal.aborted) {
    totals.failed += 1;
    failures.push('the process did not end: something that the tests started is still running');
  }
  if (totals.passed + totals.failed + totals.skipped === 0) {
    totals.failed = 1;
    failures.push('the file holds no test');
  }
  return { file, durationMs: Math.round(performance.now() - started), failures, output, ...totals };
}

/** The error that the test threw, not the wrapper that carried it between processes. */
function inspectError(error: Error): string {
  return inspect(error.cause ?? error, { depth: 6 });
}

function describe(result: FileResult): string {
  const { passed, failed, skipped } = result;
  const counts = [`${passed} passed`, ...(failed > 0 ? [`${failed} failed`] : []), ...(skipped > 0 ? [`${skipped} skipped`] : [])].join(', ');
  const line = `${failed > 0 ? 'FAIL' : 'ok  '} ${(result.durationMs / 1000).toFixed(1).padStart(6)} s  ${result.file}  (${counts})`;
  if (failed === 0) return line;
  const parts = result.failures.map((failure) => indent(`✖ ${failure}`));
  if (result.output.trim() !== '') parts.push(indent(`The end of the output of ${basename(result.file)}:\n${lastLines(result.output.trimEnd())}`));
  return [line, ...parts, ''].join('\n');
}

function lastLines(text: string): string {
  return text.split('\n').slice(-OUTPUT_LINES_MAX).map((line) => line.slice(0, OUTPUT_COLUMNS_MAX)).join('\n');
}

function indent(text: string): string {
  return text.split('\n').map((line) => `    ${line}`).join('\n');
}

function rememberTimes(times: Record<string, number>): void {
  mkdirSync(dirname(TIMES), { recursive: true });
  writeFileSync(TIMES, JSON.stringify(times));
}

function readTimes(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(TIMES, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}
