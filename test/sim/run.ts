/** Runs seeds of the simulator and says which laws broke. */
import { programOptions } from '../kit/program-options.ts';
import { runFederatedSeed } from './federation/run-federated.ts';
import { runSeed, type SeedResult } from './run-seed.ts';

const values = programOptions({
  usage: `npm run sim -- [--servers N] [--seed N] [--seeds COUNT] [--from N] [--partitions] [--trace] [--stop]
Runs seeds of the simulator and says which laws broke; --stop ends at the first. With two or three servers they federate; with --partitions traffic between them is cut and healed all the time.`,
  numbers: { servers: 1, seed: 0, seeds: 0, from: 0 },
  options: {
    servers: { type: 'string', default: '1' }, seed: { type: 'string' }, seeds: { type: 'string', default: '100' }, from: { type: 'string', default: '1' },
    partitions: { type: 'boolean', default: false }, trace: { type: 'boolean', default: false }, stop: { type: 'boolean', default: false },
  },
});
const servers = Number(values.servers);
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const options = values.trace ? { print: (line: string) => console.log(line) } : {};
const run = (seed: number): Promise<SeedResult> => (servers === 1 ? runSeed(seed, options) : runFederatedSeed(seed, { ...options, servers, partitions: values.partitions }));
const again = servers === 1 ? '' : ` --servers ${servers}${values.partitions ? ' --partitions' : ''}`;
let failed = 0;
let ran = 0;
const began = process.hrtime.bigint();
for (let seed = from; seed < from + count; seed += 1) {
  ran += 1;
  const result = await run(seed);
  if (result.violations.length > 0) {
    failed += 1;
    console.log(`seed ${seed} FAILED (npm run sim --${again} --seed ${seed} --trace)\n  ${result.violations.slice(0, 12).join('\n  ')}`);
    if (values.stop) break;
  } else if (count === 1 || seed % 100 === 0) {
    console.log(`seed ${seed} ok: trace ${result.trace}, ${result.steps} steps, ${result.virtualSeconds.toFixed(0)} virtual seconds, ${result.counts.crashes} crashes, ${result.counts.requests} requests (${result.counts.unanswered} unanswered)`);
  }
}
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(`${ran - failed} passed, ${failed} failed (${(seconds / ran).toFixed(3)} s a seed)`);
process.exit(failed > 0 ? 1 : 0);
