/** What the names of figures say: their unit, and whether more is better. */
import type { ResultRow } from '../result-file.ts';
import { table } from './table.ts';

export type Better = 'more' | 'less' | 'neither';

const LESS_IS_BETTER = /(Ms|Seconds|Mb|Kb|Percent|Ratio)(Per[A-Z]\w*)?$/;
const SPELLED: Readonly<Record<string, string>> = { cpu: 'CPU', mb: 'MB', kb: 'kB', percent: '%', per: '/' };

export function betterOf(figure: string): Better {
  if (/[pP]erSecond$/.test(figure)) return 'more';
  return LESS_IS_BETTER.test(figure) ? 'less' : 'neither';
}

/** `cpuMsPerEvent`: "CPU ms / event". */
export function titleOf(figure: string): string {
  return figure.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(' ').map((word) => SPELLED[word] ?? word).join(' ');
}

/** Four significant digits, which is more than any measurement here has. */
export function written(value: number): string {
  return Number.isInteger(value) || Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
}

/** A line for each row with the medians, and with `spread` the smallest and largest values. */
export function tableOf(rows: readonly ResultRow[], spread: boolean): string {
  const figures = [...new Set(rows.flatMap((row) => Object.keys(row.figures)))];
  return table<ResultRow>([
    { title: 'server', text: (row) => row.mode },
    { title: 'what', text: (row) => row.what },
    ...figures.map((name) => ({
      title: titleOf(name),
      text: ({ figures: { [name]: figure } }: ResultRow): string => (figure === undefined ? '-' : spread && figure.min !== figure.max ? `${written(figure.median)} (${written(figure.min)}-${written(figure.max)})` : written(figure.median)),
    })),
  ], rows);
}
