/** A runtime for unit tests: time stands still until the test moves it, randomness repeats, log lines are kept. Tasks and hashing are the real ones. */
import { createHash } from 'node:crypto';
import { setImmediate as immediate } from 'node:timers/promises';
import { createOffload } from '../../pkg/runtime/real/offload.ts';
import { createTasks } from '../../pkg/runtime/real/tasks.ts';
import type { Clock, Random, Runtime } from '../../pkg/runtime/runtime.ts';
import type { Logger } from '../../pkg/telemetry/logger.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

export interface ManualRuntime extends Runtime {
  readonly lines: readonly LogLine[];
  /** Moves the time on, firing timers in their order, then lets everything that is ready run. */
  advance(ms: number): Promise<void>;
  /** Lets everything that is ready run, without moving the time. */
  settle(): Promise<void>;
}

interface Due {
  readonly at: number;
  readonly number: number;
  readonly fire: () => void;
}

export function createManualRuntime(options: { startMs?: number } = {}): ManualRuntime {
  const startMs = options.startMs ?? 1_700_000_000_000;
  let nowMs = startMs;
  let numbers = 0;
  const waiting = new Set<Due>();
  const lines: LogLine[] = [];
  const logger = recordingLogger(lines, {});

  function timer(ms: number, fire: () => void) {
    const due = { at: nowMs + Math.max(0, ms), number: (numbers += 1), fire };
    waiting.add(due);
    return { cancel: () => void waiting.delete(due) };
  }

  function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const due = timer(ms, resolve);
      signal?.addEventListener('abort', () => {
        due.cancel();
        resolve();
      }, { once: true });
    });
  }

  async function advance(ms: number): Promise<void> {
    const end = nowMs + ms;
    await settle();
    for (let next = first(waiting, end); next !== undefined; next = first(waiting, end)) {
      nowMs = Math.max(nowMs, next.at);
      waiting.delete(next);
      next.fire();
      await settle();
    }
    nowMs = end;
    await settle();
  }

  const clock: Clock = { now: () => Math.floor(nowMs), monotonic: () => nowMs - startMs, cores: () => ({ usedMs: nowMs - startMs, missedMs: 0 }), sleep, timer, yield: () => immediate() };
  return {
    clock, random: repeatingRandom(), tasks: createTasks(logger), offload: createOffload(), logger, instanceId: 'myelin-test',
    lines, advance, settle,
  };
}

/** Some macrotask boundaries: enough for work that hops a few times through promises and immediates. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await immediate();
}

function first(waiting: ReadonlySet<Due>, end: number): Due | undefined {
  let found: Due | undefined;
  for (const due of waiting) {
    if (due.at > end) continue;
    if (found === undefined || due.at < found.at || (due.at === found.at && due.number < found.number)) found = due;
  }
  return found;
}

function recordingLogger(lines: LogLine[], inherited: object): Logger {
  const record = (level: LogLine['level']) => (fields: object, message: string) => void lines.push({ level, fields: { ...inherited, ...fields }, message });
  return {
    debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error'),
    child: (fields) => recordingLogger(lines, { ...inherited, ...fields }),
  };
}

function repeatingRandom(): Random {
  let counter = 0;
  const bytes = (length: number) => {
    const parts: Buffer[] = [];
    for (let size = 0; size < length; size += 32) parts.push(createHash('sha256').update(String((counter += 1))).digest());
    return new Uint8Array(Buffer.concat(parts).subarray(0, length));
  };
  return {
    bytes,
    float: () => Buffer.from(bytes(4)).readUInt32BE(0) / 2 ** 32,
    token: (length) => Buffer.from(bytes(length)).toString('hex').slice(0, length),
  };
}
