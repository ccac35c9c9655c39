/** A room as a random graph of events with a random tree of states, written straight into the roomserver's tables, and its plain description to compare answers with. */
import fc from 'fast-check';
import { roomserverMigrations } from '../../components/roomserver/storage/migrations.ts';
import { stateRef } from '../../components/roomserver/storage/refs.ts';
import type { Database, SqlValue } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';

export const HOSTS = ['a.example', 'b.example', 'xb.example'];
export const USERS = HOSTS.flatMap((host) => [`@one:${host}`, `@two:${host}`]);
export const VISIBILITIES = ['joined', 'invited', 'shared', 'world_readable'];
export const ROOM = '!graph:a.example';

/** Numbers that `graphOf` makes an event of. */
export const seeds = fc.array(fc.record({
  prevs: fc.array(fc.nat(4), { minLength: 1, maxLength: 3 }), auth: fc.array(fc.nat(100), { maxLength: 3 }), ts: fc.nat(12), visibility: fc.nat(3),
  kind: fc.constantFrom('join', 'join', 'leave', 'invite', 'topic', 'message', 'message'), user: fc.nat(USERS.length - 1), snapshot: fc.nat(5),
}), { minLength: 1, maxLength: 40 });

type Seed = typeof seeds extends fc.Arbitrary<(infer One)[]> ? One : never;

export interface GraphEvent {
  readonly eventId: string;
  readonly orderKey: number;
  readonly prevs: readonly GraphEvent[];
  readonly auth: readonly GraphEvent[];
  readonly depth: number;
  readonly ts: number;
  readonly visibility: string;
  readonly key: readonly [type: string, stateKey: string] | undefined;
  readonly type: string;
  readonly content: { readonly membership?: string };
  readonly before: GraphState;
  readonly after: GraphState;
}

export interface GraphState {
  readonly stateId: number;
  readonly depth: number;
  /** By the JSON of type and state key. */
  readonly entries: ReadonlyMap<string, GraphEvent>;
}

export function graphOf(list: readonly Seed[]): GraphEvent[] {
  const events: GraphEvent[] = [];
  let states = 0;
  for (const seed of list) {
    const prevs = [...new Set(seed.prevs.flatMap((back) => events.at(-1 - back) ?? []))];
    const before = prevs[0]?.after ?? { stateId: 0, depth: 0, entries: new Map<string, GraphEvent>() };
    const isMember = ['join', 'leave', 'invite'].includes(seed.kind);
    const key = isMember ? (['m.room.member', USERS[seed.user]!] as const) : seed.kind === 'topic' ? (['m.room.topic', ''] as const) : undefined;
    const entries = new Map(before.entries);
    const after = key === undefined ? before : { stateId: (states += 1), depth: before.depth + 1, entries };
    const event: GraphEvent = {
      eventId: `$event${events.length}`, orderKey: events.length + 1, prevs, auth: [...new Set(seed.auth.flatMap((index) => events[index] ?? []))],
      depth: Math.max(0, ...prevs.map((prev) => prev.depth)) + 1, ts: 1000 + seed.ts, visibility: VISIBILITIES[seed.visibility]!, key,
      type: key?.[0] ?? 'm.room.message', content: isMember ? { membership: seed.kind } : {}, before, after,
    };
    if (key !== undefined) entries.set(JSON.stringify(key), event);
    events.push(event);
  }
  return events;
}

/** Snapshots stand where the seeds say so: wherever they are, answers are the same. */
export async function storeGraph(database: Database, events: readonly GraphEvent[], list: readonly Seed[]): Promise<void> {
  await migrate(database, 'roomserver', roomserverMigrations, 1);
  const last = events.at(-1)!;
  const changes = events.filter((event) => event.key !== undefined);
  await database.transaction(async (tx) => {
    const insert = (into: string, columns: string, rows: SqlValue[][]) => rows.length > 0 && tx.insertMany({ into, columns: columns.split(' '), rows });
    await insert('rooms', 'room_id room_version partition creator create_event_id order_key depth state_id state_depth forward_extremities', [
      [ROOM, '11', 0, USERS[0]!, '$event0', last.orderKey, last.depth, last.after.stateId, last.after.depth, JSON.stringify([last.eventId])],
    ]);
    await insert('events', 'event_id room_id order_key partition sequence type state_key sender depth origin_server_ts state_id history_visibility input_id device_id txn_id json', events.map(
      (event) => [event.eventId, ROOM, event.orderKey, 0, event.orderKey, event.type, event.key?.[1] ?? null, USERS[0]!, event.depth, event.ts, event.after.stateId, event.visibility,
        '', '', '', Buffer.from(JSON.stringify(pduOf(event)))]));
    await insert('state_deltas', 'room_id state_id type state_key prev_state_id event_id replaces depth partition sequence', changes.map(
      (event) => [ROOM, event.after.stateId, ...event.key!, event.before.stateId, event.eventId, event.before.entries.get(JSON.stringify(event.key))?.eventId ?? null, event.after.depth, 0,
        event.orderKey]));
    await insert('current_state', 'state_ref room_id type state_key event_id membership', [...last.after.entries.values()].map(
      ({ key, eventId, content }) => [stateRef(ROOM, ...key!), ROOM, ...key!, eventId, content.membership ?? null]));
    await insert('state_snapshots', 'room_id state_id entries event_ids', changes.filter((event) => list[event.orderKey - 1]!.snapshot === 0).map(
      ({ after }) => [ROOM, after.stateId, after.entries.size, JSON.stringify([...after.entries.values()].map(({ eventId }) => eventId))]));
  });
}

function pduOf(event: GraphEvent): object {
  return {
    type: event.type, ...(event.key !== undefined && { state_key: event.key[1] }), sender: USERS[0], room_id: ROOM, content: event.content, depth: event.depth,
    prev_events: event.prevs.map(({ eventId }) => eventId), auth_events: event.auth.map(({ eventId }) => eventId), origin_server_ts: event.ts,
  };
}
