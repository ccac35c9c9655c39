/**
 * The same question asked for many at once (a message has woken a hundred waiting clients, and of each is asked who it is and in which rooms) is put to the database once for all of them. Who asks does
 * so a moment later, when all that goes on in the same moment has asked too: no timer, and nobody who is alone waits. What is found was committed before the question was put, so after everybody has asked.
 */
import type { Reader, SqlRow, SqlValue } from './database.ts';
import { valueKey, type ValueKey } from './dialect.ts';

export interface Question {
  /** With `IN (??)` over the column `by`, which is selected; it may sort by that column first. A constant text. */
  readonly sql: string;
  /** Of the other places, in order. */
  readonly params?: readonly SqlValue[];
  readonly by: string;
}

interface Gathering {
  readonly values: Map<ValueKey, SqlValue>;
  readonly rows: Promise<ReadonlyMap<ValueKey, readonly SqlRow[]>>;
}

/** Values of one query; who asks for more gets a query alone. */
const VALUES_MAX = 500;

const gatherings = new WeakMap<Reader, Map<string, Gathering>>();

/** The rows whose column `by` is one of `values`, in the order of the text among those of one value. Others may be given the same row objects. */
export function gatherIn<Row extends SqlRow>(reader: Reader, question: Question, values: readonly SqlValue[]): Promise<readonly Row[]> {
  if (values.length === 0) return Promise.resolve([]);
  if (values.length > VALUES_MAX / 2) return reader.queryIn<Row>(question.sql, question.params ?? [], values);
  const { rows } = join(reader, question, values);
  if (values.length > 1) return rows.then((byValue) => [...new Set(values.map(valueKey))].flatMap((key) => (byValue.get(key) ?? []) as readonly Row[]));
  const only = valueKey(values[0]!);
  return rows.then((byValue) => (byValue.get(only) ?? []) as readonly Row[]);
}

function join(reader: Reader, question: Question, values: readonly SqlValue[]): Gathering {
  let ofReader = gatherings.get(reader);
  if (ofReader === undefined) gatherings.set(reader, (ofReader = new Map()));
  const name = question.params === undefined ? question.sql : nameOf(question.sql, question.params);
  let gathering = ofReader.get(name);
  if (gathering === undefined || gathering.values.size + values.length > VALUES_MAX) {
    gathering = begin(reader, question, (begun) => ofReader.get(name) === begun && ofReader.delete(name));
    ofReader.set(name, gathering);
  }
  for (const value of values) gathering.values.set(valueKey(value), value);
  return gathering;
}

/** Who asks has mostly one text or number to name. */
function nameOf(sql: string, params: readonly SqlValue[]): string {
  const [only] = params;
  return params.length === 1 && typeof only === 'string' ? `${only} ${sql}` : JSON.stringify([sql, params.map((value) => [typeof value, valueKey(value)])]);
}

function begin(reader: Reader, { sql, params, by }: Question, close: (begun: Gathering) => void): Gathering {
  const values = new Map<ValueKey, SqlValue>();
  const ask = async (): Promise<ReadonlyMap<ValueKey, readonly SqlRow[]>> => {
    await Promise.resolve();
    close(gathering);
    const rows = await reader.queryIn<SqlRow>(sql, params ?? [], [...values.values()]);
    const [only] = values.keys();
    return values.size === 1 ? new Map([[only!, rows]]) : Map.groupBy(rows, (row) => valueKey(row[by] as SqlValue));
  };
  const gathering: Gathering = { values, rows: ask() };
  return gathering;
}
