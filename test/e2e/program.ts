/** Starts the built program as a user would, as processes of their own, and kills them the hard way. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));
/** A start takes one to three seconds, many times that where much else is started at once. */
const READY_MS_MAX = 60_000;

export interface ProgramOptions {
  readonly port: number;
  /** On top of the environment, minus what a developer may have set. */
  readonly env: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** In a session of its own, as a service manager or a container starts it: where Linux shares out cores by sessions (autogroups), it does not share one with the test and all its other programs. */
  readonly hasOwnSession?: boolean;
}

export interface Program {
  readonly baseUrl: string;
  readonly pid: number;
  /** Everything that it has printed. */
  output(): string;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** kill -9, then a new start with the same settings. */
  killAndRestart(): Promise<void>;
  /** A new start, with the same settings, of a program that has ended. Resolves when it is ready, with the time (of `performance.now()`) at which it took a connection. */
  restart(): Promise<number>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** Resolves when the process answers on /ready. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const baseUrl = `http://127.0.0.1:${options.port}`;
  let output = '';
  let acceptedAt = 0;
  const start = async (): Promise<ChildProcess> => {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MYELIN_')));
    // The program ends with this process, although a terminal's signals do not reach it.
    const env = { ...inherited, MYELIN_LISTEN: `127.0.0.1:${options.port}`, ...(options.hasOwnSession === true && { MYELIN_LAUNCHED_BY: String(process.pid) }), ...options.env };
    const child = spawn(process.execPath, [START, ...(options.args ?? [])], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: options.hasOwnSession === true });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => void (output = (output + chunk.toString()).slice(-200_000)));
    try {
      acceptedAt = await ready(baseUrl, child, () => output);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
    return child;
  };
  let child = await start();
  const kill = async (): Promise<void> => {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return {
    baseUrl,
    get pid() {
      return child.pid!;
    },
    output: () => output,
    kill,
    async killAndRestart() {
      await kill();
      child = await start();
    },
    async restart() {
      child = await start();
      return acceptedAt;
    },
    signal: (name) => void child.kill(name),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await gone;
      clearTimeout(killer);
      return child.exitCode;
    },
  };
}

/** Resolves when it is ready, with the time of its first answer of whatever kind. */
async function ready(baseUrl: string, child: ChildProcess, output: () => string): Promise<number> {
  let acceptedAt: number | undefined;
  for (const endsAt = Date.now() + READY_MS_MAX; ; await sleep(30)) {
    if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}:\n${output()}`);
    if (Date.now() > endsAt) throw new Error(`not ready after ${READY_MS_MAX / 1000} s:\n${output()}`);
    const response = await fetch(`${baseUrl}/ready`).catch(() => undefined);
    if (response !== undefined) acceptedAt ??= performance.now();
    if (response?.status === 200) return acceptedAt!;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
