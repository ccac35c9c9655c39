/** Result files of benchmarks: what was measured, when, where, how, and every run; read back and checked for `compare`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem, type } from 'node:os';
import { median, rounded } from './statistics.ts';
import type { Row } from './workload.ts';

/** Of one figure. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly runs: readonly number[];
}

export interface ResultRow {
  readonly mode: string;
  readonly what: string;
  readonly figures: Readonly<Record<string, Spread>>;
}

export interface ResultFile {
  readonly format: typeof FORMAT;
  readonly workload: string;
  /** ISO 8601. */
  readonly date: string;
  /** With "+" behind it when files that git knows were changed since. */
  readonly commit: string;
  readonly machine: string;
  readonly node: string;
  /** Of the whole machine in the last 15 minutes: well above what the benchmark itself makes, others were at work. */
  readonly loadAverage: number;
  readonly durability: string;
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly rows: readonly ResultRow[];
}

const FORMAT = 'myelin-bench-2';
const DIGITS = 4;
const GIB = 2 ** 30;

export function resultFile({ workload, commit, durability, options }: Pick<ResultFile, 'workload' | 'commit' | 'durability' | 'options'>, rows: readonly Row[], now: Date): ResultFile {
  return {
    format: FORMAT, workload, date: now.toISOString(), commit, machine: machineHere(),
    node: process.version, loadAverage: loadAverage(), durability, options, rows: rows.map(resultRow),
  };
}

/** Smallest, middle and largest value of every figure; those that are not numbers (a process that cannot be asked) are left out. */
function resultRow({ mode, what, runs }: Row): ResultRow {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))];
  const figures: Record<string, Spread> = {};
  for (const name of names) {
    const values = runs.map((run) => run[name]).filter((value) => value !== undefined && Number.isFinite(value)).map((value) => rounded(value!, DIGITS));
    if (values.length > 0) figures[name] = { min: Math.min(...values), median: median(values), max: Math.max(...values), runs: values };
  }
  return { mode, what, figures };
}

/** Processors, memory and system. */
export function machineHere(): string {
  const [first] = cpus();
  return `${cpus().length} x ${first?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / GIB)} GiB, ${type()} ${release()} ${arch()}`;
}

/** Of the last 15 minutes. */
export function loadAverage(): number {
  return rounded(loadavg()[2] ?? 0, 1);
}

/** The commit that is checked out. */
export function commitHere(): string {
  try {
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: import.meta.dirname, stdio: 'pipe' }).toString().trim();
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+');
  } catch {
    return 'unknown';
  }
}

/** Why a file cannot be compared. */
export class BadResultFile extends Error {}

/** @throws BadResultFile with the path and what is wrong there */
export function readResultFile(path: string): ResultFile {
  const bad = (reason: string): never => {
    throw new BadResultFile(`${path}: ${reason}`);
  };
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return bad(error instanceof SyntaxError ? `it is not JSON (${error.message})` : (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message);
  }
  if (!isObject(value)) return bad('it is not a result file');
  if (value['format'] !== FORMAT) return bad('workload' in value ? 'an older version of the benchmarks has written it: measure again' : 'it is not a result file');
  for (const name of ['workload', 'date', 'commit', 'machine', 'node', 'durability']) if (typeof value[name] !== 'string') bad(`"${name}" is missing`);
  if (!Array.isArray(value['rows']) || value['rows'].length === 0) return bad('it has no rows');
  value['rows'].forEach((row: unknown, index) => {
    if (!isRow(row)) bad(`row ${index + 1} is damaged`);
  });
  return value as unknown as ResultFile;
}

function isRow(row: unknown): row is ResultRow {
  if (!isObject(row) || typeof row['mode'] !== 'string' || typeof row['what'] !== 'string' || !isObject(row['figures'])) return false;
  return Object.values(row['figures']).every((figure) => isObject(figure) && ['min', 'median', 'max'].every((name) => typeof figure[name] === 'number'));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
