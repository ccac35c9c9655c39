import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runFederatedSeed } from './run-federated.ts';

/** Begun where servers join branches, too, which not every world has them do. */
const FIRST_SEED = 8;
const SEEDS = 6;
/** `<servers>:<seed> what it found`, one a line. */
const remembered = readFileSync(new URL('./seeds.txt', import.meta.url), 'utf8').split('\n').filter((line) => /^\d/.test(line)).map((line) => line.split(/[: ]/, 2).map(Number) as [number, number]);

test(`the laws hold in ${SEEDS} seeded worlds of two servers`, async (t) => {
  const totals = { crashes: 0, splits: 0, failed: 0, lies: 0 };
  let joints = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const { violations, counts, network, lies, joints: made } = await runFederatedSeed(seed, { servers: 2 });
    assert.deepEqual(violations, [], `npm run sim -- --servers 2 --seed ${seed} --trace`);
    for (const [name, count] of Object.entries({ crashes: counts.crashes, splits: network.splits, failed: network.failed, lies }) as [keyof typeof totals, number][]) totals[name] += count;
    joints += made;
  }
  // Worlds in which nothing goes wrong would show nothing.
  for (const [name, count] of Object.entries(totals)) assert.ok(count > SEEDS / 2, `${name}: ${JSON.stringify(totals)}`);
  assert.ok(joints > 0, 'no server has joined branches');
  t.diagnostic(JSON.stringify({ ...totals, joints }));
});

for (const [servers, seed] of remembered) {
  test(`seed ${seed} of ${servers} servers, which once failed`, async () => {
    assert.deepEqual((await runFederatedSeed(seed, { servers })).violations, []);
  });
}

test('three servers agree as two do', async () => {
  for (const seed of [1]) assert.deepEqual((await runFederatedSeed(seed, { servers: 3 })).violations, [], `npm run sim -- --servers 3 --seed ${seed} --trace`);
});

test('one seed is one trace', async () => {
  for (const seed of [2024]) {
    const [one, other] = [await runFederatedSeed(seed, { servers: 2 }), await runFederatedSeed(seed, { servers: 2 })];
    assert.equal(one.trace, other.trace);
    assert.equal(one.steps, other.steps);
  }
});
