/** Cuts the rows of an `insertMany` into multi-row statements of few different lengths, so that few texts need to be prepared. */
import { valueKey } from '../dialect.ts';
import { StorageError, type InsertMany, type SqlValue } from '../database.ts';
import { insertText } from '../insert-text.ts';

export interface InsertStatement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

const ROWS_MAX = 512;
/** What the protocol's 16-bit count allows. */
const PARAMETERS_MAX = 65_535;
const CONFLICT_UPDATE = /^\s*ON\s+CONFLICT\s*\(([^()]*)\)[\s\S]*\bDO\s+UPDATE\b/i;

/**
 * The statements, in order. Each has a power of two of rows, 512 at most. Rows with equal conflict keys never meet in one `DO UPDATE` statement
 * (PostgreSQL would refuse it), so that the last row wins as in a loop of single inserts.
 */
export function insertStatements(insert: InsertMany): InsertStatement[] {
  const { columns, rows } = insert;
  const rowsMax = Math.min(ROWS_MAX, 2 ** Math.floor(Math.log2(PARAMETERS_MAX / columns.length)));
  const statements: InsertStatement[] = [];
  for (const run of runsWithoutRepeats(insert)) {
    for (let from = run.from; from < run.to; ) {
      const size = Math.min(rowsMax, 2 ** Math.floor(Math.log2(run.to - from)));
      statements.push({ sql: insertText(insert, size), params: flatten(rows.slice(from, from + size), columns.length) });
      from += size;
    }
  }
  return statements;
}

interface Run {
  readonly from: number;
  readonly to: number;
}

function runsWithoutRepeats(insert: InsertMany): Run[] {
  const key = conflictKey(insert);
  if (!key) return [{ from: 0, to: insert.rows.length }];
  const runs: Run[] = [];
  let from = 0;
  let seen = new Set<string>();
  insert.rows.forEach((row, index) => {
    const text = key(row);
    if (seen.has(text)) {
      runs.push({ from, to: index });
      from = index;
      seen = new Set();
    }
    seen.add(text);
  });
  return [...runs, { from, to: insert.rows.length }];
}

/** How to tell whether two rows meet in the conflict's columns; undefined when it does not matter or cannot be told. */
function conflictKey(insert: InsertMany): ((row: readonly SqlValue[]) => string) | undefined {
  const target = CONFLICT_UPDATE.exec(insert.onConflict ?? '')?.[1];
  if (target === undefined) return undefined;
  const indexes = target.split(',').map((column) => insert.columns.indexOf(column.trim()));
  if (indexes.includes(-1)) return undefined;
  return (row) => JSON.stringify(indexes.map((index) => valueKey(row[index] as SqlValue)));
}

function flatten(rows: readonly (readonly SqlValue[])[], columns: number): SqlValue[] {
  const params: SqlValue[] = [];
  for (const row of rows) {
    if (row.length !== columns) throw new StorageError('bug', `a row has ${row.length} values for ${columns} columns`);
    for (const value of row) params.push(value);
  }
  return params;
}
