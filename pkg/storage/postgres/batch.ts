/**
 * Statements of a transaction that were issued together, sent as one: one write, one answer, one wake-up on either side. Between them stands no Sync of the protocol, so that when one fails, the database passes over all
 * that follow it. That is why BEGIN may stand among them: if it fails alone (an administrator cancelled just then), none of the others commits by itself.
 */
import type { Writable } from 'node:stream';
import pg, { type PoolClient, type QueryResult } from 'pg';
import { postgresStatement } from '../dialect.ts';
import type { SqlValue } from '../database.ts';

export interface BatchStatement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

/** The error of the statement with this index. */
export interface BatchFailure {
  readonly cause: unknown;
  readonly index: number;
  /** It is not known which of its statements the connection has prepared: it must not be used again. */
  readonly isUnclear: boolean;
}

/** What `pg`'s types leave out of its connections. */
interface Wire {
  readonly stream: Writable;
  readonly parsedStatements: Record<string, string>;
  readonly submittedNamedStatements: Record<string, string>;
  parse(statement: { text: string; name: string | undefined }): void;
  bind(bound: { portal: string; statement: string | undefined; values: readonly SqlValue[]; valueMapper: (value: unknown) => unknown }): void;
  describe(what: { type: 'P'; name: string }): void;
  execute(portal: { portal: string }): void;
  sync(): void;
}

/** The same of its queries. */
interface WireQuery {
  submit: (wire: Wire) => void;
  callback: (error: unknown, results: QueryResult | QueryResult[]) => void;
  query_timeout: number;
  _results: QueryResult | QueryResult[];
}

const { prepareValue } = (pg as unknown as { readonly utils: { prepareValue(value: unknown): unknown } }).utils;

/** The result of each of the statements (one at least). Rejects with a `BatchFailure`. */
export function sendBatch(client: PoolClient, statements: readonly BatchStatement[], timeoutMs: number): Promise<QueryResult[]> {
  const query = new pg.Query('') as unknown as WireQuery;
  const preparing = new Map<string, string>();
  let used: Wire | undefined;
  return new Promise((resolve, reject) => {
    query.query_timeout = timeoutMs;
    query.submit = (wire) => {
      used = wire;
      wire.stream.cork();
      try {
        for (const statement of statements) write(wire, statement, preparing);
        wire.sync();
      } catch (error) {
        // Half of a batch has no end.
        wire.stream.destroy(error as Error);
      } finally {
        wire.stream.uncork();
      }
    };
    query.callback = (error, results) => {
      if (error) {
        reject({ cause: error, index: Math.min(completed(query._results), statements.length - 1), isUnclear: preparing.size > 0 } satisfies BatchFailure);
        return;
      }
      for (const [name, text] of preparing) {
        used!.parsedStatements[name] = text;
        delete used!.submittedNamedStatements[name];
      }
      resolve(Array.isArray(results) ? results : [results]);
    };
    (client as unknown as { query(query: WireQuery): void }).query(query);
  });
}

function write(wire: Wire, { sql, params }: BatchStatement, preparing: Map<string, string>): void {
  const { text, name, mayHaveRows } = postgresStatement(sql);
  if (name === undefined || (wire.parsedStatements[name] === undefined && wire.submittedNamedStatements[name] === undefined)) {
    wire.parse({ text, name });
    if (name !== undefined) {
      wire.submittedNamedStatements[name] = text;
      preparing.set(name, text);
    }
  }
  wire.bind({ portal: '', statement: name, values: params, valueMapper: prepareValue });
  if (mayHaveRows) wire.describe({ type: 'P', name: '' });
  wire.execute({ portal: '' });
}

function completed(results: QueryResult | QueryResult[]): number {
  return [results].flat().filter(({ command }) => Boolean(command)).length;
}
