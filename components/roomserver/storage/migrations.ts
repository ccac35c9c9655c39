/** The roomserver's tables. It is their sole writer; others read them through `query/`. */
import type { Migration } from '../../../pkg/storage/database.ts';
import { addEdgesOfJoins } from '../history/commit-history.ts';
import { placeAllInChains } from './auth-chains.ts';

/**
 * - `rooms`: a room and its head: the newest order key, the deepest event, the newest state, the forward extremities (JSON list of event IDs; `branches`: how many).
 * - `events`: an event once, with the bytes that every reader is given (`json`, packed by `pkg/storage/packed-json.ts`; replaced by the redacted form when it is redacted). `order_key`: place
 *   in the room's timeline, from 1 without holes for live events. `partition`, `sequence`: of the output record that announced it. `state_id`: state after it.
 *   Events without an order key are not shown to clients: rejected and softly failed ones, and outliers, whose `state_id` is empty too: they are known as part of a state or an auth chain, their
 *   own place in the graph is not. `soft_failed`: 1 while it is, 2 once the state has taken it in (`receive/redeem.ts`). `redacts`: the event that this one redacted (only where it was applied). The rest of the columns is what a record must be re-made of.
 *   `auth_chain`, `auth_seq`: place of a state event among auth chains (`auth-chains.ts`).
 * - `auth_links`: what else than the events before it in its chain an event has in its auth chain. `auth_chain_counters`: how many chains a partition has given numbers to.
 * - `event_edges`: who follows an event that had no place here by then (a gap that was bridged); every other event knows by its followers' `prev_events`.
 * - `history_edges`: events that shown ones follow and that have no place here: where history goes on that other servers can give. `history_at`: of the record of the live event under which all
 *   that lies; `visibility`: history visibility as it was after them; `tries`: how often they were asked for in vain. `events.history_at`: of history (order keys below 0): who may read it.
 * - `state_deltas`: one row a change of state. State IDs count up within the room; `depth` is the number of steps to the empty state. The value of a key in state
 *   N of an unforked room is its newest row up to N, so any state is one index range away.
 *   `state_marks`: how far the last snapshot below a state is (`state-snapshots.ts`).
 *   The state of a side branch has sequence 0; the other rows are the way of the current state. An empty `event_id` takes the key out of the state.
 * - `current_state`: the state now. `state_ref` is the JSON list [room, type, state key]: one text, so that keys of many rooms are read at once.
 * - `state_snapshots`: the whole state of a room at one state ID, as a JSON list of event IDs and their number; written after about as many changes as the
 *   state has entries (`state-snapshots.ts`), so that no state is many more steps above one than the state has entries.
 * - `needs`: what was asked of other servers (`Need`) and not used yet. `input_id`: of the input that waits, under `parked_key`; `event_id`, `event`: the event that was built here and that another
 *   server has to sign; `answer`: the Answer input, once there is one.
 * - `outside_memberships`: memberships of users here in rooms that this server is not in: invites, knocks, and the ends of them. `origin`: server that told of it or took it.
 * - `aliases`: those of this server. One counts while its room is there; `reserved_until` (wall-clock ms, 0: not reserved): the room is being made, and when that did not happen by then,
 *   the alias is free.
 * - `upgrades`: the newest of each room that was replaced (`upgrade/`). `new_room`: the CreateRoom input, encoded; `result`: JSON, empty while it is under way.
 * - `published_rooms`: in which lists of the room directory a room stands (`networks`, a JSON list; the empty one is this server's own). The row of one that is in none any more stays.
 * - `forgotten`: users who forgot a room, and the member event that they had left it by.
 * - `pending_redactions`: redactions of events that have no place here yet. `by_power`: their senders may redact anybody's event.
 * - `purges`: the newest purge of each room's history: events up to `to_order_key` go, those up to `order_key` have gone; `finished_at`: wall-clock ms, 0 while it is under way.
 *   `depth`: of the first event that stays: older ones that come again are not taken in. `sequence`: of the newest record of a purge; `to_sequence`: newest record of an event that has gone.
 * - `partial_rooms`: rooms that were joined without their members, the newest such join of each (`partial/partial-row.ts`). `state_id`: the state before the join; `sequence`, `end_sequence`: of the
 *   records that told of the lack and of its end.
 * - `annotations`: what users here have annotated events with, until they redact it (`relations/annotation-row.ts`).
 * - `receipts`: the newest of each (room, user, type, thread), under `receipt_ref`, their JSON list. `thread_id` is empty for unthreaded ones.
 */
