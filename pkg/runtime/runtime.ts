/**
 * The only door to time, randomness, tasks and slow CPU work. Everything else in the server takes a `Runtime` as an argument, so
 * that the whole server runs under the simulator's virtual time and seeded randomness. `pkg/runtime/real` fulfils it for production.
 */
import type { KeysAtHand } from '../federation/verify-event.ts';
import type { IntactEvent } from '../matrix/events/check-received.ts';
import type { RoomVersion } from '../matrix/room-versions/room-versions.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface Timer {
  cancel(): void;
}

/** In ms. Where the system does not tell (only Linux does), nothing is ever missed. */
export interface CoreTime {
  /** In which it computed. */
  readonly usedMs: number;
  /** In which it had something to do and other threads had the cores. */
  readonly missedMs: number;
}

export interface Clock {
  /** Wall-clock time in ms since the Unix epoch. */
  now(): number;
  /** A clock that never goes back, in ms, with fractions; for durations only. */
  monotonic(): number;
  /** What this thread has had of the machine's cores; for differences only. */
  cores(): CoreTime;
  /** Resolves after `ms`, or at once when `signal` is aborted (never rejects). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `ms`; keeps no process alive. */
  timer(ms: number, callback: () => void): Timer;
  /** Resolves after everything that is ready to run has run (a macrotask boundary). */
  yield(): Promise<void>;
}

export interface Random {
  bytes(length: number): Uint8Array;
  /** A number in [0, 1). */
  float(): number;
  /** A string of `length` letters and digits (5.9 bits each), safe in URLs. */
  token(length: number): string;
}

export interface Task {
  readonly name: string;
  /** Resolves when the task has ended, however it ended. */
  readonly done: Promise<void>;
  /** Aborts the task's signal and waits for its end. */
  stop(): Promise<void>;
}

export interface Tasks {
  /**
   * Runs `work` in the background until it returns or `stop` is called. `work` must return soon after `signal` is aborted. A task that
   * throws is logged and makes the process unhealthy: it is dead, not restarted; what can recover recovers inside.
   */
  spawn(name: string, work: (signal: AbortSignal) => Promise<void>): Task;
  /** Names of tasks that died by an exception. */
  dead(): readonly string[];
}

/** An ed25519 signature, and what it should be of. */
export interface SignatureCheck {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly bytes: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** Events of other servers, of a room of that version, and the keys that are known of their signers. */
export interface EventsToVerify {
  /** Parsed JSON. */
  readonly values: readonly unknown[];
  readonly version: RoomVersion;
  readonly known: KeysAtHand;
}

/** CPU work that must not block the event loop. */
export interface Offload {
  /** The events that are what their senders signed (`verifyEvent`), in the order of `values`; undefined: it is not, or that cannot be told. */
  verifyEvents(events: EventsToVerify): Promise<(IntactEvent | undefined)[]>;
  /** Whether each signature is right, in the order of `checks`; false for keys and signatures of a wrong form. */
  verifySignatures(checks: readonly SignatureCheck[]): Promise<boolean[]>;
  /** scrypt (RFC 7914), `keyLength` bytes. */
  scrypt(password: string, salt: Uint8Array, cost: { n: number; r: number; p: number; keyLength: number }): Promise<Uint8Array>;
}

/** A reason to call the process unhealthy, named; `check` resolves to undefined when well, else to one sentence. */
export interface HealthCheck {
  readonly name: string;
  check(): Promise<string | undefined>;
}

export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly tasks: Tasks;
  readonly offload: Offload;
  readonly logger: Logger;
  /** Absent where nobody reads numbers. */
  readonly metrics?: Metrics;
  /** Unique for each start of a process, for example `myelin-3fK9…`; names owners of leases and reply addresses. */
  readonly instanceId: string;
}
