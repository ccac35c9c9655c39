/** Texts of inserts, kept: putting one together, and finding it again as a text that nobody has seen before, costs more than some of the inserts. */
import type { InsertMany } from './database.ts';
import { places } from './dialect.ts';

interface KeptTexts {
  readonly columns: readonly string[];
  readonly onConflict: string;
  /** By number of rows. */
  readonly texts: Map<number, string>;
}

/** Of a table: a few, since what is inserted is written down in the program. */
const KEPT_MAX = 32;
const kept = new Map<string, KeptTexts[]>();

/** The text that inserts so many rows: the same object each time. */
export function insertText({ into, columns, onConflict = '' }: Omit<InsertMany, 'rows'>, rows = 1): string {
  let ofTable = kept.get(into);
  if (ofTable === undefined || ofTable.length > KEPT_MAX) kept.set(into, (ofTable = []));
  let found = ofTable.find((one) => one.onConflict === onConflict && isSame(one.columns, columns));
  if (found === undefined) ofTable.push((found = { columns: [...columns], onConflict, texts: new Map() }));
  let text = found.texts.get(rows);
  if (text === undefined) {
    const row = `(${places(columns.length)})`;
    text = `INSERT INTO ${into} (${columns.join(', ')}) VALUES ${Array<string>(rows).fill(row).join(', ')} ${onConflict}`;
    found.texts.set(rows, text);
  }
  return text;
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((column, index) => column === other[index]));
}
