/** A few of the histories of `npm run partitions`: traffic between two and three servers is cut and healed while all of them change the same rooms; in the end all agree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerMissing } from '../e2e/peers.ts';
import { runFederatedSeed } from '../sim/federation/run-federated.ts';
import { playHistory } from './real-history.ts';
import { startParted } from './servers.ts';

const SIMULATED: readonly (readonly [servers: number, seeds: readonly number[]])[] = [[2, [1]], [3, [1]]];
const REAL = [1];

for (const [servers, seeds] of SIMULATED) {
  test(`${servers} simulated servers`, async () => {
    for (const seed of seeds) assert.deepEqual((await runFederatedSeed(seed, { servers, partitions: true })).violations, [], `npm run sim -- --servers ${servers} --partitions --seed ${seed} --trace`);
  });
}

for (const softwares of [['Myelin', 'Synapse', 'Myelin']] as const) {
  test(`${softwares.join(', ')}, as processes of their own`, { skip: peerMissing(...softwares), timeout: 240_000 }, async (t) => {
    const servers = await startParted(softwares);
    t.after(() => servers.stop());
    for (const seed of REAL) t.diagnostic(JSON.stringify(await playHistory(servers, seed)));
  });
}
