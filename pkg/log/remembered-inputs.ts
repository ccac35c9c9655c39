/** Outcomes of accepted inputs, kept so that a repeated input is answered and not done again (DESIGN rule 3). */
import type { Outcome } from '../../schemas/log/envelope.ts';
import type { Database, Transaction } from '../storage/database.ts';
import { outcomeCodec } from './codec.ts';
import type { OutcomeLookup } from './commands.ts';
import { DELETE_ROWS_MAX } from './outbox.ts';

/** How long outcomes are remembered at least. */
export const REMEMBERED_MS_MIN = 24 * 3600 * 1000;

/** Which of these inputs were accepted before, with their outcomes. */
export async function recallInputs(database: Database, consumer: string, inputIds: readonly string[]): Promise<Map<string, Outcome>> {
  const rows = await database.queryIn<{ input_id: string; outcome: Uint8Array }>(
    'SELECT input_id, outcome FROM remembered_inputs WHERE consumer = ? AND input_id IN (??)', [consumer], inputIds);
  return new Map(rows.map((row) => [row.input_id, outcomeCodec.decode(row.outcome)]));
}

/** In the transaction that carries out the inputs. */
export async function rememberInputs(tx: Transaction, consumer: string, nowMs: number, outcomes: readonly Outcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  await tx.insertMany({
    into: 'remembered_inputs',
    columns: ['consumer', 'input_id', 'partition', 'outcome', 'remembered_at'],
    rows: outcomes.map((outcome) => [consumer, outcome.inputId, outcome.partition, outcomeCodec.encode(outcome), nowMs]),
  });
}

/** Deletes what is older than `REMEMBERED_MS_MIN`, a bounded number of rows a transaction; `rest` is waited for in between. */
export async function forgetOldInputs(database: Database, consumer: string, nowMs: number, rest: () => Promise<void>): Promise<void> {
  for (let deleted = DELETE_ROWS_MAX; deleted >= DELETE_ROWS_MAX; await rest()) {
    const { changes } = await database.transaction((tx) => tx.run(
      `DELETE FROM remembered_inputs WHERE consumer = ? AND input_id IN
         (SELECT input_id FROM remembered_inputs WHERE consumer = ? AND remembered_at < ? ORDER BY remembered_at LIMIT ?)`,
      [consumer, consumer, nowMs - REMEMBERED_MS_MIN, DELETE_ROWS_MAX]));
    deleted = changes;
  }
}

/** Answers lost outcome signals from the owners' tables. `sources`: database and consumer name of each input log's owner. */
export function outcomeLookup(sources: { readonly [log in 'room-input' | 'user-input']: { database: Database; consumer: string } }): OutcomeLookup {
  return (log, inputIds) => recallInputs(sources[log].database, sources[log].consumer, inputIds);
}
