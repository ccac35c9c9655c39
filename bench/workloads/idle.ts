/** `idle`: a server that nobody uses: how long a start on its own data takes until it answers, the memory it holds a minute later, and the share of a core that it takes then. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { register, newRoom } from '../../test/e2e/api-client.ts';
import type { Mode } from '../../test/e2e/modes.ts';
import { meterOf } from '../subject.ts';
import type { Figures, Row } from '../workload.ts';

const STARTS = 5;
const ROOMS = 10;
/** Hundredths of a core are read off in steps of 10 ms. */
const SECONDS_MIN = 30;

export async function idleWorkload(mode: Mode, options: { runs: number; seconds: number; settle: number }): Promise<Row[]> {
  const running = await mode.start();
  try {
    const user = await register(running.baseUrl);
    for (let room = 0; room < ROOMS; room += 1) await newRoom(user);
    const starts: Figures[] = [];
    for (let start = 0; start < Math.max(STARTS, options.runs); start += 1) starts.push({ startSeconds: await secondsOfStart(running.programs) });
    const processes = running.programs.length;
    await sleep(options.settle * 1000);
    const rests: Figures[] = [];
    for (let run = 0; run < options.runs; run += 1) rests.push(await rest(running.programs, Math.max(SECONDS_MIN, options.seconds)));
    return [
      { mode: mode.name, what: 'start', runs: starts },
      { mode: mode.name, what: `${processes === 1 ? '1 process' : `${processes} processes`}, ${options.settle} s after the start`, runs: rests },
    ];
  } finally {
    await running.stop();
  }
}

type Programs = Awaited<ReturnType<Mode['start']>>['programs'];

/** The slowest of the processes, one started after the other on a machine that does nothing else. */
async function secondsOfStart(programs: Programs): Promise<number> {
  const times: number[] = [];
  for (const program of programs) {
    await program.stop();
    const began = performance.now();
    await program.restart();
    times.push((performance.now() - began) / 1000);
  }
  return Math.max(...times);
}

async function rest(programs: Programs, seconds: number): Promise<Figures> {
  const meters = programs.map((program) => meterOf(() => [program.pid]));
  const before = meters.map((meter) => meter.usage());
  const began = performance.now();
  await sleep(seconds * 1000);
  const took = (performance.now() - began) / 1000;
  const after = meters.map((meter) => meter.usage());
  const shares = after.map(({ cpuSeconds }, index) => (100 * (cpuSeconds - before[index]!.cpuSeconds)) / took);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const memory = after.map(({ residentMb }) => residentMb);
  return { residentMb: sum(memory), largestProcessMb: Math.max(...memory), corePercent: sum(shares), largestProcessPercent: Math.max(...shares) };
}
