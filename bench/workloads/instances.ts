/**
 * `instances`: what an event costs with two instances of every role instead of one, on the same cores: CPU of all their processes for one send. With few connections two instances wait half as long for each other's
 * work and share each commit among half as many; with many both are busy, and the ratio is that of throughput.
 */
import { median, rounded } from '../statistics.ts';
import type { Asked, Row } from '../workload.ts';
import { sendsOf } from './send.ts';

export async function instancesWorkload({ isWanted }: Asked, options: { seconds: number; runs: number; connections: readonly number[] }): Promise<Row[]> {
  // Read when the servers are there, whose addresses it takes from the environment.
  const { instanceModes } = await import('../../test/e2e/modes.ts');
  const rows: Row[] = [];
  for (const { log, of, one, two } of instanceModes().filter((pair) => isWanted(pair.two.name))) {
    if (two.missing !== undefined) {
      console.log(`NOT MEASURED: ${two.name}: ${two.missing} is not here`);
      continue;
    }
    const [ones, twos] = [await sendsOf(one, options), await sendsOf(two, { ...options, instances: 2 })];
    for (const [index, connections] of options.connections.entries()) {
      const single = median(ones[index]!.map(({ cpuMsPerEvent }) => cpuMsPerEvent));
      const mode = `${log}+PostgreSQL, ${of}, ${connections} connections`;
      rows.push({ mode, what: 'one of each', runs: ones[index]!.map((sends) => ({ ...sends })) });
      rows.push({ mode, what: 'two of each', runs: twos[index]!.map((sends) => ({ ...sends, cpuToOneRatio: rounded(sends.cpuMsPerEvent / single, 3) })) });
    }
  }
  return rows;
}
