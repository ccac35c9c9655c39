/** `npm run bench -- <workload> [options]`: measures a workload in every mode that this machine can start; prints a table, writes JSON and an SVG plot. `compare` sets two such files side by side. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { BadCommandLine, commandLine, usage, type CommandLine } from './command-line.ts';
import { compareCommand } from './compare-command.ts';
import { compareServers, ratioTable } from './report/compare.ts';
import { tableOf } from './report/figures.ts';
import { plot } from './report/plot.ts';
import { BadResultFile, commitHere, resultFile, type ResultFile } from './result-file.ts';
import { schedule } from './scheduling.ts';
import { fillDataFolder, SEEDED_DATABASE, seededFolder } from './seed/seeded-places.ts';
import type { FilledWith } from '../test/e2e/modes.ts';
import { startBenchServers, type BenchServers } from './servers.ts';
import { asMode, databaseOf, myelin, synapseOnPostgres, type ServerMode, type Subject } from './subject.ts';
import type { Asked, Workload } from './workload.ts';
import { WORKLOADS } from './workloads/list.ts';

const [name, ...args] = process.argv.slice(2);
const workload = WORKLOADS.find((one) => one.name === name);
try {
  if (name === 'compare') process.exit(compareCommand(args));
  if (workload === undefined || args.includes('--help')) {
    console.log(usage(WORKLOADS));
    process.exit(name === '--help' || args.includes('--help') ? 0 : 2);
  }
  await run(workload, commandLine(workload, args));
} catch (error) {
  if (!(error instanceof BadCommandLine || error instanceof BadResultFile)) throw error;
  console.error(error.message);
  process.exit(2);
}
process.exit(0);

async function run(chosen: Workload, line: CommandLine): Promise<void> {
  const scheduling = schedule(line.text('scheduling')!);
  const servers = await startBenchServers(line.text('modes')!, { withPostgres: line.text('against') !== undefined, seeded: Number(line.text('seeded')) });
  try {
    const asked = askedOf(line, servers);
    const measured = await chosen.measure(asked);
    const own = 'rows' in measured ? measured : { rows: measured, table: undefined };
    if (own.rows.length === 0) throw new BadCommandLine(`Nothing was measured, and nothing is written: no mode that can be started here has "${line.text('modes')}" in its name`);
    const file = resultFile({ workload: chosen.name, commit: commitHere(), durability: `${servers.durability} ${scheduling}`, options: line.all }, own.rows, new Date());
    console.log(`\n${file.date}, commit ${file.commit}\n${file.machine}, Node ${file.node}, load average ${file.loadAverage}; the load driver and all servers share it\n${file.durability}\n\n${own.table ?? tableOf(file.rows, asked.runs > 1)}`);
    const reference = line.text('against') === undefined ? undefined : file.rows.find(({ mode }) => mode.startsWith('Synapse'))?.mode;
    if (reference !== undefined) console.log(`\n${ratioTable(compareServers(file.rows, reference), reference)}`);
    write(chosen, file, { folder: line.text('out')!, isAgainst: reference !== undefined });
  } finally {
    await servers.stop();
  }
}

function write({ name: of, plot: drawn }: Workload, file: ResultFile, { folder, isAgainst }: { folder: string; isAgainst: boolean }): void {
  mkdirSync(folder, { recursive: true });
  const path = `${folder}/${of}${isAgainst ? '-against-synapse' : ''}`;
  writeFileSync(`${path}.json`, `${JSON.stringify(file, null, 1)}\n`);
  console.log(`\nwritten: ${path}.json`);
  if (drawn === undefined) return;
  const rows = file.rows.filter(({ what }) => drawn.what === undefined || what === drawn.what);
  writeFileSync(`${path}.svg`, plot(drawn.title, rows.map((row) => ({ label: drawn.what === undefined && row.what !== '' ? `${row.mode}, ${row.what}` : row.mode, value: row.figures[drawn.figure]?.median ?? 0 }))));
}

function askedOf(line: CommandLine, { postgresPid }: BenchServers): Asked {
  const isWanted = (mode: string): boolean => mode.toLowerCase().includes(line.text('modes')!.toLowerCase());
  // Read when the servers are there, whose addresses it takes from the environment.
  const own = async (): Promise<ServerMode[]> => (await import('../test/e2e/modes.ts')).modes(await filledWith(line) ?? {}).filter((mode) => isWanted(mode.name) && isThere(mode));
  const others = (): Promise<Subject[]> => (line.text('against') === undefined ? Promise.resolve([]) : synapseHere(postgresPid));
  return {
    seconds: Number(line.text('seconds')), runs: Number(line.text('runs')), text: line.text, number: (option) => Number(line.text(option)), isOn: line.isOn, isWanted,
    modes: async () => [...(await others()).map((one) => asMode(one, postgresPid)), ...(await own()).map((mode) => ({ ...mode, database: databaseOf(mode, postgresPid) }))],
    filled: () => filledWith(line),
    subjects: async () => [...(await others()), ...(await own()).map((mode) => myelin(mode, postgresPid))],
  };
}

async function filledWith(line: CommandLine): Promise<FilledWith | undefined> {
  const seeded = Number(line.text('seeded'));
  if (seeded === 0) return undefined;
  const isSqlite = 'embedded+sqlite'.includes(line.text('modes')!.toLowerCase());
  const folder = isSqlite ? await seededFolder(seeded) : undefined;
  return { template: SEEDED_DATABASE, ...(folder !== undefined && { fill: (dataDir) => { fillDataFolder(folder, dataDir); } }) };
}

async function synapseHere(postgresPid: number | undefined): Promise<Subject[]> {
  const { postgresMissing } = await import('../test/kit/servers/synapse.ts');
  const url = process.env['MYELIN_TEST_POSTGRES_URL'];
  const missing = url === undefined ? 'there is no PostgreSQL' : postgresMissing();
  if (missing !== undefined) throw new BadCommandLine(`Synapse cannot be measured: ${missing}`);
  return [synapseOnPostgres(url!, postgresPid)];
}

function isThere({ name: mode, missing }: ServerMode): boolean {
  if (missing !== undefined) console.log(`NOT MEASURED: ${mode}: ${missing} is not here`);
  return missing === undefined;
}
