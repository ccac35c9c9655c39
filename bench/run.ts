/** `npm run bench -- <workload> [options]`: measures a workload in every mode that this machine can start; prints a table, writes JSON and an SVG plot. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { startBenchServers } from './servers.ts';
import { plot } from './report/plot.ts';
import { table } from './report/table.ts';
import { sendColumns, sendWorkload } from './workloads/send.ts';

const USAGE = `npm run bench -- send [--modes TEXT] [--seconds N] [--runs N] [--out FOLDER]
  --modes TEXT    only modes whose name contains TEXT, for example "embedded" or "NATS"
  --seconds N     length of each measurement (default 8)
  --runs N        repetitions; medians are reported (default 3)
  --out FOLDER    where results go (default bench/results)`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modes: { type: 'string', default: '' }, seconds: { type: 'string', default: '8' }, runs: { type: 'string', default: '3' },
    out: { type: 'string', default: 'bench/results' }, help: { type: 'boolean', default: false },
  },
});
const [workload] = positionals;
if (values.help || workload !== 'send') {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
const servers = await startBenchServers();
try {
  const { modes } = await import('../test/e2e/modes.ts');
  const results = [];
  for (const mode of modes().filter((one) => one.name.toLowerCase().includes(values.modes.toLowerCase()))) {
    if (mode.missing !== undefined) {
      console.log(`NOT MEASURED: ${mode.name}: ${mode.missing} is not here`);
      continue;
    }
    console.log(`${mode.name} …`);
    results.push(await sendWorkload(mode, { seconds: Number(values.seconds), runs: Number(values.runs) }));
  }
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}; the load driver and all servers share them`;
  console.log(`\n${machine}\n${servers.durability}\n\n${table(sendColumns, results)}`);
  mkdirSync(values.out, { recursive: true });
  writeFileSync(`${values.out}/send.json`, `${JSON.stringify({ workload, machine, durability: servers.durability, seconds: Number(values.seconds), runs: Number(values.runs), results }, null, 1)}\n`);
  writeFileSync(`${values.out}/send.svg`, plot('sends per second, 64 connections', results.map((one) => ({ label: one.mode, value: one.sends64.perSecond }))));
  console.log(`\nwritten: ${values.out}/send.json, ${values.out}/send.svg`);
} finally {
  await servers.stop();
}
process.exit(0);
