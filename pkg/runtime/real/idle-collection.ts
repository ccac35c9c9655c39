/**
 * A process that has come to rest gives memory back. V8 collects when a heap grows, and one that nobody uses does not: what a start or a busy hour has left would stay for days. So the heap is collected once when the
 * process has been idle for a while and has grown since the last time; after that V8 shrinks its young generation by itself. It takes some 50 ms, at a moment when nobody asks.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const CHECK_MS = 10_000;
/** Of a core, from one check to the next. */
const IDLE_SHARE_MAX = 0.02;
const GROWN_BYTES_MIN = 12 * 1024 * 1024;
/** Collecting more than this would stop the process for longer than who asks just then should wait. */
const LIVING_BYTES_MAX = 256 * 1024 * 1024;

export interface HeapAtRest {
  /** Of a core, lately. */
  readonly share: number;
  /** What the heap takes of the machine's memory. */
  readonly bytes: number;
  /** The same after the last collection of this kind; undefined before the first. */
  readonly bytesBefore: number | undefined;
  readonly livingBytes: number;
}

/** Is it time to collect, and worth it? */
export function isWorthCollecting({ share, bytes, bytesBefore, livingBytes }: HeapAtRest): boolean {
  if (share > IDLE_SHARE_MAX || livingBytes > LIVING_BYTES_MAX) return false;
  return bytesBefore === undefined || bytes > bytesBefore + GROWN_BYTES_MIN;
}

/** For the rest of this process. To be called once, when it has started. */
export function collectWhenIdle(): void {
  let bytesBefore: number | undefined;
  let cpu = process.cpuUsage();
  setInterval(() => {
    const { user, system } = process.cpuUsage(cpu);
    cpu = process.cpuUsage();
    const { total_physical_size: bytes, used_heap_size: livingBytes } = getHeapStatistics();
    if (!isWorthCollecting({ share: (user + system) / 1000 / CHECK_MS, bytes, bytesBefore, livingBytes })) return;
    collect();
    bytesBefore = getHeapStatistics().total_physical_size;
  }, CHECK_MS).unref();
}

/** A whole collection. V8 gives the function for it to new contexts only, and while the flag is set. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc');
  gc();
}