export const roomserverMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'rooms',
    statements: [
      `CREATE TABLE rooms (room_id TEXT PRIMARY KEY, room_version TEXT NOT NULL, partition BIGINT NOT NULL, creator TEXT NOT NULL,
         create_event_id TEXT NOT NULL, order_key BIGINT NOT NULL, depth BIGINT NOT NULL, state_id BIGINT NOT NULL, state_depth BIGINT NOT NULL,
         forward_extremities TEXT NOT NULL) WITHOUT ROWID`,
      `CREATE TABLE events (event_id TEXT PRIMARY KEY, room_id TEXT NOT NULL, order_key BIGINT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL,
         type TEXT NOT NULL, state_key TEXT, sender TEXT NOT NULL, depth BIGINT NOT NULL, origin_server_ts BIGINT NOT NULL, state_id BIGINT NOT NULL,
         history_visibility TEXT NOT NULL, redacts TEXT, redacted_by TEXT, rejected INTEGER NOT NULL DEFAULT 0, input_id TEXT NOT NULL,
         device_id TEXT NOT NULL, txn_id TEXT NOT NULL, json BLOB NOT NULL)`,
      'CREATE UNIQUE INDEX events_by_order ON events (room_id, order_key)',
      'CREATE UNIQUE INDEX events_by_sequence ON events (partition, sequence)',
      'CREATE TABLE event_edges (prev_event_id TEXT NOT NULL, event_id TEXT NOT NULL, PRIMARY KEY (prev_event_id, event_id)) WITHOUT ROWID',
      `CREATE TABLE state_deltas (room_id TEXT NOT NULL, state_id BIGINT NOT NULL, type TEXT NOT NULL, state_key TEXT NOT NULL, prev_state_id BIGINT NOT NULL,
         event_id TEXT NOT NULL, replaces TEXT, depth BIGINT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL,
         PRIMARY KEY (room_id, state_id, type, state_key)) WITHOUT ROWID`,
      'CREATE INDEX state_deltas_by_key ON state_deltas (room_id, type, state_key, state_id)',
      `CREATE TABLE current_state (state_ref TEXT PRIMARY KEY, room_id TEXT NOT NULL, type TEXT NOT NULL, state_key TEXT NOT NULL, event_id TEXT NOT NULL,
         membership TEXT) WITHOUT ROWID`,
      'CREATE INDEX current_state_by_room ON current_state (room_id, type, state_key)',
      `CREATE TABLE receipts (receipt_ref TEXT PRIMARY KEY, room_id TEXT NOT NULL, user_id TEXT NOT NULL, receipt_type TEXT NOT NULL, thread_id TEXT NOT NULL,
         event_id TEXT NOT NULL, order_key BIGINT NOT NULL, ts BIGINT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL, input_id TEXT NOT NULL) WITHOUT ROWID`,
      'CREATE UNIQUE INDEX receipts_by_sequence ON receipts (partition, sequence)',
      'CREATE INDEX receipts_by_room ON receipts (room_id)',
    ],
  },
  {
    number: 2,
    name: 'state snapshots and time of events',
    statements: [
      `CREATE TABLE state_snapshots (room_id TEXT NOT NULL, state_id BIGINT NOT NULL, entries BIGINT NOT NULL, event_ids TEXT NOT NULL,
         PRIMARY KEY (room_id, state_id)) WITHOUT ROWID`,
      'CREATE INDEX events_by_time ON events (room_id, origin_server_ts, order_key)',
    ],
  },
  {
    number: 3,
    name: 'events of other servers',
    statements: [
      'ALTER TABLE rooms ADD COLUMN last_state_id BIGINT NOT NULL DEFAULT 0',
      'UPDATE rooms SET last_state_id = state_id',
      'DROP INDEX events_by_order',
      'DROP INDEX events_by_sequence',
      'DROP INDEX events_by_time',
      'ALTER TABLE events RENAME TO old_events',
      `CREATE TABLE new_events (event_id TEXT PRIMARY KEY, room_id TEXT NOT NULL, order_key BIGINT, partition BIGINT NOT NULL, sequence BIGINT,
         type TEXT NOT NULL, state_key TEXT, sender TEXT NOT NULL, depth BIGINT NOT NULL, origin_server_ts BIGINT NOT NULL, state_id BIGINT,
         history_visibility TEXT NOT NULL, redacts TEXT, redacted_by TEXT, rejected INTEGER NOT NULL DEFAULT 0, soft_failed INTEGER NOT NULL DEFAULT 0,
         state_before_differs INTEGER NOT NULL DEFAULT 0, relay_of TEXT NOT NULL DEFAULT '', input_id TEXT NOT NULL, device_id TEXT NOT NULL, txn_id TEXT NOT NULL,
         json BLOB NOT NULL)`,
      `INSERT INTO new_events (event_id, room_id, order_key, partition, sequence, type, state_key, sender, depth, origin_server_ts, state_id, history_visibility, redacts, redacted_by,
         rejected, input_id, device_id, txn_id, json)
       SELECT event_id, room_id, order_key, partition, sequence, type, state_key, sender, depth, origin_server_ts, state_id, history_visibility, redacts, redacted_by,
         rejected, input_id, device_id, txn_id, json FROM old_events`,
      'DROP TABLE old_events',
      'ALTER TABLE new_events RENAME TO events',
      'CREATE UNIQUE INDEX events_by_order ON events (room_id, order_key)',
      'CREATE UNIQUE INDEX events_by_sequence ON events (partition, sequence)',
      'CREATE INDEX events_by_time ON events (room_id, origin_server_ts, order_key)',
      'CREATE INDEX state_deltas_by_sequence ON state_deltas (partition, sequence)',
      `CREATE TABLE needs (need_id TEXT PRIMARY KEY, room_id TEXT NOT NULL, partition BIGINT NOT NULL, kind TEXT NOT NULL, input_id TEXT NOT NULL, parked_key TEXT NOT NULL,
         event_id TEXT NOT NULL, event BLOB, answer BLOB, created_at BIGINT NOT NULL, deadline BIGINT NOT NULL) WITHOUT ROWID`,
      'CREATE INDEX needs_by_input ON needs (input_id)',
      `CREATE TABLE outside_memberships (room_id TEXT NOT NULL, user_id TEXT NOT NULL, room_version TEXT NOT NULL, membership TEXT NOT NULL, event_id TEXT NOT NULL,
         sender TEXT NOT NULL, json BLOB NOT NULL, stripped_state BLOB NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL, input_id TEXT NOT NULL,
         PRIMARY KEY (room_id, user_id)) WITHOUT ROWID`,
      'CREATE UNIQUE INDEX outside_memberships_by_sequence ON outside_memberships (partition, sequence)',
    ],
  },
  {
    number: 4,
    name: 'needs of a room',
    statements: ['CREATE INDEX needs_by_room ON needs (room_id)'],
  },
  {
    number: 5,
    name: 'auth chains',
    statements: [
      'ALTER TABLE events ADD COLUMN auth_chain BIGINT',
      'ALTER TABLE events ADD COLUMN auth_seq BIGINT',
      'CREATE TABLE auth_chain_counters (partition BIGINT PRIMARY KEY, last BIGINT NOT NULL) WITHOUT ROWID',
      `CREATE TABLE auth_links (origin_chain BIGINT NOT NULL, origin_seq BIGINT NOT NULL, target_chain BIGINT NOT NULL, target_seq BIGINT NOT NULL,
         PRIMARY KEY (origin_chain, origin_seq, target_chain)) WITHOUT ROWID`,
      'CREATE INDEX auth_links_by_target ON auth_links (target_chain, target_seq)',
      'CREATE UNIQUE INDEX events_by_auth_chain ON events (auth_chain, auth_seq) WHERE auth_chain IS NOT NULL',
      'CREATE INDEX events_without_auth_chain ON events (room_id) WHERE state_key IS NOT NULL AND auth_chain IS NULL',
    ],
    fill: placeAllInChains,
  },
  {
    number: 6,
    name: 'upkeep: branches, marks of states, states beside the way, purges',
    statements: [
      'ALTER TABLE rooms ADD COLUMN branches BIGINT NOT NULL DEFAULT 1',
      `UPDATE rooms SET branches = 1 + (length(forward_extremities) - length(replace(forward_extremities, '","', ''))) / 3`,
      'CREATE INDEX rooms_by_branches ON rooms (partition, branches) WHERE branches > 1',
      `CREATE TABLE state_marks (room_id TEXT NOT NULL, state_id BIGINT NOT NULL, entries BIGINT NOT NULL, distance BIGINT NOT NULL,
         PRIMARY KEY (room_id, state_id)) WITHOUT ROWID`,
      'CREATE INDEX state_deltas_beside ON state_deltas (partition, room_id, state_id) WHERE sequence = 0',
      'CREATE INDEX state_deltas_on_those_beside ON state_deltas (room_id, prev_state_id) WHERE sequence = 0',
      'CREATE INDEX events_beside ON events (room_id, state_id) WHERE state_before_differs = 1',
      `CREATE TABLE purges (room_id TEXT PRIMARY KEY, purge_id TEXT NOT NULL, partition BIGINT NOT NULL, to_order_key BIGINT NOT NULL, order_key BIGINT NOT NULL,
         events_gone BIGINT NOT NULL, events_kept BIGINT NOT NULL, started_at BIGINT NOT NULL, finished_at BIGINT NOT NULL) WITHOUT ROWID`,
      'CREATE INDEX purges_under_way ON purges (partition) WHERE finished_at = 0',
    ],
  },
  {
    number: 7,
    name: 'aliases, upgrades, forgotten rooms, redactions that came early',
    statements: [
      `CREATE TABLE aliases (alias TEXT PRIMARY KEY, room_id TEXT NOT NULL, creator TEXT NOT NULL, partition BIGINT NOT NULL, created_at BIGINT NOT NULL,
         reserved_until BIGINT NOT NULL) WITHOUT ROWID`,
      'CREATE INDEX aliases_by_room ON aliases (room_id)',
      `CREATE TABLE upgrades (room_id TEXT PRIMARY KEY, partition BIGINT NOT NULL, input_id TEXT NOT NULL, sender TEXT NOT NULL, room_version TEXT NOT NULL,
         new_room_id TEXT NOT NULL, new_room BLOB NOT NULL, parked_key TEXT NOT NULL, result TEXT NOT NULL, created_at BIGINT NOT NULL) WITHOUT ROWID`,
      'CREATE INDEX upgrades_by_result ON upgrades (result, partition)',
      `CREATE TABLE forgotten (room_id TEXT NOT NULL, user_id TEXT NOT NULL, event_id TEXT NOT NULL, room_version TEXT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL,
         input_id TEXT NOT NULL, PRIMARY KEY (room_id, user_id, event_id)) WITHOUT ROWID`,
      'CREATE UNIQUE INDEX forgotten_by_sequence ON forgotten (partition, sequence)',
      `CREATE TABLE pending_redactions (target_id TEXT NOT NULL, event_id TEXT NOT NULL, room_id TEXT NOT NULL, sender TEXT NOT NULL, by_power INTEGER NOT NULL,
         PRIMARY KEY (target_id, event_id)) WITHOUT ROWID`,
    ],
  },
  {
    number: 8,
    name: 'history from before',
    statements: [
      'ALTER TABLE events ADD COLUMN history_at BIGINT',
      `CREATE TABLE history_edges (room_id TEXT NOT NULL, prev_event_id TEXT NOT NULL, event_id TEXT NOT NULL, depth BIGINT NOT NULL, history_at BIGINT NOT NULL,
         visibility TEXT NOT NULL, tries INTEGER NOT NULL, PRIMARY KEY (room_id, prev_event_id, event_id)) WITHOUT ROWID`,
      `INSERT INTO history_edges (room_id, prev_event_id, event_id, depth, history_at, visibility, tries)
       SELECT e.room_id, x.prev_event_id, x.event_id, e.depth, e.sequence, e.history_visibility, 0 FROM event_edges x JOIN events e ON e.event_id = x.event_id
       WHERE e.sequence IS NOT NULL AND e.order_key IS NOT NULL`,
      'ALTER TABLE purges ADD COLUMN depth BIGINT',
      'ALTER TABLE purges ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0',
      'ALTER TABLE purges ADD COLUMN to_sequence BIGINT NOT NULL DEFAULT 0',
      'CREATE INDEX purges_by_sequence ON purges (partition, sequence)',
    ],
    fill: addEdgesOfJoins,
  },
  {
    number: 9,
    name: 'room directory',
    statements: [
      `CREATE TABLE published_rooms (room_id TEXT PRIMARY KEY, networks TEXT NOT NULL, room_version TEXT NOT NULL, partition BIGINT NOT NULL, sequence BIGINT NOT NULL,
         input_id TEXT NOT NULL) WITHOUT ROWID`,
      'CREATE UNIQUE INDEX published_rooms_by_sequence ON published_rooms (partition, sequence)',
    ],
  },
  { number: 10, name: 'who took a knock', statements: ["ALTER TABLE outside_memberships ADD COLUMN origin TEXT NOT NULL DEFAULT ''"] },
  {
    number: 11,
    name: 'rooms that guests have to leave',
    statements: [
      'CREATE TABLE barred_rooms (room_id TEXT PRIMARY KEY, event_id TEXT NOT NULL, partition BIGINT NOT NULL) WITHOUT ROWID',
      'CREATE INDEX barred_rooms_by_partition ON barred_rooms (partition)',
    ],
  },
  {
    number: 12,
    name: 'annotations of users here',
    statements: [
      'CREATE TABLE annotations (annotation_ref TEXT PRIMARY KEY, event_id TEXT NOT NULL) WITHOUT ROWID',
      'CREATE UNIQUE INDEX annotations_by_event ON annotations (event_id)',
    ],
  },
  {
    number: 13,
    name: 'rooms without members',
    statements: [
      `CREATE TABLE partial_rooms (room_id TEXT PRIMARY KEY, room_version TEXT NOT NULL, partition BIGINT NOT NULL, event_id TEXT NOT NULL, state_id BIGINT NOT NULL, origin TEXT NOT NULL,
         servers TEXT NOT NULL, sequence BIGINT NOT NULL, end_sequence BIGINT NOT NULL, state INTEGER NOT NULL, tries BIGINT NOT NULL, retry_at BIGINT NOT NULL, begun_at BIGINT NOT NULL) WITHOUT ROWID`,
      'CREATE INDEX partial_rooms_by_state ON partial_rooms (state, partition)',
      'CREATE INDEX partial_rooms_by_sequence ON partial_rooms (partition, sequence)',
      'CREATE INDEX partial_rooms_by_end ON partial_rooms (partition, end_sequence)',
    ],
  },
  {
    // A snapshot may have megabytes. SQLite keeps the rows of a table WITHOUT ROWID in its keys, and reads such a row whole for each comparison with it.
    number: 14,
    name: 'snapshots beside their keys',
    statements: [
      'CREATE TABLE new_state_snapshots (room_id TEXT NOT NULL, state_id BIGINT NOT NULL, entries BIGINT NOT NULL, event_ids TEXT NOT NULL, PRIMARY KEY (room_id, state_id))',
      'INSERT INTO new_state_snapshots (room_id, state_id, entries, event_ids) SELECT room_id, state_id, entries, event_ids FROM state_snapshots',
      'DROP TABLE state_snapshots',
      'ALTER TABLE new_state_snapshots RENAME TO state_snapshots',
    ],
  },
];
