import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runSeed } from './run-seed.ts';

const SEEDS = 30;
const remembered = readFileSync(new URL('./seeds.txt', import.meta.url), 'utf8').split('\n').filter((line) => /^\d/.test(line)).map((line) => Number.parseInt(line, 10));

test(`the laws hold in ${SEEDS} seeded worlds`, async (t) => {
  const totals = { crashes: 0, requests: 0, unanswered: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violations, counts } = await runSeed(seed);
    assert.deepEqual(violations, [], `npm run sim -- --seed ${seed} --trace`);
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += counts[name];
  }
  // Worlds in which nothing goes wrong would show nothing.
  assert.ok(totals.crashes > SEEDS && totals.unanswered > SEEDS, JSON.stringify(totals));
  t.diagnostic(JSON.stringify(totals));
});

for (const seed of remembered) {
  test(`seed ${seed}, which once failed`, async () => {
    assert.deepEqual((await runSeed(seed)).violations, []);
  });
}

test('one seed is one trace', async () => {
  for (const seed of [3, 17, 2024]) {
    const [one, other] = [await runSeed(seed), await runSeed(seed)];
    assert.equal(one.trace, other.trace);
    assert.equal(one.steps, other.steps);
  }
});
