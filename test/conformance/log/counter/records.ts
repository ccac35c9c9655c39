/** Records of the toy component: counters that are added to. JSON, for once: the log does not look into records. */
import type { Migration } from '../../../../pkg/storage/database.ts';
import { PoisonRecord } from '../../../../pkg/log/log.ts';
import type { InputHeader } from '../../../../schemas/log/room-input.ts';

/**
 * - `add`: adds `by`. `refuse`: is rejected. `crash`: makes the processor throw.
 * - `wait`: adds `by` once the key's gate is open, and parks until then. `open`: opens it.
 */
export interface CounterInput extends InputHeader {
  readonly kind: 'add' | 'refuse' | 'crash' | 'wait' | 'open';
  readonly key: string;
  readonly by: number;
}

export interface CounterOutput {
  readonly inputId: string;
  readonly key: string;
  readonly by: number;
  /** Of the counter, after this. */
  readonly value: number;
}

export const counterMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'counters',
    statements: [
      'CREATE TABLE counters (name TEXT NOT NULL, value BIGINT NOT NULL, gate INTEGER NOT NULL, PRIMARY KEY (name))',
      'CREATE TABLE sums (name TEXT NOT NULL, total BIGINT NOT NULL, PRIMARY KEY (name))',
      'CREATE TABLE violations (text TEXT NOT NULL)',
    ],
  },
];

export const encodeJson = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));

export function decodeJson<T>(record: Uint8Array): T {
  try {
    return JSON.parse(Buffer.from(record).toString()) as T;
  } catch (cause) {
    throw new PoisonRecord('not JSON', { cause });
  }
}
