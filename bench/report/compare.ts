/** Figures beside those that they are measured against, with ratios. */
import type { ResultFile, ResultRow } from '../result-file.ts';
import { betterOf, titleOf, written } from './figures.ts';
import { table, type Column } from './table.ts';

/** One figure twice. */
export interface Pair {
  readonly mode: string;
  readonly what: string;
  readonly figure: string;
  readonly before: number;
  readonly after: number;
  /** `after` against `before`; undefined against nothing. */
  readonly ratio: number | undefined;
  /** So many times worse than before (or better, below 1); undefined where neither is better. */
  readonly worse: number | undefined;
}

/** The medians of two files where both have them, and what only one of them has. */
export function compareFiles(before: ResultFile, after: ResultFile): { pairs: Pair[]; onlyBefore: string[]; onlyAfter: string[] } {
  const key = ({ mode, what }: ResultRow): string => (what === '' ? mode : `${mode}, ${what}`);
  const old = new Map(before.rows.map((row) => [key(row), row]));
  const names = new Set(after.rows.map(key));
  return {
    pairs: after.rows.flatMap((row) => pairsOf(old.get(key(row)), row)),
    onlyBefore: [...old.keys()].filter((name) => !names.has(name)),
    onlyAfter: [...names].filter((name) => !old.has(name)),
  };
}

/** Every row against that of the other server with the same case: how many times better. */
export function compareServers(rows: readonly ResultRow[], reference: string): Pair[] {
  const references = new Map(rows.filter(({ mode }) => mode === reference).map((row) => [row.what, row]));
  return rows.filter(({ mode }) => mode !== reference).flatMap((row) => pairsOf(references.get(row.what), row));
}

function pairsOf(before: ResultRow | undefined, after: ResultRow): Pair[] {
  return Object.entries(after.figures).flatMap(([figure, { median }]) => {
    const old = before?.figures[figure]?.median;
    if (old === undefined) return [];
    const ratio = old === 0 ? undefined : median / old;
    const better = betterOf(figure);
    const worse = better === 'neither' || old === 0 || median === 0 ? undefined : better === 'less' ? median / old : old / median;
    return [{ mode: after.mode, what: after.what, figure, before: old, after: median, ratio, worse }];
  });
}

const NAMED: readonly Column<Pair>[] = [
  { title: 'server', text: (pair) => pair.mode },
  { title: 'what', text: (pair) => pair.what },
  { title: 'figure', text: (pair) => titleOf(pair.figure) },
];

/** Two files side by side; what is more than `limit` times worse is marked. */
export function comparisonTable(pairs: readonly Pair[], limit: number): string {
  return table<Pair>([
    ...NAMED,
    { title: 'before', text: (pair) => written(pair.before) },
    { title: 'after', text: (pair) => written(pair.after) },
    { title: 'ratio', text: (pair) => pair.ratio?.toFixed(2) ?? '-' },
    { title: '', text: (pair) => (isWorse(pair, limit) ? 'WORSE' : pair.worse !== undefined && pair.worse < 1 / limit ? 'better' : '') },
  ], pairs);
}

export function isWorse({ worse }: Pair, limit: number): boolean {
  return worse !== undefined && worse > limit;
}

/** How many times better than the reference each figure is. */
export function ratioTable(pairs: readonly Pair[], reference: string): string {
  return table<Pair>([
    ...NAMED,
    { title: 'here', text: (pair) => written(pair.after) },
    { title: reference, text: (pair) => written(pair.before) },
    { title: 'times better', text: (pair) => (1 / pair.worse!).toFixed(1) },
  ], pairs.filter(({ worse }) => worse !== undefined));
}
