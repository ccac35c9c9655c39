/** By the places of events in chains, auth chains, auth differences and conflicted state subgraphs of random rooms are what a plain walk along all auth events finds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { authEventIds } from '../../../pkg/matrix/events/pdu.ts';
import { authDifference, conflictedSubgraph, withAuthChains } from '../../../pkg/matrix/state-res/auth-chains.ts';
import { reachOf, type ChainLink, type Position } from '../../../pkg/matrix/state-res/chain-cover.ts';
import { conflictedEvents, conflictedSlots, type StateSet } from '../../../pkg/matrix/state-res/conflicts.ts';
import type { Slot } from '../../../pkg/matrix/state-res/slot.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { migrate } from '../../../pkg/storage/migrate.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { oddRoom, randomRoom, stateSetsOf } from '../../../test/kit/random-room.ts';
import { bytesOf } from '../../../test/kit/received-room.ts';
import type { RoomDag } from '../../../test/kit/room-dag.ts';
import { commitBatch } from '../input/commit.ts';
import type { NewEvent } from '../input/effects.ts';
import { headOf, setState } from '../input/room-head.ts';
import { placeAllInChains } from '../storage/auth-chains.ts';
import { roomserverMigrations } from '../storage/migrations.ts';
import { stateRef } from '../storage/refs.ts';
import { authDifferenceAt, conflictedSubgraphAt } from './auth-difference.ts';
import { loadWanted } from './load-graph.ts';
import { keyOf, type GraphAt } from './overlay.ts';
import { addNewEvent, createGraph } from './room-graph.ts';

const PARTITION = 3;

interface Case {
  readonly dag: RoomDag;
  readonly sets: readonly StateSet[];
  /** Sizes of the batches in which events are committed. */
  readonly sizes: readonly number[];
  /** How many of the newest events are not committed yet, and how many before them an older version of the program wrote. */
  readonly loose: number;
  readonly unplaced: number;
  /** By turns: whether a slot that all sets agree on is looked at with those that differ; is in memory; has another event in the tables. */
  readonly picks: readonly number[];
}

function cases(version: string): fc.Arbitrary<Case> {
  return fc.oneof(randomRoom(version), oddRoom(version, 40)).chain((dag) => fc.record({
    dag: fc.constant(dag), sets: stateSetsOf(dag), sizes: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }), loose: fc.nat(6), unplaced: fc.nat(6),
    picks: fc.array(fc.nat(7), { minLength: 3, maxLength: 20 }),
  }));
}

function newEvent(dag: RoomDag, eventId: string): NewEvent {
  const { pdu } = dag.events.get(eventId)!;
  return {
    eventId, pdu, bytes: bytesOf(pdu), kind: 'outlier', verdict: 'accepted', orderKey: null, sequence: null, stateId: null, states: [], historyVisibility: 'shared',
    deviceId: '', txnId: '', redacts: undefined, stateBeforeDiffers: false, relayOf: '',
  };
}

async function commit(database: Database, dag: RoomDag, eventIds: readonly string[]): Promise<void> {
  const place = { partition: PARTITION, epoch: 1, nextSequence: 1, nowMs: 1 };
  const effects = { inputId: 'input', roomId: dag.roomId, events: eventIds.map((eventId) => newEvent(dag, eventId)), redactions: [] };
  await database.transaction((tx) => commitBatch(tx, [{ place, effects }]));
}

/** The events stay, as they were stored before there were places. */
async function takePlacesFrom(database: Database, eventIds: readonly string[]): Promise<void> {
  await database.transaction(async (tx) => {
    for (const eventId of eventIds) {
      await tx.run('DELETE FROM auth_links WHERE EXISTS (SELECT 1 FROM events WHERE event_id = ? AND auth_chain = origin_chain AND auth_seq = origin_seq)', [eventId]);
      await tx.run('UPDATE events SET auth_chain = NULL, auth_seq = NULL WHERE event_id = ?', [eventId]);
    }
  });
}

/** Whether every auth chain is what the plain walk finds, without the create event, which is in all of them. */
async function checkPlaces(database: Database, dag: RoomDag, eventIds: readonly string[]): Promise<void> {
  const rows = await database.query<{ event_id: string; auth_chain: number; auth_seq: number }>('SELECT event_id, auth_chain, auth_seq FROM events WHERE state_key IS NOT NULL');
  const positions = new Map<string, Position>(rows.map((row) => [row.event_id, { chain: row.auth_chain, seq: row.auth_seq }]));
  const links = new Map<number, ChainLink[]>();
  for (const row of await database.query<Record<string, number>>('SELECT * FROM auth_links')) {
    const link = { seq: row['origin_seq']!, target: { chain: row['target_chain']!, seq: row['target_seq']! } };
    links.set(row['origin_chain']!, [...(links.get(row['origin_chain']!) ?? []), link]);
  }
  // Rejected events may cite what nobody has, and are in no auth chain.
  for (const eventId of eventIds.filter((one) => dag.pdu(one)!.state_key !== undefined && dag.events.get(one)!.verdict.allowed)) {
    const reach = reachOf([positions.get(eventId)!], (chain) => links.get(chain) ?? []);
    const found = [...positions].filter(([other, { chain, seq }]) => other !== dag.createId && seq <= (reach.get(chain) ?? 0)).map(([other]) => other);
    const walked = [...withAuthChains([eventId], (one) => authEventIds(dag.pdu(one)!))].filter((other) => other !== dag.createId && dag.pdu(other)!.state_key !== undefined);
    assert.deepEqual(found.sort(), walked.sort(), `auth chain of ${eventId}`);
  }
}

