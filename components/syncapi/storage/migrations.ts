/**
 * The read model of rooms and of what belongs to users. Everything here can be dropped and is rebuilt equal from room-output and user-output.
 *
 * - No event bytes: those are in the owner's tables, hot ones in `events/event-cache.ts`.
 * - A *slot* is the JSON text of [room ID, type, state key]: one indexed column by which any number of state keys is asked for in one query.
 * - Intervals hold from `from_sequence` on and no longer at `to_sequence` (`OPEN` while they are current): the state of a room at any
 *   sequence number of its partition is a range query.
 * - `rooms.reset_sequence`: where the room's state began anew, because this server joined it (again) by way of another one; 0: never.
 * - `rooms.hidden_sequence`: where the room's state last changed without an event in the timeline. `rooms.purged_sequence`: up to where its timeline was purged.
 * - `rooms.members_sequence`: where the room's members, or what is told of them, last changed. `rooms.joined_here`: how many users of this server are in it; null: it was not counted from the beginning.
 * - `membership_changes`: where in each partition of rooms the memberships of a user of this server were last written; without a row: not since there is this table.
 * - `timeline.state_before_differs`: the event was sent into another state than the one that the intervals tell of (a fork, a gap): what its readers were then is asked of the
 *   room's owner.
 * - `timeline.others_changed`: with the event, the room's state changed in more than what the event itself sets (state resolution).
 * - `timeline.history_at`: of history from before this server took part (order keys below 0): its readers are those of the event with this sequence number; 0: nobody is.
 * - `partial_rooms`: rooms that were joined without their members: between these two sequence numbers they came.
 * - `forgotten_at`: at which sequence number the user forgot the room that they had left by this row; 0: not. Another membership is another row.
 * - `relations`: events of the timeline that relate to others (`pkg/matrix/relations`), until they are redacted; the parent may be unknown, or in another room. `is_edit`: it has what a replacement has to
 *   have by itself. `is_restricted`: it was sent while not all who join later might read it. `threads`: of each event that threads name as their root, how many events do, how many of these are
 *   restricted, and the newest.
 * - `public_rooms`: rooms that stand in a list of the room directory (`networks`, a JSON list; `is_listed`: in this server's own), with what is told and searched of them. How many are
 *   joined is in `rooms`.
 * - `erased_users`: `room_sequences` is a JSON list, how far the partitions of rooms were when the erasure was asked for.
 * - `outside_memberships`: the newest of what other servers said of users here in rooms that this one was not in, with all that a client is told of it: there is no room that it
 *   could be read from. Once a user here has joined, the room tells of itself.
 * - `unread_nodes`: what notifies, with its sums (`unread/tree.ts`); `audience` is a group of users with equal rules, or a user. `unread_marks`: up to where users have read, and of which group
 *   they are from where on. `rule_changes`, `rule_versions`: who has ever changed what decides about notices, and per partition of user-output when that last happened.
 * - `device_list_changes`: where in user-output the devices or cross-signing keys of a user last changed, of other servers' users too. `device_key_counts`: what others can still claim of a device, JSON.
 */
import type { Migration } from '../../../pkg/storage/database.ts';

