/** `instances`: what an event costs with two instances of every role instead of one, on the same cores: CPU of all their processes for one send. */
import type { instanceModes } from '../../test/e2e/modes.ts';
import type { Column } from '../report/table.ts';
import { rounded } from '../statistics.ts';
import { sendsOf, type Sends } from './send.ts';

export interface InstancesResult {
  readonly mode: string;
  readonly one: Sends;
  readonly two: Sends;
  /** CPU for one send, two instances against one. */
  readonly ratio: number;
}

export const instancesColumns: readonly Column<InstancesResult>[] = [
  { title: 'mode', text: (row) => row.mode },
  { title: 'one: sends/s', text: (row) => String(Math.round(row.one.perSecond)) },
  { title: 'CPU ms/send', text: (row) => row.one.cpuMsPerSend.toFixed(3) },
  { title: 'two: sends/s', text: (row) => String(Math.round(row.two.perSecond)) },
  { title: 'CPU ms/send', text: (row) => row.two.cpuMsPerSend.toFixed(3) },
  { title: 'ratio', text: (row) => row.ratio.toFixed(2) },
];

export async function instancesWorkload(modes: ReturnType<typeof instanceModes>[number], options: { seconds: number; runs: number; connections: number }): Promise<InstancesResult> {
  const one = await sendsOf(modes.one, options);
  const two = await sendsOf(modes.two, options);
  return { mode: `${modes.log}+PostgreSQL, ${modes.of}`, one, two, ratio: rounded(two.cpuMsPerSend / one.cpuMsPerSend, 3) };
}