/** The room with one of the sets as its current state, and where the sets may differ from it. */
async function standing({ dag, sets, loose, picks }: Case, database: Database, stored: ReadonlySet<string>): Promise<{ at: GraphAt; slots: Set<Slot> }> {
  const room = {
    roomId: dag.roomId, roomVersion: dag.version.id, partition: PARTITION, creator: '', createEventId: dag.createId, orderKey: 1, depth: 1, stateId: 1, stateDepth: 1, lastStateId: 1, extremities: [],
  };
  const at = { head: headOf(room, dag.version, false), graph: createGraph(dag.roomId) };
  for (const eventId of [...dag.events.keys()].slice(dag.events.size - loose)) addNewEvent(at.graph, newEvent(dag, eventId));
  const current = sets.at(-1)!;
  const slots = new Set(conflictedSlots(sets).conflicted.keys());
  let turn = 0;
  for (const [slot, eventId] of current) {
    const pick = picks[(turn += 1) % picks.length]!;
    if ((pick & 1) !== 0) slots.add(slot);
    const isInTables = stored.has(eventId) && (pick & 6) !== 6;
    if ((pick & 2) !== 0 || !isInTables) setState(at.head, ...keyOf(slot), { eventId, pdu: dag.pdu(eventId)! });
    const row = isInTables ? eventId : [...sets[0]!.values()].find((other) => stored.has(other))!;
    await database.transaction((tx) => tx.run('INSERT INTO current_state (state_ref, room_id, type, state_key, event_id) VALUES (?, ?, ?, ?, ?)', [stateRef(dag.roomId, ...keyOf(slot)), dag.roomId, ...keyOf(slot), row]));
  }
  return { at, slots };
}

async function untilLoaded<T>(database: Database, at: GraphAt, ask: () => T | undefined): Promise<T> {
  const loading = { database, recent: { get: () => undefined, put: () => undefined }, stagedState: { stateIds: async () => [] } };
  for (let loads = 0; loads < 30; loads += 1) {
    const answer = ask();
    if (answer !== undefined) return answer;
    await loadWanted(loading, at.graph, at.head);
  }
  throw new Error('a question goes on lacking rows');
}

async function check(one: Case): Promise<void> {
  const { dag, sets, sizes, loose, unplaced } = one;
  const database = await openSqlite({ path: ':memory:' });
  try {
    await migrate(database, 'roomserver', roomserverMigrations, 1);
    const stored = [...dag.events.keys()].slice(0, dag.events.size - loose);
    const older = stored.slice(Math.max(1, stored.length - unplaced));
    for (let from = 0, turn = 0; from < stored.length; turn += 1) {
      const size = sizes[turn % sizes.length]!;
      await commit(database, dag, stored.slice(from, from + size).reverse());
      from += size;
    }
    await checkPlaces(database, dag, stored);
    await takePlacesFrom(database, older);
    await compare(one, database, new Set(stored));
    // Twice, as after a doubtful commit: an event has one place.
    for (let times = 0; times < 2; times += 1) await commit(database, dag, [...dag.events.keys()].slice(-loose - 1));
    await database.transaction(placeAllInChains);
    await checkPlaces(database, dag, stored);
    assert.ok(sets.length > 0);
  } finally {
    await database.close();
  }
}

async function compare(one: Case, database: Database, stored: ReadonlySet<string>): Promise<void> {
  const { dag, sets } = one;
  const conflicts = conflictedSlots(sets);
  if (conflicts.conflicted.size === 0) return;
  const { at, slots } = await standing(one, database, stored);
  const stateSets = sets.map((set) => new Map([...set].filter(([slot]) => slots.has(slot))));
  const authEventsOf = (eventId: string): readonly string[] => authEventIds(dag.pdu(eventId)!);
  const unconflicted = (slot: Slot): string | undefined => {
    assert.ok(slots.has(slot));
    return conflicts.unconflicted(slot);
  };
  const difference = await untilLoaded(database, at, () => authDifferenceAt(at, { slots, stateSets, conflicts: { ...conflicts, unconflicted } }));
  assert.deepEqual([...difference].sort(), [...authDifference({ stateSets: sets, conflicts, authEventsOf })].sort(), 'auth difference');
  const subgraph = await untilLoaded(database, at, () => conflictedSubgraphAt(at, conflicts));
  assert.deepEqual([...subgraph].sort(), [...conflictedSubgraph(conflictedEvents(conflicts.conflicted), authEventsOf)].sort(), 'conflicted state subgraph');
}

for (const version of ['2', '6', '11', '12']) {
  test(`rooms of version ${version}`, async () => {
    const details = await fc.check(fc.asyncProperty(cases(version), check), { numRuns: 60, endOnFailure: true });
    if (details.failed) throw new Error(`fails for seed ${details.seed}, path ${details.counterexamplePath}`, { cause: details.errorInstance });
  });
}
