/** The tables that the federationapi owns. */
import type { Migration } from '../../../pkg/storage/database.ts';

/**
 * - `server_keys`: every key of another server that was ever seen, for the signatures of old events. `valid_until`: up to when it counts; `retired`: 1 for a key that its
 *   owner has stopped using, then at `valid_until`.
 * - `server_key_documents`: the last document of each server as it was received (JSON), for handing on as a notary.
 * - `joined_hosts`: other servers with joined members in a room of this server, and how many; rooms with members of this server alone have no rows.
 * - `queue_starts`: up to which sequence number of a partition of room-output nothing is sent: what was there before this component first looked.
 * - `destination_queue`: what is still to be sent to a server. `partition`: of the destination, for its owner. `origin_partition` and `origin_sequence`: the event's place in
 *   room-output, which is the order of a room's events; across rooms there is none.
 * - `destinations`: servers that could not be reached, and for how long they are left alone (`pkg/federation/backoff.ts`). `failures` 0: it is reached again.
 * - `needs`: what the roomserver needs of other servers (`need`: the encoded record of room-output) and has no answer to yet. `destination`: the server that is asked first.
 *   `attempts`: begun ones; `retry_at`: not before.
 * - `stages`, `staged_events`: states that were fetched whole, until they are imported. `attempt`: who writes the stage; `events`, `answer` (null until the stage is whole): how many
 *   events are to be imported, and the encoded input that follows them. Events of the state that were known here before have no `json` and ordinals below 0.
 * - `staged_pdus`: events that other servers sent and that cannot be checked yet, because their signers' keys could not be had. `pdu`: JSON as received; `origin`: who sent it.
 * - `unit_queue`: units (EDUs) that are still to be sent to a server and must arrive; `origin_partition` and `origin_sequence`: of the record of user-output that each comes from.
 *   `subject`: units of the same subject can be made good by the newest of them (`m.device_list_update`, whose receiver sees that it lacks some); empty: each has to arrive.
 * - `destination_rooms`: rooms of which a server has missed events that are no longer queued: it gets the forward extremities when it is back (`destination-rooms.ts`).
 */
export const federationapiMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'server keys',
    statements: [
      `CREATE TABLE server_keys (server_name TEXT NOT NULL, key_id TEXT NOT NULL, public_key BLOB NOT NULL, valid_until BIGINT NOT NULL,
         retired INTEGER NOT NULL, fetched_at BIGINT NOT NULL, PRIMARY KEY (server_name, key_id))`,
      `CREATE TABLE server_key_documents (server_name TEXT NOT NULL PRIMARY KEY, document BLOB NOT NULL, valid_until BIGINT NOT NULL,
         fetched_at BIGINT NOT NULL)`,
    ],
  },
  {
    number: 2,
    name: 'joined hosts and destination queues',
    statements: [
      'CREATE TABLE joined_hosts (room_id TEXT NOT NULL, server_name TEXT NOT NULL, members BIGINT NOT NULL, PRIMARY KEY (room_id, server_name))',
      'CREATE TABLE queue_starts (partition BIGINT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL)',
      `CREATE TABLE destination_queue (destination TEXT NOT NULL, origin_partition BIGINT NOT NULL, origin_sequence BIGINT NOT NULL, partition BIGINT NOT NULL,
         room_id TEXT NOT NULL, event_id TEXT NOT NULL, queued_at BIGINT NOT NULL, PRIMARY KEY (destination, origin_partition, origin_sequence))`,
      'CREATE INDEX destination_queue_by_partition ON destination_queue (partition, destination)',
      `CREATE TABLE destinations (server_name TEXT NOT NULL PRIMARY KEY, partition BIGINT NOT NULL, failures BIGINT NOT NULL, pause_ms BIGINT NOT NULL,
         paused_at BIGINT NOT NULL, retry_at BIGINT NOT NULL, failing_since BIGINT NOT NULL, last_success_at BIGINT)`,
    ],
  },
  {
    number: 3,
    name: 'needs and staged states',
    statements: [
      `CREATE TABLE needs (need_id TEXT NOT NULL PRIMARY KEY, partition BIGINT NOT NULL, room_id TEXT NOT NULL, destination TEXT NOT NULL, deadline BIGINT NOT NULL,
         need BLOB NOT NULL, attempts BIGINT NOT NULL, retry_at BIGINT NOT NULL)`,
      'CREATE INDEX needs_by_partition ON needs (partition, deadline)',
      `CREATE TABLE stages (stage_id TEXT NOT NULL PRIMARY KEY, attempt TEXT NOT NULL, events BIGINT NOT NULL, answer BLOB, created_at BIGINT NOT NULL)`,
      'CREATE INDEX stages_by_time ON stages (created_at)',
      `CREATE TABLE staged_events (stage_id TEXT NOT NULL, ordinal BIGINT NOT NULL, event_id TEXT NOT NULL, in_state INTEGER NOT NULL, json BLOB,
         PRIMARY KEY (stage_id, ordinal))`,
    ],
  },
  {
    number: 4,
    name: 'staged events',
    statements: [
      `CREATE TABLE staged_pdus (origin TEXT NOT NULL, event_id TEXT NOT NULL, room_id TEXT NOT NULL, pdu BLOB NOT NULL, attempts BIGINT NOT NULL,
         retry_at BIGINT NOT NULL, staged_at BIGINT NOT NULL, PRIMARY KEY (origin, event_id))`,
      'CREATE INDEX staged_pdus_by_time ON staged_pdus (retry_at)',
    ],
  },
  {
    number: 5,
    name: 'queued units',
    statements: [
      `CREATE TABLE unit_queue (destination TEXT NOT NULL, origin_partition BIGINT NOT NULL, origin_sequence BIGINT NOT NULL, unit_number BIGINT NOT NULL, partition BIGINT NOT NULL,
         unit BLOB NOT NULL, queued_at BIGINT NOT NULL, PRIMARY KEY (destination, origin_partition, origin_sequence, unit_number))`,
      'CREATE INDEX unit_queue_by_partition ON unit_queue (partition, destination)',
    ],
  },
  {
    number: 6,
    name: 'rooms to catch up with',
    statements: [
      `CREATE TABLE destination_rooms (room_id TEXT NOT NULL, destination TEXT NOT NULL, partition BIGINT NOT NULL, resolving TEXT NOT NULL, marked_at BIGINT NOT NULL,
         PRIMARY KEY (room_id, destination))`,
      'CREATE INDEX destination_rooms_by_partition ON destination_rooms (partition, destination, room_id)',
      "ALTER TABLE unit_queue ADD COLUMN subject TEXT NOT NULL DEFAULT ''",
      'CREATE INDEX destinations_failing ON destinations (failing_since) WHERE failures > 0',
      'CREATE INDEX joined_hosts_by_server ON joined_hosts (server_name, room_id)',
    ],
  },
];
