/** Running a program as if it were this process: same streams, same signals, same exit code, and no orphan. */
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { setFlagsFromString } from 'node:v8';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];
/** Tells the started program which process it must not outlive. */
const LAUNCHER = 'MYELIN_LAUNCHED_BY';
const ARENAS = 'MALLOC_ARENA_MAX';
const PARENT_CHECK_MS = 500;
const TWIN_MS_MAX = 300;

/** Starts `command` and never returns: this process ends as the command ends. */
export function become(command, args, env = {}) {
  // Here and not above: a server that is this process needs none of it.
  const { spawn } = createRequire(import.meta.url)('node:child_process');
  const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, ...env, [LAUNCHER]: String(process.pid) } });
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      // Ctrl-C reaches the whole foreground group: the child has had it from the terminal already.
      if (signal === 'SIGINT' && isAtTerminal()) return;
      child.kill(signal);
    });
  }
  endWithParent();
  child.once('error', (error) => {
    process.stderr.write(`myelin: ${command} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/**
 * Ends this process in its orderly way (SIGTERM to itself) when the process that launched it is gone, even by kill -9. Only where there is such a
 * process: `become` above, or npm. It runs in the background and keeps nothing alive.
 */
export function endWithParent() {
  const launcher = Number(process.env[LAUNCHER] ?? 0);
  const isLaunched = launcher === process.ppid || (launcher === 0 && process.env['npm_lifecycle_event'] !== undefined);
  delete process.env[LAUNCHER];
  if (!isLaunched) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, PARENT_CHECK_MS);
  timer.unref();
}

/**
 * One Ctrl-C under npm comes twice: from the terminal, and forwarded by npm. The second must not look like an impatient second Ctrl-C, which ends
 * the server at once. To be called before anybody listens to signals.
 */
export function joinTwinInterrupts() {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const emit = process.emit;
  let lastAt = -Infinity;
  process.emit = function (name, ...args) {
    if (name === 'SIGINT') {
      const at = performance.now();
      const isTwin = at - lastAt < TWIN_MS_MAX;
      lastAt = at;
      if (isTwin) return true;
    }
    return emit.call(this, name, ...args);
  };
}

/**
 * V8's young generation does not grow while the modules of the program are loaded: most of what that makes stays, so that it would be 64 MB at the end, and keep them. The program lets it grow when it has started
 * (pkg/runtime/real/young-generation.ts).
 */
export function startSmall() {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Begins anew, once, as the same process, with one arena of malloc. glibc gives each of Node's helper threads its own, and what a busy moment has put there stays: 35 MB, of which 4 are used. It reads how many there may be from the
 * environment when a process begins. Elsewhere, or when the operator has set it, nothing happens.
 */
export function haveOneArena() {
  // What is connected to its parent would lose that.
  if (process.platform !== 'linux' || process.execve === undefined || process.connected || process.env[ARENAS] !== undefined) return;
  process.execve(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], { ...process.env, [ARENAS]: '1' });
}

function isAtTerminal() {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}
