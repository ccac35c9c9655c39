/**
 * So many seeded histories of rooms that two and three servers share while traffic between them
 * is cut and healed; half of each with two, half with three. The simulated ones are Myelins in one process under virtual time (`npm run sim -- --servers N --partitions --seed S`); in the real ones, of
 * processes of their own behind proxies, one is a Synapse. After the closing events of each, all must have accepted the same events and have the same state at those. What was found is written to
 * test/partitions/results. Exit code 1 when something differs.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peerMissing, type Software } from '../e2e/peers.ts';
import { runFederatedSeed } from '../sim/federation/run-federated.ts';
import { programOptions } from '../kit/program-options.ts';
import { playHistory } from './real-history.ts';
import { startParted } from './servers.ts';

interface Line {
  readonly seed: number;
  /** What differs; empty when all agree. */
  readonly broken: readonly string[];
  readonly [figure: string]: unknown;
}

const values = programOptions({
  usage: `npm run partitions -- [--simulated 180] [--real 20] [--from 1] [--only two|three|real] [--out folder]
So many seeded histories of rooms that two and three servers share while traffic between them is cut and healed, half of each with two, half with three. Exit code 1 when something differs.`,
  numbers: { simulated: 0, real: 0, from: 0 },
  options: {
    simulated: { type: 'string', default: '180' }, real: { type: 'string', default: '20' }, from: { type: 'string', default: '1' }, only: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(new URL('results/', import.meta.url)) },
  },
});
const from = Number(values.from);
const half = (count: string): number => Math.ceil(Number(count) / 2);
const wants = (part: string): boolean => values.only === undefined || values.only === part;
let failed = 0;

async function simulated(servers: number, count: number): Promise<Line[]> {
  const lines: Line[] = [];
  for (let seed = from; seed < from + count; seed += 1) {
    const { violations, network, counts, closed, joints } = await runFederatedSeed(seed, { servers, partitions: true });
    lines.push(note({ seed, ...closed, cuts: network.splits, crashes: counts.crashes, joints, broken: violations.slice(0, 5) }));
  }
  return lines;
}

async function real(softwares: readonly Software[], count: number): Promise<Line[]> {
  const servers = await startParted(softwares);
  const lines: Line[] = [];
  try {
    for (let seed = from; seed < from + count; seed += 1) {
      const played = await playHistory(servers, seed).catch((error: unknown) => ({ seed, failure: String(error).slice(0, 3000) }));
      lines.push(note('failure' in played ? { seed, broken: [played.failure] } : { ...played, broken: [] }));
    }
  } finally {
    await servers.stop();
  }
  return lines;
}

function note(line: Line): Line {
  if (line.broken.length > 0) failed += 1;
  console.log(`${line.broken.length > 0 ? 'FAILED' : 'ok    '} ${JSON.stringify(line)}`);
  return line;
}

/** One line a history. */
function write(name: string, lines: readonly Line[]): void {
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, `${name}.json`), `[\n${lines.map((line) => `  ${JSON.stringify(line)}`).join(',\n')}\n]\n`);
  console.log(`${name}: ${lines.filter(({ broken }) => broken.length === 0).length} of ${lines.length} agree`);
}

if (wants('two')) write('two-servers', await simulated(2, half(values.simulated)));
if (wants('three')) write('three-servers', await simulated(3, half(values.simulated)));
const missing = peerMissing('Synapse');
if (wants('real') && missing !== false) {
  console.error(`without a Synapse: ${missing}`);
  failed += 1;
} else if (wants('real')) {
  write('with-a-synapse', [...await real(['Myelin', 'Synapse'], half(values.real)), ...await real(['Myelin', 'Synapse', 'Myelin'], half(values.real))]);
}
process.exit(failed > 0 ? 1 : 0);
