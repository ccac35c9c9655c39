/** The tables of `pkg/log` in the database of every component that consumes a log. */
import type { Migration } from '../storage/database.ts';

/**
 * - `leases`: who owns a partition of a consumer. `instances`: who is alive and wants a share.
 * - `positions`: how far a consumer is, under which epoch. Apart from `leases`, so that renewals and commits never wait for each other.
 *   `position`: next offset of the driver named by `transport`. `sequence`: newest one made (owner of an output log) or applied (reader of one).
 *   `relayed`: newest sequence known to have been taken over by the driver. `commits`: transactions that saved the row, each of which stands on the one before.
 * - `outbox`: the output log itself; a broker only carries it. `outbox_trimmed`: the newest sequence that is no longer kept.
 * - `remembered_inputs`: outcomes of accepted inputs, so that a repeated one is answered and not done again.
 */
export const logMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'log',
    statements: [
      `CREATE TABLE leases (consumer TEXT NOT NULL, partition BIGINT NOT NULL, owner TEXT NOT NULL, epoch BIGINT NOT NULL,
         expires_at BIGINT NOT NULL, PRIMARY KEY (consumer, partition))`,
      `CREATE TABLE instances (consumer TEXT NOT NULL, instance TEXT NOT NULL, expires_at BIGINT NOT NULL, PRIMARY KEY (consumer, instance))`,
      `CREATE TABLE positions (consumer TEXT NOT NULL, partition BIGINT NOT NULL, epoch BIGINT NOT NULL, transport TEXT NOT NULL,
         position BIGINT NOT NULL, sequence BIGINT NOT NULL, relayed BIGINT NOT NULL, PRIMARY KEY (consumer, partition))`,
      `CREATE TABLE outbox (log TEXT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL, epoch BIGINT NOT NULL, record BLOB NOT NULL,
         PRIMARY KEY (log, partition, sequence))`,
      `CREATE TABLE outbox_trimmed (log TEXT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (log, partition))`,
      `CREATE TABLE remembered_inputs (consumer TEXT NOT NULL, input_id TEXT NOT NULL, partition BIGINT NOT NULL, outcome BLOB NOT NULL,
         remembered_at BIGINT NOT NULL, PRIMARY KEY (consumer, input_id))`,
      `CREATE INDEX remembered_inputs_by_time ON remembered_inputs (remembered_at)`,
      `CREATE TABLE parked_inputs (consumer TEXT NOT NULL, partition BIGINT NOT NULL, number BIGINT NOT NULL, key TEXT NOT NULL,
         until_ms BIGINT NOT NULL, reason TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY (consumer, partition, number))`,
      `CREATE TABLE dead_letters (consumer TEXT NOT NULL, id TEXT NOT NULL, partition BIGINT NOT NULL, position BIGINT NOT NULL,
         reason TEXT NOT NULL, record BLOB NOT NULL, dead_at BIGINT NOT NULL, PRIMARY KEY (consumer, id))`,
    ],
  },
  { number: 2, name: 'commits of a position', statements: ['ALTER TABLE positions ADD COLUMN commits BIGINT NOT NULL DEFAULT 0'] },
  {
    // The ID first: a plan that PostgreSQL has made while the table was empty, and keeps, would otherwise read all rows of the consumer for every batch.
    number: 3,
    name: 'remembered inputs by their ID',
    statements: [
      `CREATE TABLE remembered_by_id (input_id TEXT NOT NULL, consumer TEXT NOT NULL, partition BIGINT NOT NULL, outcome BLOB NOT NULL,
         remembered_at BIGINT NOT NULL, PRIMARY KEY (input_id, consumer))`,
      `INSERT INTO remembered_by_id (input_id, consumer, partition, outcome, remembered_at)
         SELECT input_id, consumer, partition, outcome, remembered_at FROM remembered_inputs`,
      'DROP TABLE remembered_inputs',
      'ALTER TABLE remembered_by_id RENAME TO remembered_inputs',
      'CREATE INDEX remembered_inputs_by_time ON remembered_inputs (remembered_at)',
    ],
  },
];
