/**
 * A real server as a child process of a test: PostgreSQL, NATS, Kafka, nginx.
 *
 * - It lives in its own temporary folder and on its own port; both stay the same over `restart()` and `kill()`.
 * - Readiness is a line of the server's own log, never a fixed wait.
 * - A small guard shell, in a session of its own, reads a pipe whose other end is this process. When this process goes
 *   away in whatever manner (kill -9 too), the pipe closes, and the guard kills the server and removes the folder.
 * - It never keeps the test process alive by itself.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** What every started server offers. */
export interface RunningServer {
  /** The server's temporary folder: its data, its configuration. Gone after `stop()`. */
  readonly folder: string;
  /** Of the running process; undefined while there is none. */
  readonly pid: number | undefined;
  /** Ends the server and removes its data. Harmless when called twice. */
  stop(): Promise<void>;
  /** Ends the server in its orderly way (if it runs), starts it again with the same port and data, and waits until it is ready. */
  restart(): Promise<void>;
  /** kill -9, waits until it is gone. `restart()` brings it back. */
  kill(): Promise<void>;
  /** SIGSTOP: the server keeps its connections and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** The last lines that the server logged, for a failure's message. */
  recentLog(): string;
}

export interface ServerProcessOptions {
  readonly name: string;
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The line of its log (either stream) that says that it takes connections. */
  readonly ready: RegExp;
  readonly user?: UnixUser | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** The signal of an orderly end; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** Milliseconds for a start before it counts as failed; default 60,000. */
  readonly startTimeoutMs?: number;
}

export interface UnixUser {
  readonly uid: number;
  readonly gid: number;
}

const LOG_LINES_KEPT = 200;
/** A server that was killed may leave helpers behind for a moment that hold its port or memory: a start is tried again. */
const START_ATTEMPTS = 20;
const START_RETRY_MS = 150;

const GUARD_SCRIPT = `
pid=
while read -r next; do pid=$next; done
[ -n "$pid" ] && [ "$pid" != 0 ] && kill -KILL "$pid" 2>/dev/null
tries=0
while [ -d "$1" ] && [ "$tries" -lt 50 ]; do rm -rf "$1" 2>/dev/null; tries=$((tries + 1)); [ -d "$1" ] && sleep 0.1; done
`;

/** A new temporary folder, readable by `user` if one is given. */
export function makeServerFolder(name: string, user?: UnixUser): string {
  const folder = mkdtempSync(join(tmpdir(), `myelin-${name}-`));
  if (user) chownSync(folder, user.uid, user.gid);
  return folder;
}

/**
 * A port on 127.0.0.1 that nobody listens on. It is taken from below the range that systems use for outgoing connections,
 * so that nobody else gets it by chance while its server is being restarted.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    if (await canListen(port)) return port;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** The path of a program on PATH (or in the usual folders of system programs), or undefined. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin'];
  return folders.filter((folder) => folder !== '').map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Starts a server and resolves when it is ready. Rejects with the server's last log lines when it is not. */
export async function startServerProcess(options: ServerProcessOptions): Promise<RunningServer> {
  const server = new ServerProcess(options);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

class ServerProcess implements RunningServer {
  readonly folder: string;
  readonly #options: ServerProcessOptions;
  readonly #guard: ChildProcess;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #log: string[] = [];
  #stopped = false;

  constructor(options: ServerProcessOptions) {
    this.#options = options;
    this.folder = options.folder;
    this.#guard = startGuard(options.folder);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#stopped) throw new Error(`${this.#options.name} was stopped; its data is gone`);
    for (let attempt = 1; ; attempt += 1) {
      const failure = await this.#startOnce();
      if (failure === undefined) return;
      if (attempt === START_ATTEMPTS || !failure.mayPass) {
        throw new Error(`${this.#options.name} did not start: ${failure.reason}\n${this.recentLog()}`);
      }
      await pauseMs(START_RETRY_MS);
    }
  }

  /** One attempt. Only an early exit may pass by itself (a port or memory still held); silence does not. */
  #startOnce(): Promise<{ reason: string; mayPass: boolean } | undefined> {
    const { command, args, user, env, folder, ready, startTimeoutMs } = this.#options;
    const child = spawn(command, args, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', ...env },
      ...(user ? { uid: user.uid, gid: user.gid } : {}),
    });
    this.#child = child;
    this.#guard.stdin?.write(`${child.pid ?? 0}\n`);
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    return new Promise((resolve) => {
      const settle = (failure?: { reason: string; mayPass: boolean }): void => {
        clearTimeout(timer);
        if (failure === undefined) letGo(child);
        resolve(failure);
      };
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        settle({ reason: 'it was not ready in time', mayPass: false });
      }, startTimeoutMs ?? 60_000);
      child.once('error', (error) => settle({ reason: error.message, mayPass: false }));
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.#child = undefined;
        settle({ reason: `it ended with ${signal ?? `code ${code}`}`, mayPass: true });
      });
      this.#readLog(child, (line) => { if (ready.test(line)) settle(); });
    });
  }

  #readLog(child: ChildProcess, onLine: (line: string) => void): void {
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line);
        this.#log = [...this.#log, ...lines].slice(-LOG_LINES_KEPT);
      });
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    child.ref();
    child.kill(signal);
    // A paused server takes no orderly signal before it goes on.
    child.kill('SIGCONT');
    await this.#exited;
    this.#child = undefined;
    this.#guard.stdin?.write('0\n');
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#end('SIGKILL');
    this.#guard.stdin?.end();
    await removeFolder(this.folder);
  }

  async restart(): Promise<void> {
    await this.#end(this.#options.stopSignal ?? 'SIGTERM');
    await this.start();
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  recentLog(): string {
    return this.#log.join('\n');
  }
}

function startGuard(folder: string): ChildProcess {
  const guard = spawn('sh', ['-c', GUARD_SCRIPT, 'guard', folder], { detached: true, stdio: ['pipe', 'ignore', 'ignore'], cwd: '/' });
  guard.stdin?.on('error', () => undefined);
  guard.unref();
  unrefStream(guard.stdin);
  return guard;
}

/** A forgotten server does not keep the test process alive; the guard removes it. */
function letGo(child: ChildProcess): void {
  child.unref();
  unrefStream(child.stdout);
  unrefStream(child.stderr);
}

function unrefStream(stream: unknown): void {
  (stream as { unref?: () => void } | null)?.unref?.();
}

/** A killed server's own children may still write for a moment: removing is tried again. */
async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    try {
      rmSync(folder, { recursive: true, force: true });
      return;
    } catch {
      await pauseMs(50);
    }
  }
}

function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms); });
}
