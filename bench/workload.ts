/**
 * What a workload is: a name, a line of help, options of its own, and the measurement. It measures servers one after the other and returns rows; `bench/run.ts` prints them and writes the result
 * file. A workload that needs no more of a server than the Matrix API and its processes takes a `Subject`, so that the same load goes to another homeserver (`--against`).
 */
import { table, type Column } from './report/table.ts';
import type { FilledWith } from '../test/e2e/modes.ts';
import type { ServerMode, Subject } from './subject.ts';

/**
 * Figures of one run by name. A name ends in its unit, which also says what is better: `...PerSecond` is better when it is more; `...Ms`, `...Seconds`, `...Mb`, `...Kb`, `...Percent` and
 * `...Ratio` when it is less; anything else is neither (how many members there were).
 */
export type Figures = Readonly<Record<string, number>>;

/** One line of the table: a case of the workload on one server. */
export interface Row {
  /** Which server, usually the name of a mode. */
  readonly mode: string;
  /** Which case, for example "64 connections". */
  readonly what: string;
  /** What was measured each time. Figures that are measured once stand in the first run only. */
  readonly runs: readonly Figures[];
}

export interface Option {
  readonly usage: string;
  /** What it is when it is not given; undefined: it has no value, or it is a switch. */
  readonly byDefault?: string;
  /** A number that may be 0 though it is not so by default. */
  readonly mayBeNone?: true;
  readonly isSwitch?: true;
}

/** What the command line asks for. */
export interface Asked {
  /** Length of each measurement. */
  readonly seconds: number;
  readonly runs: number;
  /** Of an option of the workload; undefined when it was not given and has no default. */
  text(option: string): string | undefined;
  number(option: string): number;
  isOn(option: string): boolean;
  /** Whether a mode of that name is to be measured. */
  isWanted(mode: string): boolean;
  /** The servers to be measured that can be started here (it says which cannot): the modes, and another homeserver with `--against`. */
  modes(): Promise<ServerMode[]>;
  /** The same for workloads that need TLS. */
  subjects(): Promise<Subject[]>;
  /** What is in the databases of new servers (`--seeded`); undefined: nothing. */
  filled(): Promise<FilledWith | undefined>;
}

/** What a workload yields when it has a table of its own; else a table is made of the rows. */
export interface Measured {
  readonly rows: readonly Row[];
  readonly table: string;
}

export interface Workload {
  readonly name: string;
  readonly usage: string;
  readonly options?: Readonly<Record<string, Option>>;
  /** Whether the same load may go to another homeserver. */
  readonly takesOthers?: true;
  /** The rows and the figure of which a plot is drawn. */
  readonly plot?: { readonly title: string; readonly what?: string; readonly figure: string };
  measure(asked: Asked): Promise<readonly Row[] | Measured>;
}

/** In every mode that is wanted, one after the other. */
export async function inModes<Result>(asked: Asked, work: (mode: ServerMode) => Promise<readonly Result[]>): Promise<Result[]> {
  const results: Result[] = [];
  for (const mode of await asked.modes()) results.push(...(await work(mode)));
  return results;
}

/** On every server that is wanted, one after the other. */
export async function onSubjects(asked: Asked, work: (subject: Subject) => Promise<readonly Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const subject of await asked.subjects()) rows.push(...(await work(subject)));
  return rows;
}

/** Rows of results that were made of their runs before, with the table that belongs to them: the numbers become figures, nested ones with both names; the texts say which case it is. */
export function flattened<Result extends object>(results: readonly Result[], columns: readonly Column<Result>[]): Measured {
  const rows = results.map((result) => {
    const { mode = 'embedded+SQLite', ...others } = result as Record<string, unknown>;
    const texts: string[] = [];
    const figures: Record<string, number> = {};
    const visit = (value: unknown, name: string): void => {
      if (typeof value === 'number') figures[name] = value;
      else if (typeof value === 'string') texts.push(value);
      else if (typeof value === 'object' && value !== null) for (const [inner, one] of Object.entries(value)) visit(one, name === '' ? inner : `${name}${inner[0]!.toUpperCase()}${inner.slice(1)}`);
    };
    visit(others, '');
    return { mode: String(mode), what: texts.join(', '), runs: [figures] };
  });
  return { rows, table: table(columns, results) };
}
