/** Random rooms of all versions, judged by this library and by Synapse. Prints a summary and writes it, with the rules that the rooms reached, to test/differential/results (or the folder of --out). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programOptions } from '../kit/program-options.ts';
import { startCounter } from './coverage.ts';
import { startOracle, synapseMissing, synapseVersion } from './synapse.ts';

const SHOWN_MAX = 20;
const PROGRESS_EVERY = 500;

const values = programOptions({
  usage: `npm run differential -- [--rooms 10000] [--from 1] [--out folder]
As many random rooms of all versions, judged by this library and by Synapse. Exit code 1 when something differs or a rule was not reached.`,
  numbers: { rooms: 1, from: 0 },
  options: {
    rooms: { type: 'string', default: '10000' }, from: { type: 'string', default: '1' }, out: { type: 'string', default: fileURLToPath(new URL('results/', import.meta.url)) },
  },
});
const [rooms, from] = [Number(values.rooms), Number(values.from)];
const missing = synapseMissing();
if (missing !== false) {
  console.error(`Synapse cannot be asked: ${missing}`);
  process.exit(2);
}

const started = performance.now();
// What is counted is loaded after the counter has begun.
const counter = await startCounter(['pkg/matrix/']);
const { runRooms, sumOfCoverage } = await import('./run-rooms.ts');
const { missedRules, resultJson, rulesMarkdown, summaryLines, unexplainedPieces } = await import('./report.ts');
const oracle = startOracle();
let done = 0;
const onRoom = (): void => {
  done++;
  if (done % PROGRESS_EVERY === 0) console.log(`${done} rooms, ${((performance.now() - started) / 1000).toFixed(0)} s`);
};
const findings = await runRooms({ from, rooms, oracle, counter, onRoom });
await oracle.close();
await counter.stop();

const facts = { from, rooms, synapse: synapseVersion(), node: process.version.slice(1), seconds: (performance.now() - started) / 1000 };
const missed = [...missedRules(findings), ...unexplainedPieces(sumOfCoverage(findings))];
for (const line of summaryLines(facts, findings)) console.log(line);
for (const line of findings.differences.slice(0, SHOWN_MAX)) console.log(`  ${line}`);
for (const line of missed.slice(0, SHOWN_MAX)) console.log(`not reached: ${line}`);
mkdirSync(values.out, { recursive: true });
writeFileSync(join(values.out, `rooms-${from}-${from + rooms - 1}.json`), resultJson(facts, findings));
writeFileSync(join(values.out, `rooms-${from}-${from + rooms - 1}.md`), rulesMarkdown(facts, findings));
process.exit(findings.differences.length > 0 || missed.length > 0 ? 1 : 0);
