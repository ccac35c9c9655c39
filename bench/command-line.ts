/** What `npm run bench` may be asked for, from the workloads' own words. */
import { parseArgs } from 'node:util';
import type { Option, Workload } from './workload.ts';

export class BadCommandLine extends Error {}

export interface CommandLine {
  readonly text: (option: string) => string | undefined;
  readonly isOn: (option: string) => boolean;
  /** All options with their values, for the result file. */
  readonly all: Readonly<Record<string, string | number | boolean>>;
}

const OF_ALL: Readonly<Record<string, Option>> = {
  modes: { usage: 'only modes whose name contains this, for example "embedded" or "NATS"', byDefault: '' },
  seconds: { usage: 'length of each measurement', byDefault: '8' },
  runs: { usage: 'repetitions; medians are reported, and all runs are in the file', byDefault: '3' },
  against: { usage: '"synapse": the same load on a Synapse too, and how many times better each figure is' },
  seeded: { usage: 'so many events are in the database before anything is measured; filled once, and kept below .cache', byDefault: '0' },
  scheduling: { usage: '"batch": under SCHED_BATCH, the servers, the broker, the database and the load driver; "usual": as this is started', byDefault: 'usual' },
  out: { usage: 'folder for results', byDefault: 'bench/results' },
};

export function usage(workloads: readonly Workload[]): string {
  const widest = Math.max(...workloads.map(({ name }) => name.length)) + 2;
  return [
    'npm run bench -- WORKLOAD [options]',
    'npm run bench -- compare BEFORE.json AFTER.json [--limit 1.1]   what is more than so many times worse is marked; the exit code is 1 when something is',
    '', 'Workloads:',
    ...workloads.flatMap(({ name, usage: line, options = {} }) => [`  ${name.padEnd(widest)}${line}`, ...linesOf(options, widest + 2)]),
    '', 'Of all workloads:', ...linesOf(OF_ALL, 2),
  ].join('\n');
}

function linesOf(options: Readonly<Record<string, Option>>, indent: number): string[] {
  return Object.entries(options).map(([name, { usage: line, byDefault, isSwitch }]) => `${' '.repeat(indent)}--${name}${isSwitch === true ? '' : ' X'}: ${line}${byDefault === undefined || byDefault === '' ? '' : ` (default ${byDefault})`}`);
}

/** @throws BadCommandLine when the workload knows no such option, or a number is none */
export function commandLine(workload: Workload, args: readonly string[]): CommandLine {
  const options = { ...OF_ALL, ...workload.options };
  const given = parse(workload, options, args);
  const text = (name: string): string | undefined => {
    const value = given[name] ?? options[name]?.byDefault;
    return typeof value === 'string' ? value : undefined;
  };
  for (const [name, { byDefault, mayBeNone }] of Object.entries(options)) {
    if (byDefault === undefined || !/^\d+$/.test(byDefault) || name === 'room-version') continue;
    if (!/^\d+(,\d+)*$/.test(text(name)!) || (byDefault !== '0' && mayBeNone !== true && /^0+$/.test(text(name)!))) throw new BadCommandLine(`--${name} has to be a number and is ${JSON.stringify(text(name))}`);
  }
  const against = text('against');
  if (against !== undefined && against !== 'synapse') throw new BadCommandLine(`--against can be "synapse" and is ${JSON.stringify(against)}`);
  if (against !== undefined && workload.takesOthers !== true) throw new BadCommandLine(`${workload.name} looks into Myelin and cannot measure another server`);
  if (!['usual', 'batch'].includes(text('scheduling')!)) throw new BadCommandLine(`--scheduling can be "usual" or "batch" and is ${JSON.stringify(text('scheduling'))}`);
  const all = Object.fromEntries(Object.keys(options).filter((name) => name !== 'out').flatMap((name) => {
    const value = given[name] ?? options[name]!.byDefault;
    return value === undefined ? [] : [[name, typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value]];
  }));
  return { text, isOn: (name) => given[name] === true, all };
}

function parse(workload: Workload, options: Readonly<Record<string, Option>>, args: readonly string[]): Record<string, string | boolean | undefined> {
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(Object.entries(options).map(([name, { isSwitch }]) => [name, { type: isSwitch === true ? 'boolean' as const : 'string' as const }])) }).values;
  } catch (error) {
    throw new BadCommandLine(`${workload.name}: ${(error as Error).message}`);
  }
}
