/** States of random histories with branches of any length: each is what a plain walk says, and within the bound of `state-snapshots.ts` above a snapshot of its own branch. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { migrate } from '../../../pkg/storage/migrate.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { openSqlite } from '../../../pkg/storage/sqlite/open.ts';
import { roomserverMigrations } from './migrations.ts';
import { readStates } from './read-state.ts';
import { writeSnapshots } from './state-snapshots.ts';

const ROOM = '!room:test';
const INTERVAL = 8;

interface Node {
  readonly stateId: number;
  readonly prev: Node | undefined;
  readonly depth: number;
  readonly entries: ReadonlyMap<string, string>;
  readonly changes: readonly { key: string; eventId: string; replaces: string | undefined }[];
}

/** `on`: which state it is made on: mostly the tip of some branch, now and then any state at all. */
const seeds = fc.array(fc.record({ branch: fc.nat(5), isFork: fc.nat(30), on: fc.nat(10_000), keys: fc.array(fc.nat(30), { minLength: 1, maxLength: 3 }), isEnd: fc.nat(8) }), { minLength: 150, maxLength: 500 });
type Seed = typeof seeds extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

function nodesOf(list: readonly Seed[]): Node[] {
  const nodes: Node[] = [];
  const tips: Node[] = [];
  for (const { branch, isFork, on, keys, isEnd } of list) {
    const tip = tips[branch % Math.max(1, tips.length)];
    const prev = isFork === 0 ? nodes[on % Math.max(1, nodes.length)] : tip;
    const entries = new Map(prev?.entries);
    const changes = [...new Set(keys)].map((number) => {
      const key = `k${number}`;
      const replaces = entries.get(key);
      const eventId = isEnd === 0 && replaces !== undefined ? '' : `$${nodes.length}.${number}`;
      if (eventId === '') entries.delete(key);
      else entries.set(key, eventId);
      return { key, eventId, replaces };
    });
    const node = { stateId: nodes.length + 1, prev, depth: (prev?.depth ?? 0) + 1, entries, changes };
    nodes.push(node);
    const at = isFork === 0 ? -1 : tips.indexOf(tip!);
    if (at >= 0) tips[at] = node;
    else tips.push(node);
  }
  return nodes;
}

async function store(database: Database, nodes: readonly Node[], batchSize: number): Promise<void> {
  for (let at = 0; at < nodes.length; at += batchSize) {
    const batch = nodes.slice(at, at + batchSize);
    await database.transaction(async (tx) => {
      await tx.insertMany({
        into: 'state_deltas', columns: ['room_id', 'state_id', 'type', 'state_key', 'prev_state_id', 'event_id', 'replaces', 'depth', 'partition', 'sequence'],
        rows: batch.flatMap((node) => node.changes.map(({ key, eventId, replaces }) => [ROOM, node.stateId, 't', key, node.prev?.stateId ?? 0, eventId, replaces ?? null, node.depth, 0, 0])),
      });
      await writeSnapshots(tx, batch.map(({ stateId, depth }) => ({ roomId: ROOM, stateId, depth })), INTERVAL);
    });
  }
}

/** Steps down to a state that has a snapshot, or to the empty one; and how many entries are there. */
function distance(node: Node, snapshots: ReadonlyMap<number, number>): { steps: number; entries: number } {
  let [at, steps] = [node as Node | undefined, 0];
  while (at !== undefined && !snapshots.has(at.stateId)) [at, steps] = [at.prev, steps + 1];
  return { steps, entries: at === undefined ? 0 : at.entries.size };
}

async function opened(): Promise<Database> {
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'roomserver', roomserverMigrations, 0);
  return database;
}

async function snapshotsOf(database: Database): Promise<Map<number, number>> {
  const rows = await database.query<{ state_id: number; entries: number }>('SELECT state_id, entries FROM state_snapshots');
  return new Map(rows.map((row) => [row.state_id, row.entries]));
}

