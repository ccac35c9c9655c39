import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addTo, countAfter, endOf, LEVEL_NUMBERS, nodeAt, parentsAfter, type NodeRow, type UnreadCounts } from './tree.ts';

const TREE = { roomId: '!room:one.test', audience: '#' };
const KEYS_MAX = 3_000_000;

function nodesOf(leaves: readonly { orderKey: number; thread: string }[]): Map<string, NodeRow[]> {
  const rows = new Map<string, NodeRow>();
  for (const { orderKey, thread } of leaves) {
    for (const level of LEVEL_NUMBERS) {
      const { parent, start } = nodeAt(TREE, level, orderKey);
      const row = rows.get(JSON.stringify([parent, start, thread])) ?? { parent, start, thread_id: thread, level, notify: 0, highlight: 0, sequence: 0 };
      rows.set(JSON.stringify([parent, start, thread]), { ...row, notify: row.notify + 1 });
    }
  }
  return Map.groupBy(rows.values(), (row) => row.parent);
}

test('the nodes beside the path to a place hold all that comes after it, once', () => {
  const key = fc.oneof(fc.integer({ min: 1, max: KEYS_MAX }), fc.integer({ min: 1, max: 600 }), fc.integer({ min: 16_300, max: 16_500 }));
  fc.assert(fc.property(fc.uniqueArray(key, { maxLength: 80 }), key, (keys, from) => {
    const leaves = keys.map((orderKey) => ({ orderKey, thread: orderKey % 3 === 0 ? '$root' : 'main' }));
    const expected = new Map<string, UnreadCounts>();
    for (const { orderKey, thread } of leaves) if (orderKey > from) addTo(expected, thread, { notify: 1, highlight: 0 });
    const nodes = nodesOf(leaves);
    const read = new Map(parentsAfter(TREE, from).map((parent) => [parent, nodes.get(parent) ?? []]));
    assert.deepEqual(countAfter(read, TREE, from), expected);
  }), { numRuns: 400, seed: 20_261_121 });
});

test('a hundred thousand are counted from a few hundred nodes', () => {
  const leaves = Array.from({ length: 100_000 }, (_, index) => ({ orderKey: index + 1, thread: 'main' }));
  const nodes = nodesOf(leaves);
  for (const from of [0, 1, 49_999, 99_999]) {
    const read = new Map(parentsAfter(TREE, from).map((parent) => [parent, nodes.get(parent) ?? []]));
    assert.equal(countAfter(read, TREE, from).get('main')?.notify ?? 0, 100_000 - from);
    assert.ok([...read.values()].flat().length <= 320);
  }
});

test('where a node ends another begins', () => {
  for (const level of LEVEL_NUMBERS) {
    const end = endOf(level, nodeAt(TREE, level, 20_000).start);
    assert.deepEqual([nodeAt(TREE, level, end - 1).start, nodeAt(TREE, level, end).start], [nodeAt(TREE, level, 20_000).start, nodeAt(TREE, level, 20_000).start + 1]);
  }
});
