/** Starts the process that a replay runs in (`replay-here.ts`), which may be killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ReplayReport, ReplaySettings } from './replay-here.ts';

export interface RunningReplay {
  readonly child: ChildProcess;
  /** It has begun, or has nothing to feed and is ready to work. Rejects when it ended before. */
  readonly begun: Promise<void>;
  /** It has ended, or so many events are read (`tellsProgress`). */
  reached(events: number): Promise<void>;
  /** undefined: it was killed before it was through. */
  readonly report: Promise<ReplayReport | undefined>;
  readonly exited: Promise<void>;
}

const PROGRAM = join(import.meta.dirname, 'replay-here.ts');

/** `command`: what to run it under, for example `taskset -c 0`. */
export function runReplay(settings: ReplaySettings, command: readonly string[] = []): RunningReplay {
  const [program, ...args] = [...command, process.execPath, PROGRAM, JSON.stringify(settings)];
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const exited = once(child, 'close').then(() => void process.off('exit', kill));
  const lines = createInterface({ input: child.stdout! });
  const begun = Promise.race([
    new Promise<void>((resolve) => lines.once('line', () => { resolve(); })),
    exited.then(() => { throw new Error('the replay ended before it had begun'); }),
  ]);
  begun.catch(() => undefined);
  let report: ReplayReport | undefined;
  lines.on('line', (line) => {
    if (line.startsWith('{')) report = JSON.parse(line) as ReplayReport;
  });
  const reached = async (events: number): Promise<void> => {
    if (events === 0) return;
    await Promise.race([exited, new Promise<void>((resolve) => lines.on('line', (line) => { if (Number(/^read (\d+)$/.exec(line)?.[1] ?? 0) >= events) resolve(); }))]);
  };
  return { child, begun, reached, exited, report: exited.then(() => report) };
}
