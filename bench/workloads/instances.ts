/**
 * `instances`: what an event costs with two instances of every role instead of one, on the same cores: CPU of all their processes for one send. With few connections two instances wait half as long for each other's
 * work and share each commit among half as many; with many both are busy, and the ratio is that of throughput.
 *
 * Both are there all the time and are measured in turn: what a machine gives changes by a third within minutes, and the ratio must not say that. Idle ones take some hundredths of a core.
 */
import type { Mode } from '../../test/e2e/modes.ts';
import { median, rounded } from '../statistics.ts';
import type { Asked, Row } from '../workload.ts';
import { startSends, type RunningSends, type Sends } from './send.ts';

/**
 * Each has a room. Rooms belong to owners by their partitions: of eight rooms one owner often has five or six, and what a second instance costs would be told together with what an uneven share costs (p99 of a send
 * 1.2 s instead of 0.7).
 */
const USERS = 128;

interface Options {
  readonly seconds: number;
  readonly runs: number;
  readonly connections: readonly number[];
}

export async function instancesWorkload({ isWanted }: Asked, options: Options): Promise<Row[]> {
  // Read when the servers are there, whose addresses it takes from the environment.
  const { instanceModes } = await import('../../test/e2e/modes.ts');
  const rows: Row[] = [];
  for (const { log, of, one, two } of instanceModes().filter((pair) => isWanted(pair.two.name))) {
    if (two.missing !== undefined) {
      console.log(`NOT MEASURED: ${two.name}: ${two.missing} is not here`);
      continue;
    }
    for (const { connections, ones, twos } of await inTurn(one, two, options)) {
      const single = median(ones.map(({ cpuMsPerEvent }) => cpuMsPerEvent));
      const mode = `${log}+PostgreSQL, ${of}, ${connections} connections`;
      rows.push({ mode, what: 'one of each', runs: ones.map((sends) => ({ ...sends })) });
      rows.push({ mode, what: 'two of each', runs: twos.map((sends) => ({ ...sends, cpuToOneRatio: rounded(sends.cpuMsPerEvent / single, 3) })) });
    }
  }
  return rows;
}

async function inTurn(one: Mode, two: Mode, options: Options): Promise<{ connections: number; ones: Sends[]; twos: Sends[] }[]> {
  const running: RunningSends[] = [];
  try {
    for (const [index, mode] of [one, two].entries()) running.push(await startSends(mode, { ...options, instances: index + 1, users: USERS }));
    // While the second warmed up, the first had nothing to do, and gave back what it did not use.
    for (const each of running) await each.measure({ connections: Math.max(...options.connections), seconds: options.seconds, run: 'again' });
    const measured = options.connections.map((connections) => ({ connections, ones: [] as Sends[], twos: [] as Sends[] }));
    for (const { connections, ones, twos } of measured) {
      for (let run = 0; run < options.runs; run += 1) {
        const how = { connections, seconds: options.seconds, run: `many${connections}-${run}` };
        ones.push(await running[0]!.measure(how));
        twos.push(await running[1]!.measure(how));
      }
    }
    return measured;
  } finally {
    for (const each of running) await each.stop();
  }
}
