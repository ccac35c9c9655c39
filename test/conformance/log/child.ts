/** Child processes of the suite: they get their settings as JSON and say what they did line by line. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { until } from './collect.ts';

export interface Child {
  /** Lines of its standard output so far. */
  readonly lines: string[];
  /** Its standard error so far. */
  errors(): string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with its exit code. */
  readonly exited: Promise<number | null>;
  /** Waits until it has said so many lines. */
  said(count: number): Promise<void>;
}

const children = new Set<ChildProcess>();
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Starts `test/conformance/log/<program>` with `settings`. */
export function startChild(program: string, settings: object): Child {
  const child = spawn(process.execPath, [join(import.meta.dirname, program), JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  const lines: string[] = [];
  let errors = '';
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { errors += chunk; });
  let ended = false;
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      ended = true;
      children.delete(child);
      resolve(code);
    });
  });
  return {
    lines,
    errors: () => errors,
    exited,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    said: (count) => until(`${program} says ${count} lines`, () => {
      if (ended && lines.length < count) throw new Error(`${program} ended: ${errors}`);
      return lines.length >= count;
    }),
  };
}

/** The settings of this child. */
export function childSettings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}