test('any state of any history with forks is found, and is a bounded number of steps away; the snapshots are the same whatever the batches', async () => {
  let written = 0;
  let besides = 0;
  await fc.assert(fc.asyncProperty(seeds, fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(10_000), { minLength: 1, maxLength: 20 }), async (list, batchSize, picks) => {
    const nodes = nodesOf(list);
    const [database, other] = [await opened(), await opened()];
    await store(database, nodes, batchSize);
    await store(other, nodes, 1);
    const snapshots = await snapshotsOf(database);
    assert.deepEqual(snapshots, await snapshotsOf(other));
    written += snapshots.size;
    for (const node of nodes) {
      const { steps, entries } = distance(node, snapshots);
      assert.ok(steps <= 2 * Math.max(INTERVAL, entries) + 2 * INTERVAL, `state ${node.stateId} is ${steps} steps above a snapshot of ${entries} entries`);
      if (steps > INTERVAL) besides += 1;
    }
    const wanted = picks.map((pick) => nodes[pick % nodes.length]!);
    const states = await readStates(database, ROOM, [0, ...wanted.map(({ stateId }) => stateId)]);
    assert.deepEqual(states.get(0), []);
    for (const node of wanted) assert.deepEqual(states.get(node.stateId)!.toSorted(), [...node.entries.values()].sort());
    await Promise.all([database.close(), other.close()]);
  }), { numRuns: 60, endOnFailure: true });
  assert.ok(written > 60 && besides > 60, `${written} snapshots, ${besides} states far from one`);
});

test('a branch that grows beside a busier one has snapshots of its own', async () => {
  const database = await opened();
  const nodes: Node[] = [];
  const grow = (prev: Node | undefined): Node => {
    const stateId = nodes.length + 1;
    const entries = new Map(prev?.entries).set(`k${stateId % 5}`, `$${stateId}`);
    const node = { stateId, prev, depth: (prev?.depth ?? 0) + 1, entries, changes: [{ key: `k${stateId % 5}`, eventId: `$${stateId}`, replaces: prev?.entries.get(`k${stateId % 5}`) }] };
    nodes.push(node);
    return node;
  };
  let [main, side] = [grow(undefined), undefined as Node | undefined];
  side = main;
  for (let round = 0; round < 200; round += 1) {
    for (let busy = 0; busy < 5; busy += 1) main = grow(main);
    side = grow(side);
  }
  await store(database, nodes, 50);
  const snapshots = await snapshotsOf(database);
  for (const node of [main, side]) assert.ok(distance(node, snapshots).steps <= 4 * INTERVAL, `${distance(node, snapshots).steps} steps`);
  assert.deepEqual((await readStates(database, ROOM, [side.stateId])).get(side.stateId)!.toSorted(), [...side.entries.values()].sort());
  await database.close();
});

test('thousands of branches that become due at once do not copy the state thousands of times', async () => {
  const database = await opened();
  const entries = new Map(Array.from({ length: 100 }, (_, number) => [`m${number}`, `$m${number}`]));
  const nodes: Node[] = [{ stateId: 1, prev: undefined, depth: 1, entries, changes: [...entries].map(([key, eventId]) => ({ key, eventId, replaces: undefined })) }];
  const add = (prev: Node): Node => {
    const node = { stateId: nodes.length + 1, prev, depth: prev.depth + 1, entries: new Map(prev.entries).set('k', `$${nodes.length}`), changes: [{ key: 'k', eventId: `$${nodes.length}`, replaces: prev.entries.get('k') }] };
    nodes.push(node);
    return node;
  };
  let trunk = nodes[0]!;
  while (trunk.depth < 15 * INTERVAL - 1) trunk = add(trunk);
  for (let branch = 0; branch < 1000; branch += 1) add(trunk);
  await store(database, nodes, 100);
  const snapshots = await snapshotsOf(database);
  assert.ok(snapshots.size <= nodes.length / 50 + 2, `${snapshots.size} snapshots of 100 entries for ${nodes.length} states`);
  await database.close();
});