export const syncapiMigrations: readonly Migration[] = [
  {
    number: 1,
    name: 'read model of the spine',
    statements: [
      `CREATE TABLE rooms (
        room_id TEXT NOT NULL PRIMARY KEY,
        version TEXT NOT NULL,
        partition_number BIGINT NOT NULL,
        last_sequence BIGINT NOT NULL,
        last_order_key BIGINT NOT NULL,
        joined_count BIGINT NOT NULL,
        invited_count BIGINT NOT NULL,
        history_visibility TEXT NOT NULL
      )`,
      `CREATE TABLE timeline (
        room_id TEXT NOT NULL,
        order_key BIGINT NOT NULL,
        event_id TEXT NOT NULL,
        partition_number BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        type TEXT NOT NULL,
        sender TEXT NOT NULL,
        state_key TEXT,
        replaces TEXT NOT NULL,
        device_id TEXT NOT NULL,
        txn_id TEXT NOT NULL,
        history_visibility TEXT NOT NULL,
        visibility_before TEXT NOT NULL,
        has_url INTEGER NOT NULL,
        PRIMARY KEY (room_id, order_key)
      )`,
      'CREATE UNIQUE INDEX timeline_by_event ON timeline (event_id)',
      'CREATE INDEX timeline_by_sequence ON timeline (room_id, sequence)',
      `CREATE TABLE redactions (
        event_id TEXT NOT NULL PRIMARY KEY,
        redacted_by TEXT NOT NULL,
        room_id TEXT NOT NULL
      )`,
      `CREATE TABLE state_intervals (
        slot TEXT NOT NULL,
        from_sequence BIGINT NOT NULL,
        to_sequence BIGINT NOT NULL,
        room_id TEXT NOT NULL,
        type TEXT NOT NULL,
        event_id TEXT NOT NULL,
        PRIMARY KEY (slot, from_sequence)
      )`,
      'CREATE INDEX state_intervals_by_end ON state_intervals (room_id, to_sequence)',
      'CREATE INDEX state_intervals_by_start ON state_intervals (room_id, from_sequence)',
      `CREATE TABLE memberships (
        user_id TEXT NOT NULL,
        room_id TEXT NOT NULL,
        from_sequence BIGINT NOT NULL,
        to_sequence BIGINT NOT NULL,
        membership TEXT NOT NULL,
        event_id TEXT NOT NULL,
        partition_number BIGINT NOT NULL,
        slot TEXT NOT NULL,
        PRIMARY KEY (user_id, room_id, from_sequence)
      )`,
      'CREATE INDEX memberships_by_slot ON memberships (slot, to_sequence)',
      'CREATE INDEX memberships_by_room ON memberships (room_id, to_sequence, membership, from_sequence)',
      `CREATE TABLE receipts (
        room_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        receipt_type TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        ts BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        PRIMARY KEY (room_id, user_id, receipt_type, thread_id)
      )`,
      'CREATE INDEX receipts_by_sequence ON receipts (room_id, sequence)',
      `CREATE TABLE account_data (
        user_id TEXT NOT NULL,
        room_id TEXT NOT NULL,
        type TEXT NOT NULL,
        content TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        PRIMARY KEY (user_id, room_id, type)
      )`,
      'CREATE INDEX account_data_by_sequence ON account_data (user_id, sequence)',
    ],
  },
  {
    number: 2,
    name: 'rooms shared with other servers',
    statements: [
      'ALTER TABLE rooms ADD COLUMN reset_sequence BIGINT NOT NULL DEFAULT 0',
      'ALTER TABLE timeline ADD COLUMN state_before_differs INTEGER NOT NULL DEFAULT 0',
      'ALTER TABLE timeline ADD COLUMN others_changed INTEGER NOT NULL DEFAULT 0',
      `CREATE TABLE outside_memberships (
        user_id TEXT NOT NULL,
        room_id TEXT NOT NULL,
        room_version TEXT NOT NULL,
        partition_number BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        membership TEXT NOT NULL,
        event_id TEXT NOT NULL,
        pdu BLOB NOT NULL,
        stripped_state BLOB NOT NULL,
        PRIMARY KEY (user_id, room_id)
      )`,
      'CREATE INDEX outside_memberships_by_room ON outside_memberships (room_id)',
    ],
  },
  {
    number: 3,
    name: 'what timelines do not show',
    statements: ['ALTER TABLE rooms ADD COLUMN hidden_sequence BIGINT NOT NULL DEFAULT 0', 'ALTER TABLE rooms ADD COLUMN purged_sequence BIGINT NOT NULL DEFAULT 0'],
  },
  {
    number: 4,
    name: 'forgotten rooms',
    statements: ['ALTER TABLE memberships ADD COLUMN forgotten_at BIGINT NOT NULL DEFAULT 0', 'ALTER TABLE outside_memberships ADD COLUMN forgotten_at BIGINT NOT NULL DEFAULT 0'],
  },
  {
    number: 5,
    name: 'history from before',
    statements: ['ALTER TABLE timeline ADD COLUMN history_at BIGINT NOT NULL DEFAULT 0'],
  },
  {
    number: 6,
    name: 'relations between events',
    statements: [
      `CREATE TABLE relations (
        room_id TEXT NOT NULL,
        order_key BIGINT NOT NULL,
        child_id TEXT NOT NULL,
        parent_id TEXT NOT NULL,
        rel_type TEXT NOT NULL,
        type TEXT NOT NULL,
        sender TEXT NOT NULL,
        sent_at BIGINT NOT NULL,
        is_edit INTEGER NOT NULL,
        is_restricted INTEGER NOT NULL,
        PRIMARY KEY (room_id, order_key)
      )`,
      'CREATE UNIQUE INDEX relations_by_child ON relations (child_id)',
      'CREATE INDEX relations_by_parent ON relations (parent_id, room_id, order_key)',
      'CREATE INDEX relations_by_type ON relations (parent_id, room_id, rel_type, order_key)',
      'CREATE INDEX relations_by_sender ON relations (parent_id, room_id, sender, rel_type)',
      'CREATE INDEX relations_of_edits ON relations (parent_id, room_id, sender, type, sent_at, child_id) WHERE is_edit = 1',
      `CREATE TABLE threads (
        root_id TEXT NOT NULL,
        room_id TEXT NOT NULL,
        latest_key BIGINT NOT NULL,
        event_count BIGINT NOT NULL,
        restricted_count BIGINT NOT NULL,
        PRIMARY KEY (root_id, room_id)
      )`,
      'CREATE INDEX threads_by_latest ON threads (room_id, latest_key)',
    ],
  },
  {
    number: 7,
    name: 'room directory',
    statements: [
      `CREATE TABLE public_rooms (
        room_id TEXT NOT NULL PRIMARY KEY,
        networks TEXT NOT NULL,
        is_listed INTEGER NOT NULL,
        room_type TEXT NOT NULL,
        search_text TEXT NOT NULL,
        summary TEXT NOT NULL
      )`,
      'CREATE INDEX public_rooms_by_list ON public_rooms (is_listed)',
    ],
  },
  { number: 8, name: 'erased users', statements: ['CREATE TABLE erased_users (user_id TEXT NOT NULL PRIMARY KEY, room_sequences TEXT NOT NULL)'] },
  {
    number: 9,
    name: 'unread counts',
    statements: [
      `CREATE TABLE unread_nodes (
        parent TEXT NOT NULL,
        start BIGINT NOT NULL,
        thread_id TEXT NOT NULL,
        level INTEGER NOT NULL,
        room_id TEXT NOT NULL,
        audience TEXT NOT NULL,
        notify BIGINT NOT NULL,
        highlight BIGINT NOT NULL,
        actions TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        PRIMARY KEY (parent, start, thread_id)
      ) WITHOUT ROWID`,
      'CREATE INDEX unread_nodes_by_place ON unread_nodes (room_id, level, start)',
      `CREATE TABLE unread_marks (
        user_id TEXT NOT NULL,
        room_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        order_key BIGINT NOT NULL,
        audience TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        PRIMARY KEY (user_id, room_id, kind, name)
      ) WITHOUT ROWID`,
      'CREATE INDEX unread_marks_by_room ON unread_marks (room_id, kind)',
      'CREATE TABLE rule_changes (user_id TEXT NOT NULL PRIMARY KEY, partition_number BIGINT NOT NULL, sequence BIGINT NOT NULL)',
      'CREATE INDEX rule_changes_by_sequence ON rule_changes (partition_number, sequence)',
      'CREATE TABLE rule_versions (partition_number BIGINT NOT NULL PRIMARY KEY, sequence BIGINT NOT NULL)',
    ],
  },
  {
    number: 10,
    name: 'state without members',
    // Of a large room nearly all state is members, and who loads those lazily wants the rest.
    statements: [`CREATE INDEX state_intervals_of_others ON state_intervals (room_id, to_sequence) WHERE type <> 'm.room.member'`],
  },
  { number: 11, name: 'times of notices', statements: ['ALTER TABLE unread_nodes ADD COLUMN sent_at BIGINT NOT NULL DEFAULT 0'] },
  {
    number: 12,
    name: 'device lists',
    statements: [
      'ALTER TABLE rooms ADD COLUMN members_sequence BIGINT NOT NULL DEFAULT 0',
      'UPDATE rooms SET members_sequence = last_sequence',
      'CREATE TABLE device_list_changes (user_id TEXT NOT NULL PRIMARY KEY, partition_number BIGINT NOT NULL, sequence BIGINT NOT NULL)',
      'CREATE INDEX device_list_changes_by_sequence ON device_list_changes (partition_number, sequence)',
      `CREATE TABLE device_key_counts (user_id TEXT NOT NULL, device_id TEXT NOT NULL, counts TEXT NOT NULL, unused_fallbacks TEXT NOT NULL, sequence BIGINT NOT NULL,
        PRIMARY KEY (user_id, device_id))`,
    ],
  },
  { number: 13, name: 'rooms without members', statements: ['CREATE TABLE partial_rooms (room_id TEXT NOT NULL PRIMARY KEY, began BIGINT NOT NULL, ended BIGINT NOT NULL)'] },
  { number: 14, name: 'users here in rooms', statements: ['ALTER TABLE rooms ADD COLUMN joined_here BIGINT'] },
  {
    number: 15,
    name: 'where memberships changed',
    statements: ['CREATE TABLE membership_changes (user_id TEXT NOT NULL, partition_number BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (user_id, partition_number)) WITHOUT ROWID'],
  },
];
