/** `npm run sim -- [--seed N] [--seeds COUNT] [--from N] [--trace] [--stop]`: runs seeds of the simulator and says which laws broke; --stop ends at the first. */
import { parseArgs } from 'node:util';
import { runSeed } from './run-seed.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, seeds: { type: 'string', default: '100' }, from: { type: 'string', default: '1' }, trace: { type: 'boolean', default: false }, stop: { type: 'boolean', default: false } },
});
const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
let failed = 0;
let ran = 0;
const began = process.hrtime.bigint();
for (let seed = from; seed < from + count; seed += 1) {
  ran += 1;
  const result = await runSeed(seed, values.trace ? { print: (line) => console.log(line) } : {});
  if (result.violations.length > 0) {
    failed += 1;
    console.log(`seed ${seed} FAILED (npm run sim -- --seed ${seed} --trace)\n  ${result.violations.slice(0, 5).join('\n  ')}`);
    if (values.stop) break;
  } else if (count === 1 || seed % 100 === 0) {
    console.log(`seed ${seed} ok: trace ${result.trace}, ${result.steps} steps, ${result.virtualSeconds.toFixed(0)} virtual seconds, ${result.counts.crashes} crashes, ${result.counts.requests} requests (${result.counts.unanswered} unanswered)`);
  }
}
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(`${ran - failed} passed, ${failed} failed (${(seconds / ran).toFixed(3)} s a seed)`);
process.exit(failed > 0 ? 1 : 0);
